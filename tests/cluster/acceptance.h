// One scenario at one cluster under load, measured: how long until somebody saw it, until a healthy
// leader stood, and the longest time without an acknowledged write. Main thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/ctl/playground/scenario.h"
#include "tests/cluster/nodes.h"

namespace cluster {

using client::ctl::playground::Leadership;
using client::ctl::playground::Scenario;

/// One row of the acceptance table (reference failures.md section 4).
struct AcceptanceRow {
  std::string name;  // of its file
  Scenario scenario;
};

/// What one run showed. Times are milliseconds from the first step; -1: never.
struct AcceptanceRun {
  std::int64_t detected_ms = -1;   // the first verdict, stall, step-down or candidacy anywhere
  std::int64_t leader_ms = -1;     // another leader; -1 also where nothing moved
  std::uint64_t gap_ms = 0;        // the longest between two acknowledged writes
  std::uint64_t changes = 0;       // terms that somebody began to lead in
  std::uint64_t writes = 0;        // acknowledged while the fault lasted
  std::uint64_t unknown = 0;       // calls of the whole run whose outcome is not known
  std::vector<std::string> wrong;  // what the histories do not allow
};

/// Runs a row once and heals the cluster. Requires: it is ready.
AcceptanceRun run_acceptance(Nodes& nodes, const AcceptanceRow& row, std::uint64_t number);

/// Every file of tests/scenarios, by name.
std::vector<AcceptanceRow> acceptance_rows();

}  // namespace cluster
