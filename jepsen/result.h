// What came of a run, in figures: FOLDER/result.json. Any thread.
#pragma once

#include <string>

#include "base/status.h"
#include "jepsen/check/check.h"
#include "jepsen/report/suite_index.h"

namespace jepsen {

CellResult result_of(const std::string& name, const History& history, const Judgement& judgement);
/// Errors: kIo.
base::Status write_result(const std::string& folder, const CellResult& result);
/// Errors: kIo, also if there is none or it cannot be read.
base::Result<CellResult> read_result(const std::string& folder);

}  // namespace jepsen
