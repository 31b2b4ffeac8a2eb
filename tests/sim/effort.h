// How much the tests of the simulator run: everything in plain builds, a part under sanitizers,
// which are there for memory and undefined behaviour and run it ten to twenty times slower.
#pragma once

#include <cstdint>

namespace sim {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kFullEffort = false;
#else
inline constexpr bool kFullEffort = true;
#endif

constexpr std::uint64_t effort(std::uint64_t full) {
  return kFullEffort ? full : (full + 9) / 10;
}

}  // namespace sim
