// The log as the core sees it: term and hash of every entry, and the payloads of a suffix. Pure.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "raft/entry.h"

namespace raft {

/// Invariants (each CHECKed):
/// - metas stand for first() .. last() without a gap; the entry before first() is known by term and
///   hash;
/// - payloads stand for cached_from() .. last() without a gap.
class Log {
 public:
  /// `entries` are the payloads of the last entries.size() indexes. `floor_time`: the stamp of the
  /// entry before those, or zero.
  Log(Index first, Term previous_term, ChainHash previous_hash, std::vector<EntryMeta> metas,
      std::vector<EntryPtr> entries, HybridTime floor_time);

  Index first() const { return first_; }
  Index last() const { return Index(first_.value + metas_.size() - 1); }
  Index cached_from() const { return Index(last().value + 1 - cache_.size()); }
  Term last_term() const { return term_at(last()); }
  ChainHash last_hash() const { return hash_at(last()); }
  /// The stamp of the last entry; zero if it is not known.
  HybridTime last_time() const;

  /// Whether term and hash are known: first() - 1 .. last().
  bool knows(Index index) const { return index.next() >= first_ && index <= last(); }
  /// Requires: knows(index).
  Term term_at(Index index) const;
  ChainHash hash_at(Index index) const;
  /// Requires: first() <= index <= last().
  std::uint32_t size_at(Index index) const;
  /// Requires: cached_from() <= index <= last().
  const EntryPtr& entry_at(Index index) const;
  /// The lowest known index from which on all terms up to `index` equal that at `index`.
  /// O(length of that term). Requires: knows(index).
  Index first_of_term_at(Index index) const;

  /// Entries from `from` on, at least one, until their sizes exceed `limit_bytes`.
  /// Requires: cached_from() <= from <= last().
  std::vector<EntryPtr> slice(Index from, std::size_t limit_bytes) const;

  /// Requires: entry->index == last() + 1.
  void append(EntryPtr entry);
  /// Removes the entries from `from` on. Requires: first() <= from.
  void truncate(Index from);
  /// Forgets the entries up to `through`; ignored where they are gone. Requires: through <= last().
  void cut(Index through);
  /// Begins anew, empty, after this entry.
  void restart(Index index, Term term, ChainHash hash, HybridTime time);
  /// Drops payloads below `keep_from` while there are more than `limit_bytes` of payloads.
  void evict(Index keep_from, std::size_t limit_bytes);

 private:
  void drop_front();
  const EntryMeta& meta(Index index) const;

  Index first_;
  Term previous_term_;       // of the entry before first_; changed by cut()
  ChainHash previous_hash_;  // likewise
  std::deque<EntryMeta> metas_;
  std::deque<EntryPtr> cache_;
  std::size_t cache_bytes_ = 0;  // the sum over cache_
  HybridTime floor_time_;        // of the entry before cached_from(); changed by eviction
};

}  // namespace raft
