// Injects the faults that are live in a run, and heals them. Simulator thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/random.h"
#include "tests/sim/cluster.h"

namespace sim {

class Nemesis {
 public:
  Nemesis(EventQueue& queue, Journal& journal, const Checks& checks, const Options& options,
          Cluster& cluster, std::uint64_t seed);

  /// From now on for Options::fault_time; then everything is healed.
  void begin();
  /// Asks the leader, whoever it is, to take back a member that does not vote. Returns whether all
  /// do.
  bool restore_members();

 private:
  void next();
  void inject(Fault fault);
  void inject_network(Fault fault);
  void inject_crash(Fault fault);
  void inject_slowness(Fault fault, std::size_t target);
  void partition();
  void isolate(std::size_t target);
  void crash(std::size_t target);
  void lose_data(std::size_t target);
  void lose_state(std::size_t target);
  bool something_is_lost();
  void change_members();
  void move_leader();
  std::size_t victim();
  /// After a while, unless the faults have ended.
  void heal_later(Range after, std::function<void()> heal);

  EventQueue& queue_;
  Journal& journal_;
  const Checks& checks_;
  const Options& options_;
  Cluster& cluster_;
  base::Random random_;
  std::vector<Fault> live_;
  Time end_ = 0;
};

}  // namespace sim
