// What of a log is kept in memory: its bounds and, for each entry, term and size. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "base/ids.h"
#include "raft/entry.h"
#include "storage/log_rows.h"

namespace storage {

/// Invariants: entries are marker().index + 1 .. last(); size_bytes() is the sum of theirs.
class LogTail {
 public:
  LogTail() = default;
  LogTail(Marker marker, const std::vector<raft::EntryMeta>& metas);

  const Marker& marker() const { return marker_; }
  base::Index first() const { return marker_.index.next(); }
  base::Index last() const { return marker_.index + metas_.size(); }
  /// Requires: marker().index <= index <= last().
  base::Term term_at(base::Index index) const;
  base::Term last_term() const { return term_at(last()); }
  std::uint64_t size_bytes() const { return size_bytes_; }

  /// Removes the entries from `from` on. Requires: first() <= from.
  void truncate(base::Index from);
  /// Requires: entry.index is last() + 1.
  void push(const raft::Entry& entry);
  /// Removes the entries up to marker.index. Requires: first() <= marker.index <= last().
  void cut(const Marker& marker);

 private:
  struct Meta {
    base::Term term;
    std::uint32_t size_bytes = 0;
  };
  Marker marker_;
  std::deque<Meta> metas_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace storage
