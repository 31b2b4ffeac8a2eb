#include "raft/log.h"

#include <utility>

#include "base/check.h"

namespace raft {

Log::Log(Index first, Term previous_term, ChainHash previous_hash, std::vector<EntryMeta> metas,
         std::vector<EntryPtr> entries, HybridTime floor_time)
    : first_(first),
      previous_term_(previous_term),
      previous_hash_(previous_hash),
      metas_(metas.begin(), metas.end()),
      cache_(std::make_move_iterator(entries.begin()), std::make_move_iterator(entries.end())),
      floor_time_(floor_time) {
  CHECK(first_.value > 0, "the first entry is 1");
  CHECK(cache_.size() <= metas_.size(), "payloads of entries that the log does not have");
  Index index = cached_from();
  for (const EntryPtr& entry : cache_) {
    CHECK(entry->index == index, "payloads are contiguous and end with the log");
    CHECK(entry->term == term_at(index) && entry->hash == hash_at(index),
          "payload and meta differ");
    cache_bytes_ += entry->size_bytes();
    index = index.next();
  }
}

HybridTime Log::last_time() const {
  return cache_.empty() ? floor_time_ : cache_.back()->time;
}

const EntryMeta& Log::meta(Index index) const {
  CHECK(index >= first_ && index <= last(), "an index outside the log");
  return metas_[index - first_];
}

Term Log::term_at(Index index) const {
  return index.next() == first_ ? previous_term_ : meta(index).term;
}

ChainHash Log::hash_at(Index index) const {
  return index.next() == first_ ? previous_hash_ : meta(index).hash;
}

std::uint32_t Log::size_at(Index index) const {
  return meta(index).size_bytes;
}

const EntryPtr& Log::entry_at(Index index) const {
  CHECK(index >= cached_from() && index <= last(), "an entry that is not in memory");
  return cache_[index - cached_from()];
}

Index Log::first_of_term_at(Index index) const {
  const Term term = term_at(index);
  while (index >= first_ && term_at(index.previous()) == term) index = index.previous();
  return index;
}

std::vector<EntryPtr> Log::slice(Index from, std::size_t limit_bytes) const {
  std::vector<EntryPtr> entries;
  std::size_t bytes = 0;
  for (Index index = from; index <= last() && (entries.empty() || bytes < limit_bytes);
       index = index.next()) {
    entries.push_back(entry_at(index));
    bytes += entries.back()->size_bytes();
  }
  return entries;
}

void Log::append(EntryPtr entry) {
  CHECK(entry->index == last().next(), "entries are contiguous");
  metas_.push_back({entry->term, entry->hash, static_cast<std::uint32_t>(entry->size_bytes())});
  cache_bytes_ += entry->size_bytes();
  cache_.push_back(std::move(entry));
}

void Log::truncate(Index from) {
  CHECK(from >= first_, "cannot truncate what was cut");
  while (last() >= from) {
    metas_.pop_back();
    if (cache_.empty()) continue;
    cache_bytes_ -= cache_.back()->size_bytes();
    cache_.pop_back();
  }
}

void Log::drop_front() {
  floor_time_ = cache_.front()->time;
  cache_bytes_ -= cache_.front()->size_bytes();
  cache_.pop_front();
}

void Log::cut(Index through) {
  if (through < first_) return;
  CHECK(through <= last(), "cannot cut beyond the end");
  while (cached_from() <= through && !cache_.empty()) drop_front();
  previous_term_ = term_at(through);
  previous_hash_ = hash_at(through);
  metas_.erase(metas_.begin(),
               metas_.begin() + static_cast<std::ptrdiff_t>(through.next() - first_));
  first_ = through.next();
}

void Log::restart(Index index, Term term, ChainHash hash, HybridTime time) {
  metas_.clear();
  cache_.clear();
  cache_bytes_ = 0;
  first_ = index.next();
  previous_term_ = term;
  previous_hash_ = hash;
  floor_time_ = time;
}

void Log::evict(Index keep_from, std::size_t limit_bytes) {
  while (cache_bytes_ > limit_bytes && !cache_.empty() && cached_from() < keep_from) drop_front();
}

}  // namespace raft
