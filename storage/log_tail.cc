#include "storage/log_tail.h"

#include "base/check.h"

namespace storage {

LogTail::LogTail(Marker marker, const std::vector<raft::EntryMeta>& metas) : marker_(marker) {
  for (const raft::EntryMeta& meta : metas) {
    metas_.push_back({meta.term, meta.size_bytes});
    size_bytes_ += meta.size_bytes;
  }
}

base::Term LogTail::term_at(base::Index index) const {
  CHECK(index >= marker_.index && index <= last());
  return index == marker_.index ? marker_.term : metas_[index - first()].term;
}

void LogTail::truncate(base::Index from) {
  CHECK(from >= first(), "what was cut away cannot be truncated");
  while (last() >= from) {
    size_bytes_ -= metas_.back().size_bytes;
    metas_.pop_back();
  }
}

void LogTail::push(const raft::Entry& entry) {
  CHECK(entry.index == last().next(), "entries are contiguous");
  const auto bytes = static_cast<std::uint32_t>(entry.size_bytes());
  metas_.push_back({entry.term, bytes});
  size_bytes_ += bytes;
}

void LogTail::cut(const Marker& marker) {
  CHECK(marker.index >= first() && marker.index <= last());
  while (marker_.index < marker.index) {
    size_bytes_ -= metas_.front().size_bytes;
    metas_.pop_front();
    marker_.index = marker_.index.next();
  }
  marker_ = marker;
}

}  // namespace storage
