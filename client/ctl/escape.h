// Bytes as text: \xNN escapes for people, base64 for JSON. Any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace client::ctl {

/// Printable ASCII as it is, a backslash as \\, every other byte as \xNN.
std::string escape(std::string_view bytes);
/// The inverse: \xNN, \\, \n, \r, \t, \0 and \"; every other byte stands for itself. Errors:
/// kInvalidArgument on an unknown or unfinished escape.
base::Result<std::string> unescape(std::string_view text);

/// RFC 4648 section 4, with padding.
std::string base64(std::string_view bytes);

}  // namespace client::ctl
