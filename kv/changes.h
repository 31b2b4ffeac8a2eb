// What happened to keys, in order and by whole revisions: what watches are fed with (DESIGN section
// 5.8). Read from kHistory. Pure; the apply thread owns it.
#pragma once

#include <optional>
#include <vector>

#include "base/status.h"
#include "kv/engine.h"
#include "kv/reading.h"
#include "kv/types.h"

namespace kv {

struct Change {
  Event event{};
  /// What was there before, if it was asked for, is still kept, and had room.
  std::optional<KeyValue> previous{};
  std::size_t size_bytes() const;
  bool operator==(const Change&) const = default;
};

/// All changes above `after`, up to and including `through`.
struct Changes {
  Revision after{};
  Revision through{};
  std::vector<Change> changes{};
  std::size_t bytes = 0;
};

/// Previous values that one revision carries at most; the rest goes without.
inline constexpr std::size_t kPreviousBytes = 1 << 20;

/// Reads on from `after` until about `slice_bytes` are exceeded, at the end of a revision; at least
/// one revision if there is one. `after` above past.revision: none, and `through` is `after`.
/// Errors: kCompacted, naming the oldest that can be asked for; kIo, kCorrupt, kNewerFormat.
base::Result<Changes> changes(Revision after, bool previous, std::size_t slice_bytes,
                              const Past& past, RowReader& rows);

}  // namespace kv
