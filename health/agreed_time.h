// What time it is, by the clocks of a majority (reference failures.md section 7): offsets between
// members, as NTP measures them (RFC 5905 section 8), and the span on which most of them agree
// (Marzullo 1984). Pure. Wall clocks are in microseconds since 1970, and compared only through the
// boot-time clock of who compares, so that a jump of the own clock shows at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"

namespace health {

/// A span of microseconds, both ends included.
struct Span {
  std::int64_t low_us = 0;
  std::int64_t high_us = 0;
  bool operator==(const Span&) const = default;
};

/// Another clock minus the own one, which lies within half of the delay around `offset_us`.
struct OffsetSample {
  std::int64_t offset_us = 0;
  std::int64_t delay_us = 0;
  Span span() const { return {offset_us - delay_us / 2, offset_us + (delay_us + 1) / 2}; }
};
/// A question sent at t1 and its answer received at t4 by the own clock; the other received the one
/// at t2 and sent the other at t3 by its own.
OffsetSample offset_of(std::int64_t t1, std::int64_t t2, std::int64_t t3, std::int64_t t4);

struct Overlap {
  Span span;
  std::size_t sources = 0;  // how many spans hold all of it
  bool operator==(const Overlap&) const = default;
};
/// The span that most of these share; of several the lowest. No spans: no sources.
Overlap overlap_of(const std::vector<Span>& spans);

enum class ClockState : std::uint8_t {
  kUnknown,  // no majority whose clocks agree is heard
  kAgreed,
  kFar,  // a majority agrees on another time than this member's clock shows
};
/// "unknown", "agreed", "far".
std::string_view name_of(ClockState state);

struct ClockVerdict {
  ClockState state = ClockState::kUnknown;
  Span agreed;              // the agreed time minus the own clock; zeros if unknown
  std::int64_t off_us = 0;  // the own clock minus the nearer end of the agreed time; 0 within it

  /// The own clock, moved into the agreed span. Requires: not kUnknown.
  std::uint64_t corrected_ms(std::uint64_t wall_ms) const;
  /// The latest time that it can be, in milliseconds. Requires: not kUnknown.
  std::uint64_t latest_ms(std::uint64_t wall_ms) const;
};

/// Invariants:
/// - a peer counts by its sample of the least delay of the last kWindowUs, unless a later one
///   contradicts it: then that clock has been set, and the later one counts;
/// - only voters count, and this member only if it is one.
class AgreedTime {
 public:
  static constexpr std::uint64_t kWindowUs = 10'000'000;
  /// How far a clock may be from the agreed time (DESIGN section 6, rule 8).
  static constexpr std::int64_t kMostOffUs = 500'000;

  /// `time_scale`: the window is so many times longer.
  explicit AgreedTime(std::uint32_t time_scale = 1) : window_us_(kWindowUs * time_scale) {}

  /// Of a round trip that ended now: the peer's wall clock when it answered, and how long question
  /// and answer were under way. `boot_us`: the own boot-time clock.
  void sample(base::MemberId peer, std::uint64_t boot_us, std::uint64_t peer_wall_us,
              std::uint64_t delay_us);
  /// Each round: what the majority of `voters` shows.
  void agree(base::MemberId self, const std::vector<base::MemberId>& voters, std::uint64_t boot_us,
             std::uint64_t wall_us);
  /// By what agree() found last.
  ClockVerdict judge(std::uint64_t boot_us, std::uint64_t wall_us) const;
  /// The peer's clock minus the own one, as far as is known.
  std::optional<OffsetSample> offset(base::MemberId peer, std::uint64_t boot_us,
                                     std::uint64_t wall_us) const;

 private:
  struct Sample {
    std::uint64_t at_us = 0;
    OffsetSample ahead;  // of the own boot-time clock
  };
  const Sample* best(base::MemberId peer, std::uint64_t boot_us) const;

  const std::uint64_t window_us_;
  std::map<base::MemberId, std::deque<Sample>> samples_;
  std::optional<Span> agreed_;  // ahead of the own boot-time clock
};

/// "its clock is 3600.0 s ahead of the time that a majority agrees on"; less than 0: behind it.
std::string describe_off(std::int64_t off_us);

}  // namespace health
