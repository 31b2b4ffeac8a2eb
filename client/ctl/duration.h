// Durations as people write them. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace client::ctl {

// Errors of all: kInvalidArgument, naming the text.

/// "500ms", "5s", "1.5s", "2m" in milliseconds; a bare number counts as milliseconds. At most 24 h.
base::Result<std::uint32_t> parse_duration_ms(const std::string& text);
/// The same up to a hundred years, with "7d" and with "0".
base::Result<std::uint64_t> parse_age_ms(const std::string& text);
/// "2026-11-30T05:00:00Z", "-5m" (before `now_ms`) or milliseconds since 1970, in the last.
base::Result<std::uint64_t> parse_moment_ms(const std::string& text, std::uint64_t now_ms);
/// "2026-11-30T05:00:00.123Z".
std::string format_moment(std::uint64_t ms);

}  // namespace client::ctl
