// The page of a run: one file that needs no other. Any thread.
#pragma once

#include <string>

#include "base/status.h"
#include "jepsen/check/check.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// Writes FOLDER/index.html. Errors: kIo.
base::Status write_report(const std::string& folder, const History& history,
                          const Judgement& judgement);

}  // namespace jepsen
