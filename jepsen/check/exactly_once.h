// Each acknowledged write happened once, each refused one never, each unknown one at most once:
// held against the store's own account of all its changes. Pure; any thread.
#pragma once

#include "jepsen/check/feed.h"
#include "jepsen/check/finding.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// Requires unique values, which it checks. kEmpty without a feed. The feed must tell of each
/// acknowledged write, so it must have been read after the last one.
Finding check_exactly_once(const History& history, const Feed& feed);

}  // namespace jepsen
