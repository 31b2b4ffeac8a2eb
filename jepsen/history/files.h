// Histories in files: read in either form, written for other checkers. Any thread.
#pragma once

#include <string>

#include "base/status.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// JSON lines or EDN, told by how the text begins. A last line of JSON that is cut off is left out:
/// the run died while it was written. Errors: kIo; kCorrupt, naming file and line.
base::Result<History> read_history(const std::string& path);

/// Writes beside `path`, a history of JSON lines: history.edn, which Knossos and Elle read;
/// keys/KEY.edn of each register, bare; calls.jsonl, a line an operation, for checkers that want
/// client, input, call, output and return. Returns how many files it wrote. Errors: as
/// read_history().
base::Result<std::size_t> export_history(const std::string& path);

}  // namespace jepsen
