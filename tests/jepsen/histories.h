// Small histories for tests of the checkers.
#pragma once

#include <cstdint>
#include <string>

#include "base/random.h"
#include "jepsen/check/check.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// From EDN, one event after the other. Fails the test if it cannot be read.
History history_of(const std::string& edn);

/// What random_history() makes.
struct RandomOptions {
  std::size_t operations = 12;
  std::uint32_t processes = 3;
  std::uint32_t keys = 1;
  std::int64_t values = 0;            // 0: each written value is unique; otherwise so many
  std::uint32_t unknown_percent = 0;  // of writes
  std::uint32_t cas_percent = 20;
  std::uint32_t lies = 0;  // so many reads tell of another value
  bool revisions = false;  // replies carry them
};
/// Calls of processes on registers, each of which takes effect at a random moment between its begin
/// and its end: linearizable, unless there are lies.
History random_history(base::Random& random, const RandomOptions& options);

}  // namespace jepsen
