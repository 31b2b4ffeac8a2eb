// Which faults a run means to inject, and when: drawn beforehand, so that a run with some of them
// left out does not change the others. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/sim/event_queue.h"
#include "tests/sim/options.h"

namespace sim {

struct PlannedFault {
  std::uint64_t number = 0;  // from 1, in the order of time
  Time after = 0;            // the begin of the faults
  Fault fault{};
  std::uint64_t seed = 0;  // of everything that the fault draws
};

/// In the order of time, all within Options::fault_time. Empty if no fault is live. Of those that
/// Options::only_faults leaves out nothing is in it; the others are as without it.
std::vector<PlannedFault> plan_faults(const Options& options, std::uint64_t seed);

}  // namespace sim
