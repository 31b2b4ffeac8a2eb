// Durations as people write them. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace client::ctl {

/// "500ms", "5s", "1.5s", "2m" in milliseconds; a bare number counts as milliseconds. At most 24 h.
/// Errors: kInvalidArgument, naming the text.
base::Result<std::uint32_t> parse_duration_ms(const std::string& text);

}  // namespace client::ctl
