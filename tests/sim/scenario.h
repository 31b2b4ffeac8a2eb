// A scenario (client/ctl/playground/scenario.h) at a simulated cluster, measured as the acceptance
// tests on real processes measure it. Simulator thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "client/ctl/playground/scenario.h"
#include "tests/sim/simulation.h"

namespace sim {

/// What one run showed. Times are milliseconds from the first step; -1: never.
struct ScenarioRun {
  std::int64_t detected_ms = -1;  // the first verdict, stall, step-down or candidacy anywhere
  std::int64_t leader_ms = -1;    // another leader that may answer reads; -1 also where none moved
  std::int64_t gap_ms = 0;        // the longest without an acknowledged write
  std::uint64_t changes = 0;      // terms that somebody began to lead in
  std::map<std::string, std::uint64_t> verdicts;  // that stood, by kind
  std::string wrong;                              // what was violated; empty if nothing
};

/// What the simulator cannot inject, by the name that the scenario uses; empty: it can do it all.
std::string not_simulated(const client::ctl::playground::Scenario& scenario);

struct ScenarioOptions {
  std::size_t clients = 64;                  // for the whole of it
  void (*tune)(Options& options) = nullptr;  // such as to switch a reaction off
  bool trace = false;                        // prints every event
};

/// Then everything is healed, converges and is checked. Requires: not_simulated() is empty.
ScenarioRun run_scenario(const client::ctl::playground::Scenario& scenario, std::size_t nodes,
                         std::uint64_t seed, const ScenarioOptions& how = {});

/// The longest time in [from, to] during which no write that was invoked in it returned.
Time longest_gap(const History& history, Time from, Time to);

}  // namespace sim
