// Makes persist requests as a core would: ordinals that grow, entries that are chained.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "raft/core.h"
#include "storage/log_store.h"

namespace conformance {

/// What a correct log must hold, kept beside it.
/// Invariant: entries_[i] has index first_ + i.
class LogWriter {
 public:
  /// As a log that was opened reports itself.
  explicit LogWriter(const storage::LogStore& log)
      : epoch_(log.opening().epoch),
        term_(log.contents().hard_state.term),
        first_(log.contents().first),
        previous_{log.contents().previous_term, log.contents().previous_hash, 0},
        metas_(log.contents().metas) {}

  base::Index first() const { return first_; }
  base::Index last() const { return first_.previous() + metas_.size(); }
  base::Term term() const { return term_; }
  base::Ordinal ordinal() const { return {epoch_, counter_}; }
  raft::EntryMeta meta(base::Index index) const {
    return index < first_ ? previous_ : metas_.at(index - first_);
  }
  const std::vector<raft::EntryMeta>& metas() const { return metas_; }

  raft::EntryPtr entry(std::string payload) {
    auto entry = std::make_shared<raft::Entry>();
    entry->term = term_;
    entry->index = last().next();
    entry->kind = raft::EntryKind::kCommand;
    entry->time = base::HybridTime(1000 + entry->index.value, 3);
    entry->payload = std::move(payload);
    entry->hash = raft::chain_hash(meta(last()).hash, *entry);
    metas_.push_back({entry->term, entry->hash, static_cast<std::uint32_t>(entry->size_bytes())});
    return entry;
  }

  /// A request with one entry a payload.
  raft::PersistRequest append(const std::vector<std::string>& payloads) {
    raft::PersistRequest request = next();
    for (const std::string& payload : payloads) request.entries.push_back(entry(payload));
    return request;
  }
  /// Removes the entries from `from` on and appends.
  raft::PersistRequest overwrite(base::Index from, const std::vector<std::string>& payloads) {
    CHECK(from >= first_);
    if (from <= last()) metas_.resize(from - first_);
    raft::PersistRequest request = append(payloads);
    request.truncate_from = from;
    return request;
  }
  raft::PersistRequest vote(base::Term term, base::MemberId vote) {
    term_ = term;
    raft::PersistRequest request = next();
    request.hard_state = raft::HardState{term, vote, {7, 77}};
    return request;
  }
  /// As after an installed snapshot, with these entries behind it.
  raft::PersistRequest restart(base::Index index, base::Term term, base::ChainHash hash,
                               const std::vector<std::string>& payloads) {
    previous_ = {term, hash, 0};
    metas_.clear();
    first_ = index.next();
    raft::PersistRequest request = append(payloads);
    request.restart = raft::LogStart{index, term, hash};
    return request;
  }
  /// A quarantine that is over.
  raft::PersistRequest end_quarantine() {
    raft::PersistRequest request = vote(term_, base::MemberId(2));
    request.end_quarantine = true;
    return request;
  }
  void cut(base::Index through) {
    previous_ = meta(through);
    metas_.erase(metas_.begin(),
                 metas_.begin() + static_cast<std::ptrdiff_t>(through - first_ + 1));
    first_ = through.next();
  }

 private:
  raft::PersistRequest next() {
    raft::PersistRequest request;
    request.ordinal = {epoch_, ++counter_};
    request.term = term_;
    return request;
  }

  std::uint64_t epoch_;
  std::uint64_t counter_ = 0;
  base::Term term_;
  base::Index first_;
  raft::EntryMeta previous_;
  std::vector<raft::EntryMeta> metas_;
};

}  // namespace conformance
