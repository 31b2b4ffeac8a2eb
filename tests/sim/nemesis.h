// Injects the faults that are live in a run, and heals them. Simulator thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/random.h"
#include "tests/sim/cluster.h"
#include "tests/sim/losses.h"
#include "tests/sim/operator.h"
#include "tests/sim/schedule.h"

namespace sim {

class Nemesis {
 public:
  Nemesis(EventQueue& queue, Journal& journal, Checks& checks, const Options& options,
          Cluster& cluster, std::uint64_t seed);

  const std::vector<PlannedFault>& planned() const { return planned_; }
  /// From now on for Options::fault_time; then everything is healed.
  void begin();
  /// Asks the leader, whoever it is, to take back a member that does not vote. Returns whether all
  /// do.
  bool restore_members();

 private:
  void inject(const PlannedFault& planned);
  void dispatch(Fault fault);
  void inject_network(Fault fault);
  void inject_crash(Fault fault);
  void inject_loss(Fault fault);
  void inject_slowness(Fault fault, std::size_t target);
  void delay();
  void partition();
  void isolate(std::size_t target);
  void hang_truncations();
  void hunt_new_leaders(Time until, base::Term seen, base::Random random);
  void answer_late();
  void set_rivals();
  void fell_voter(std::size_t voter, Time until, base::Term seen, base::Random random);
  void swizzle();
  void crash(std::size_t target);
  void change_members();
  /// Now and then, as somebody who has been called in.
  void mend_losses();
  std::size_t victim();
  /// After a while, unless the faults have ended.
  void heal_later(Range after, std::function<void()> heal);

  EventQueue& queue_;
  Journal& journal_;
  const Options& options_;
  Cluster& cluster_;
  Operator operator_;
  Losses losses_;
  const std::vector<PlannedFault> planned_;
  base::Random random_;  // of the fault that is being injected
  Time end_ = 0;
};

}  // namespace sim
