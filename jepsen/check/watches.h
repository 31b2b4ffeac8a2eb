// What watches were told, against each other and against the store's feed: in order, each once,
// whole revisions at a time, nothing left out, with what was there before. Pure; any thread.
#pragma once

#include "jepsen/check/feed.h"
#include "jepsen/check/finding.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// Notes of one actor, in its order:
///   watch  {from}                         it begins: all revisions from there on; again: it was
///                                         told to begin anew there
///   batch  {previous revision events}     events: [[revision sub key value old]…]; none: a mark of
///                                         progress. old: the value before; "?" where it is unknown
/// What it was told must be just what the feed has, from its begin to its last batch, and, of a run
/// that came to its end, reach the end of the feed. kEmpty: nothing was told.
Finding check_watches(const History& history, const Feed& feed);

}  // namespace jepsen
