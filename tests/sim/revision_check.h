// Linearizability by revisions: every reply carries one, so the order is given and only has to be
// checked, by a sort and a sweep (jepsen.md section 2). A pass is a proof. Any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/sim/history.h"

namespace sim {

/// The revision at which an operation of the history took effect, for those that never returned;
/// zero: it did not.
using Resolved = std::vector<base::Revision>;

/// The first thing that is wrong, in words; nullopt if nothing is. Checks:
/// - each revision has one writer, each write that returned or was resolved one revision;
/// - what is seen is what the last write before it left, with its revision;
/// - no operation stands before one that returned before it began;
/// - the times that headers show grow with the revisions that they show.
/// Stale reads are only held against the state at their revision.
std::optional<std::string> check_revisions(const History& history, const Resolved& resolved);

}  // namespace sim
