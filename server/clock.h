// The only place of the server that reads clocks. Any thread.
#pragma once

#include <cstdint>

namespace server {

/// Milliseconds on CLOCK_BOOTTIME: goes on while the machine sleeps, never back.
std::uint64_t boot_ms();
/// Microseconds on the same clock.
std::uint64_t boot_us();
/// Milliseconds since 1970. May jump.
std::uint64_t wall_ms();

}  // namespace server
