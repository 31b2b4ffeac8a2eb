#include "tests/sim/schedule.h"

namespace sim {

std::vector<PlannedFault> plan_faults(const Options& options, std::uint64_t seed) {
  std::vector<Fault> live;
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (options.live[i]) live.push_back(static_cast<Fault>(i));
  }
  std::vector<PlannedFault> planned;
  if (live.empty()) return planned;
  base::Random random(seed);
  Time at = 0;
  for (std::uint64_t number = 1;; ++number) {
    at += options.fault_gap.draw(random);
    if (at >= options.fault_time) return planned;
    const Fault fault = live[random.below(live.size())];
    const std::uint64_t own = random.next();
    if (options.only_faults && !options.only_faults->contains(number)) continue;
    planned.push_back({number, at, fault, own});
  }
}

}  // namespace sim
