// Strict serializability by revisions: every reply carries one, so the order is given and only has
// to be checked, by a sort, a replay and a sweep (shared reference jepsen.md section 2). A pass is
// a proof. Pure; any thread.
#pragma once

#include "jepsen/check/feed.h"
#include "jepsen/check/finding.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// What has to hold:
/// - each revision has one writer, each acknowledged write one revision;
/// - what was read is what the writes up to that revision left, lists and sets whole, with the
///   revision that it says;
/// - no operation stands before one that had ended before it began; reads that asked for what a
///   member has are only held against the state at their revision;
/// - where there is a feed, it tells of each write, and of nothing else but what has an unknown end
///   or is of other keys; without one, revisions that no operation explains are as many as there
///   are unknown writes, at most, and what was read of keys that those wrote is not judged; the
///   same above the end of a feed.
Finding check_revisions(const History& history, const Feed& feed);

}  // namespace jepsen
