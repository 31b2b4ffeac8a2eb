// What became of the writes whose outcome was unknown. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jepsen/history/history.h"

namespace jepsen {

struct Outcomes {
  std::uint64_t resolved = 0;  // the store said what became of them
  std::uint64_t seen = 0;      // somebody saw their value
  std::uint64_t open = 0;      // nobody knows
};

/// Ends the unknown writes of the history where their outcome is known: applied, with a revision,
/// when the store said so or somebody saw the value; failed, when the store said that they never
/// will be. What stays unknown may have happened or not. `initial`: what registers hold at first.
Outcomes resolve_unknown(History& history, std::int64_t initial = kAbsent);

}  // namespace jepsen
