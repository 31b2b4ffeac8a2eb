// Registers whose written values are unique: linearizable or not, in n log n, whatever the
// revisions say. After Gibbons and Korach, "Testing shared memories" (SIAM J. Comput. 26, 1997),
// section 4: with unique values each read names its write, so that only the order of the values is
// open. A compare-and-swap chains two values; a chain is one block of that order. Pure; any thread.
#pragma once

#include <optional>
#include <vector>

#include "jepsen/check/finding.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// One key's calls, as `independent_parts` gives them. nullopt: it does not apply, since a value is
/// written twice, an operation touches several keys, or it is no register. A finding is final.
std::optional<Finding> check_registers(const History& history,
                                       const std::vector<std::uint32_t>& operations,
                                       std::int64_t initial);

}  // namespace jepsen
