#include "base/hlc.h"

#include <algorithm>
#include <string>

namespace base {

HybridTime HybridClock::step(std::uint64_t milliseconds, std::uint32_t counter) {
  // A full counter borrows the next millisecond instead of going back.
  const HybridTime next = counter > 0xffff
                              ? HybridTime(milliseconds + 1, 0)
                              : HybridTime(milliseconds, static_cast<std::uint16_t>(counter));
  CHECK(next > last_, "the hybrid clock went back");
  last_ = next;
  return next;
}

HybridTime HybridClock::now(std::uint64_t physical_ms) {
  if (physical_ms > last_.milliseconds()) return step(physical_ms, 0);
  return step(last_.milliseconds(), last_.counter() + 1u);
}

Result<HybridTime> HybridClock::receive(HybridTime remote, std::uint64_t physical_ms) {
  if (remote.milliseconds() > physical_ms + max_offset_ms_) {
    return Status(Code::kInvalidArgument, "a timestamp is " +
                                              std::to_string(remote.milliseconds() - physical_ms) +
                                              " ms ahead of this clock");
  }
  const std::uint64_t local = last_.milliseconds();
  const std::uint64_t highest = std::max({local, remote.milliseconds(), physical_ms});
  std::uint32_t counter = 0;
  if (highest == local && highest == remote.milliseconds()) {
    counter = std::max(last_.counter(), remote.counter()) + 1u;
  } else if (highest == local) {
    counter = last_.counter() + 1u;
  } else if (highest == remote.milliseconds()) {
    counter = remote.counter() + 1u;
  }
  return step(highest, counter);
}

void HybridClock::observe(HybridTime time) {
  last_ = std::max(last_, time);
}

}  // namespace base
