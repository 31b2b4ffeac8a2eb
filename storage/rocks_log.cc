#include "storage/rocks_log.h"

#include <rocksdb/convenience.h>
#include <rocksdb/write_batch.h>

#include <utility>

#include "base/check.h"
#include "storage/rocks_status.h"

namespace storage {
namespace {

using base::Code;
using base::Status;

void add(const std::vector<RowChange>& changes, rocksdb::WriteBatch& batch) {
  for (const RowChange& change : changes) {
    // A batch in memory accepts all; what can fail is the write.
    const rocksdb::Status status = change.value ? batch.Put(change.key, *change.value)
                                                : batch.DeleteRange(change.key, change.end);
    CHECK(status.ok(), status.ToString());
  }
}

}  // namespace

RocksLog::RocksLog(const RocksLogOptions& options)
    : options_(options),
      evidence_(options.member_directory, options.opening.epoch),
      fence_(options.member_directory, options.opening) {}

RocksLog::~RocksLog() {
  // Errors have nobody left to be told to; the next opening judges by what it finds.
  if (watermark_ && failure_.is_ok()) (void)watermark_->sync();
}

Status RocksLog::append(std::span<const raft::PersistRequest> requests) {
  if (failure_.is_ok() && !requests.empty()) failure_ = append_once(requests);
  return failure_;
}

Status RocksLog::append_once(std::span<const raft::PersistRequest> requests) {
  if (Status status = fence_.check(); !status.is_ok()) return status;
  std::unique_lock lock(mutex_);
  auto plan = plan_append(requests, tail_, durable_.ordinal, hard_state_.term);
  if (!plan) return plan.status();
  const std::vector<RowChange> changes = plan->changes(tail_.last());
  // From here on nobody may load what is about to be overwritten.
  plan->make_room(tail_);
  lock.unlock();

  if (Status status = write_synced(changes, "write to the log"); !status.is_ok()) return status;

  lock.lock();
  plan->apply(tail_);
  durable_ = plan->after;
  size_bytes_ = tail_.size_bytes();
  lock.unlock();
  if (plan->hard_state) hard_state_ = *plan->hard_state;
  if (Status status = watermark_->write(plan->after, hard_state_); !status.is_ok()) return status;
  // Term and vote are durable twice before anything is answered (DESIGN section 5.3).
  if (plan->hard_state) {
    if (Status status = watermark_->sync(); !status.is_ok()) return status;
  }
  if (plan->restart) cut_entries_.set_first(plan->restart->index.next());
  return plan->end_quarantine ? remove_quarantine(options_.member_directory) : Status::ok();
}

/// One batch, one sync, with a claim in front.
Status RocksLog::write_synced(const std::vector<RowChange>& changes, std::string_view what) {
  rocksdb::WriteBatch batch;
  {
    std::lock_guard lock(mutex_);
    const rocksdb::Status status = batch.PutLogData(encode_claim(durable_));
    CHECK(status.ok(), status.ToString());
  }
  add(changes, batch);
  rocksdb::WriteOptions options;
  options.sync = true;
  const rocksdb::Status status = db_->Write(options, &batch);
  ++syncs_;
  return to_status(status, what);
}

base::Result<std::vector<raft::EntryPtr>> RocksLog::load(base::Index from, base::Index to,
                                                         std::size_t limit_bytes) {
  CHECK(from <= to);
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const std::string end = entry_key(to.next());
  const rocksdb::Slice upper_bound(end);
  options.iterate_upper_bound = &upper_bound;
  std::unique_ptr<rocksdb::Iterator> row;
  {
    // What the tail has now, this iterator sees, whatever is truncated or cut meanwhile.
    std::lock_guard lock(mutex_);
    if (from < tail_.first() || to > tail_.last()) return not_in_log(from, to, tail_);
    row.reset(db_->NewIterator(options));
  }
  std::vector<raft::EntryPtr> loaded;
  std::size_t bytes = 0;
  base::Index index = from;
  for (row->Seek(entry_key(from)); row->Valid() && index <= to; row->Next(), index = index.next()) {
    if (row->key() != rocksdb::Slice(entry_key(index))) break;
    auto decoded = decode_entry(index, row->value().ToStringView());
    if (!decoded) break;
    if (!loaded.empty() && bytes + decoded->entry->size_bytes() > limit_bytes) return loaded;
    bytes += decoded->entry->size_bytes();
    loaded.push_back(std::move(decoded->entry));
  }
  if (!row->status().ok()) return to_status(row->status(), "read the log");
  if (index <= to) {
    return Status(Code::kCorrupt,
                  "entry " + std::to_string(index.value) + " of the log is missing or altered");
  }
  return loaded;
}

Status RocksLog::cut(base::Index through, base::Term term, base::ChainHash hash) {
  const Marker marker{through, term, hash};
  {
    std::lock_guard lock(mutex_);
    CHECK(through < tail_.last(), "the last entry stays");
    if (through < tail_.first()) return Status::ok();
    CHECK(tail_.term_at(through) == term, "the marker is the entry at which the log is cut");
  }
  Status status = write_synced({{std::string(kMarkerKey), encode_row(marker), {}}}, "cut the log");
  if (!status.is_ok()) return status;
  {
    std::lock_guard lock(mutex_);
    tail_.cut(marker);
    size_bytes_ = tail_.size_bytes();
  }
  return remove_below(marker.index.next());
}

/// Frees the space of the entries below `first`, which no reader looks at any more: whole files at
/// once, the rest when RocksDB next rewrites it.
Status RocksLog::remove_below(base::Index first) {
  cut_entries_.set_first(first);
  const std::string begin = entry_key(base::Index());
  const std::string end = entry_key(first);
  const rocksdb::Slice begin_slice(begin), end_slice(end);
  return to_status(rocksdb::DeleteFilesInRange(db_.get(), db_->DefaultColumnFamily(), &begin_slice,
                                               &end_slice, false),
                   "free what was cut off the log");
}

bool CutEntries::Filter(int, const rocksdb::Slice& key, const rocksdb::Slice&, std::string*,
                        bool*) const {
  const auto index = index_of_key(key.ToStringView());
  return index && index->value < first_.load();
}

Status RocksLog::sync_watermark() {
  if (Status status = watermark_->sync(); !status.is_ok()) return status;
  if (!evidence_is_open_) return Status::ok();
  evidence_is_open_ = false;
  return quarantined_ ? Status::ok() : evidence_.discard();
}

Status RocksLog::quarantine(const std::string& reason) {
  Status status = write_quarantine(options_.member_directory, reason);
  if (status.is_ok()) quarantined_ = true;
  return status;
}

Status RocksLog::restart_after(base::Index index, base::Term term, base::ChainHash hash) {
  CHECK(durable_.ordinal.epoch < options_.opening.epoch, "only before anything else runs");
  const Marker marker{index, term, hash};
  // An ordinal of its own, so that what was claimed of the old log says nothing of the new one.
  const base::Ordinal ordinal{options_.opening.epoch, 0};
  Status status = write_synced(
      {{entry_key(base::Index()), std::nullopt, entry_key(base::Index(~std::uint64_t{0}))},
       {std::string(kMarkerKey), encode_row(marker), {}},
       {std::string(kOrdinalKey), encode_row(ordinal), {}}},
      "restart the log");
  if (!status.is_ok()) return failure_ = status;
  tail_ = LogTail(marker, {});
  durable_ = Claim{ordinal, index, term};
  size_bytes_ = 0;
  restart(contents_, ordinal, marker);
  status = watermark_->write(durable_, hard_state_);
  return status.is_ok() ? watermark_->sync() : status;
}

}  // namespace storage
