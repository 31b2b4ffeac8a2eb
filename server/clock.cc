#include "server/clock.h"

#include <time.h>

#include "base/check.h"

namespace server {
namespace {

std::uint64_t microseconds_of(clockid_t clock) {
  timespec now{};
  CHECK(clock_gettime(clock, &now) == 0);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

}  // namespace

std::uint64_t boot_ms() {
  return boot_us() / 1000;
}
std::uint64_t boot_us() {
  return microseconds_of(CLOCK_BOOTTIME);
}
std::uint64_t wall_ms() {
  return microseconds_of(CLOCK_REALTIME) / 1000;
}

}  // namespace server
