// The page that leads to the pages of many runs. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace jepsen {

/// What came of one run, in figures.
struct CellResult {
  std::string name, verdict, why;
  std::uint64_t operations = 0, ok = 0, unknown = 0;
  std::uint64_t faults = 0, bounded = 0;  // bounded: that must not keep writes away for long
  std::uint64_t longest_ms = 0;           // without a write, of those
  std::uint64_t took_ms = 0;
};

/// Writes FOLDER/index.html; each run's page is FOLDER/NAME/index.html. Errors: kIo.
base::Status write_suite_index(const std::string& folder, const std::string& title,
                               const std::vector<CellResult>& results);

}  // namespace jepsen
