// One run: a cluster, its clients and its faults, from one seed to a verdict. Simulator thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/checks.h"
#include "tests/sim/cluster.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/holders.h"
#include "tests/sim/journal.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/options.h"
#include "tests/sim/watchers.h"
#include "tests/sim/workload.h"

namespace sim {

/// Before the first fault.
inline constexpr Time kCalm = 1 * kSecond;

/// Invariant: the same seed and options give the same events, in every build type.
class Simulation {
 public:
  Simulation(std::uint64_t seed, Options options);

  /// The whole life of a run: calm, faults, healing, liveness, convergence, last reads, verdict.
  void run();

  // The parts of it, for scenarios.
  /// Starts every node and every client.
  void start();
  /// Runs until `time`, or the first violation.
  void run_until(Time time);
  /// Clients stop, everything converges within Options::converge_bound, everything is read once
  /// more, and the history is checked. Requires: no fault is left.
  void finish();

  /// When the first write returned that was invoked after `time`; kOpen if none has.
  Time first_write_after(Time time) const;

  Cluster& cluster() { return cluster_; }
  EventQueue& queue() { return queue_; }
  Journal& journal() { return journal_; }
  /// What the faults are to be.
  const std::vector<PlannedFault>& planned() const { return nemesis_.planned(); }
  const History& history() const { return workload_.history; }
  Time now() const { return queue_.now(); }
  std::uint64_t events() const { return queue_.executed(); }

 private:
  bool converged();
  void read_everything();
  void read_part(const std::vector<std::string>& keys);
  void let_leases_end();
  void check_history();
  void check_each_key(const std::vector<bool>& happened);

  const Options options_;
  base::Random random_;
  EventQueue queue_;
  Journal journal_;
  Checks checks_;
  Cluster cluster_;
  Workload workload_;
  Nemesis nemesis_;
  std::vector<std::unique_ptr<Client>> clients_;
  Holders holders_;
  Watchers watchers_;
};

}  // namespace sim
