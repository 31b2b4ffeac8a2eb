// One event a line, as JSON: how a run is written down while it goes on. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "jepsen/history/value.h"

namespace jepsen {

/// Errors: kCorrupt, with the position. Words and texts are the same here.
base::Result<Value> from_json(std::string_view text);
/// In one line.
std::string to_json(const Value& value);

}  // namespace jepsen
