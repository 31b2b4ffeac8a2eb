// Hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014). Physical time is passed
// in, never read: the caller owns the only real clock.
#pragma once

#include <compare>
#include <cstdint>

#include "base/status.h"

namespace base {

/// 48 bits of milliseconds since 1970 and 16 bits of counter, compared as one number.
struct HybridTime {
  std::uint64_t value = 0;

  constexpr HybridTime() = default;
  constexpr explicit HybridTime(std::uint64_t v) : value(v) {}
  constexpr HybridTime(std::uint64_t milliseconds, std::uint16_t counter)
      : value(milliseconds << 16 | counter) {}
  constexpr std::uint64_t milliseconds() const { return value >> 16; }
  constexpr std::uint16_t counter() const { return static_cast<std::uint16_t>(value & 0xffff); }
  constexpr auto operator<=>(const HybridTime&) const = default;
};

/// Invariants:
/// - now() never goes back: each result is greater than every earlier result and every time
/// received.
/// - a received time further than max_offset_ms ahead of the physical clock changes nothing.
class HybridClock {
 public:
  /// max_offset_ms: how far ahead of the physical clock a received time may be (DESIGN 6.8: 500).
  explicit HybridClock(std::uint64_t max_offset_ms = 500) : max_offset_ms_(max_offset_ms) {}

  /// The time of a local event or a send. physical_ms: the wall clock, milliseconds since 1970.
  HybridTime now(std::uint64_t physical_ms);
  /// Merges the time of a received message. Errors: kInvalidArgument when it is too far ahead.
  Result<HybridTime> receive(HybridTime remote, std::uint64_t physical_ms);
  /// Raises the clock to at least `time`, without any check: for times read from one's own
  /// committed log, which are never refused (DESIGN section 6, rule 8).
  void observe(HybridTime time);
  HybridTime last() const { return last_; }

 private:
  HybridTime step(std::uint64_t milliseconds, std::uint32_t counter);

  std::uint64_t max_offset_ms_;
  HybridTime last_;
};

}  // namespace base
