// A set that only grows, without revisions: what was added is found by everybody who looks later,
// and what one saw the next one sees. Pure; any thread.
#pragma once

#include "jepsen/check/finding.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// Linearizable exactly if: nothing is read that nobody may have added by then; each read holds
/// what was added, or seen, before it began; of two reads one holds the other. Reads that asked for
/// no more than what a member has are left out. kEmpty: nobody read.
Finding check_sets(const History& history);

}  // namespace jepsen
