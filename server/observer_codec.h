// health::Row to schema/peer.capnp's ObserverRows and back. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "health/matrix.h"

namespace server {

/// What lets the receiver measure the round trip without comparing clocks.
struct Echo {
  base::MemberId peer;
  std::uint64_t echo_us = 0;  // `sent_us` of its last row, by its own clock
  std::uint64_t held_us = 0;  // how long ago that came
};

/// A row as it travels.
struct SentRow {
  health::Row row;
  std::uint32_t age_ms = 0;   // when it was sent on
  std::uint64_t sent_us = 0;  // the sender's own row: its clock; otherwise 0
  std::uint64_t wall_us = 0;  // likewise: its wall clock at that moment
  std::vector<Echo> echoes;   // likewise; otherwise empty
};

std::string encode_rows(const std::vector<SentRow>& rows);
/// Any bytes are safe to give. At most kMostRows rows of kMostLinks links, and texts of
/// kMostReasonBytes. Errors: kCorrupt.
base::Result<std::vector<SentRow>> decode_rows(const std::string& bytes);

inline constexpr std::size_t kMostRows = 32;
inline constexpr std::size_t kMostLinks = 32;
inline constexpr std::size_t kMostScrubRanges = 64;
inline constexpr std::size_t kMostReasonBytes = 200;

}  // namespace server
