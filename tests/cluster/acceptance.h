// One fault at one cluster under load, measured: how long until somebody saw it, until a healthy
// leader stood, and the longest time without an acknowledged write. Main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/cluster/nodes.h"

namespace cluster {

/// What a fault must and must not do to leadership (reference failures.md section 4).
enum class Leadership : std::uint8_t { kMoves, kStays };

/// One row of the acceptance table.
struct AcceptanceRow {
  std::string name;  // kebab-case
  Leadership leadership = Leadership::kStays;
  /// The table's bound for a healthy leader, from the injection; 0 where nothing moves.
  std::uint32_t leader_bound_ms = 0;
  /// Injects it, with the leader's index; returns whether that worked.
  std::function<bool(Nodes& nodes, std::size_t leader)> inject;
  /// Ends it where `fault clear` at all members does not.
  std::function<void(Nodes& nodes)> heal = {};
  std::uint32_t observed_ms = 3000;  // how long the fault lasts
  std::uint32_t before_ms = 500;     // load before it
  /// Members that the fault makes useless, which need not be ready while it lasts.
  bool leader_is_sick = true;
};

/// What one run showed. Times are milliseconds from the injection; -1: never.
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

/// One directory's worth of `fault` on the command line; whether it worked.
bool inject(Nodes& nodes, std::size_t i, std::vector<std::string> words);

/// All rows that are injected on real processes.
std::vector<AcceptanceRow> acceptance_rows();

}  // namespace cluster
