// The members' logs, put together by time. Any thread.
#pragma once

#include <string>

#include "jepsen/history/history.h"

namespace jepsen {

/// The lines of FOLDER/logs/*.log, at most some hundred, each with its seconds since the run began.
/// HTML.
std::string logs_of(const std::string& folder, const History& history);

}  // namespace jepsen
