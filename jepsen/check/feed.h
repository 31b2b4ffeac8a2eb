// The store's own account of its changes, as a watch from the first revision on told it after the
// run. Pure; any thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// One write of a revision. `value`: of a list or a set the element that came to it; kAbsent: the
/// key was deleted.
struct Change {
  std::uint64_t revision = 0;
  std::uint32_t key = 0;
  std::int64_t value = kAbsent;
  bool operator==(const Change&) const = default;
};

/// Invariant: `changes` are in the order of revisions.
struct Feed {
  bool known = false;
  std::uint64_t end = 0;  // it tells of all revisions up to here
  std::vector<Change> changes;
  std::vector<std::uint64_t> others;  // revisions that changed nothing of this history
  bool explains(std::uint64_t revision) const;
};

/// From the notes of f `feed`: value {end, changes: [[revision key value]…], others: [revision…]}.
/// A key that no operation named is added to the history. Errors: kCorrupt: out of order, or no
/// such note can be understood.
base::Result<Feed> read_feed(History& history);

}  // namespace jepsen
