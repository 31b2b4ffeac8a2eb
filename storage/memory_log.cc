#include "storage/memory_log.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace storage {
namespace {

using base::Code;
using base::Status;

/// Slots in the cache that a power cut may choose from.
constexpr std::size_t kMaxCachedSlots = 8;

}  // namespace

// ---- MemoryDisk ----

void MemoryDisk::apply(const Batch& batch, Rows& rows) {
  for (const RowChange& change : batch.changes) {
    if (change.value) {
      rows[change.key] = *change.value;
    } else {
      rows.erase(rows.lower_bound(change.key), rows.lower_bound(change.end));
    }
  }
}

void MemoryDisk::fold() {
  while (synced_ > kKept) {
    apply(wal_.front(), rows_);
    wal_.pop_front();
    --synced_;
  }
}

void MemoryDisk::kill(base::Random& random) {
  if (unsynced() > 0 && random.chance(2)) wal_.pop_back();
}

void MemoryDisk::power_cut(base::Random& random) {
  for (std::size_t i = synced_; i < wal_.size(); ++i) {
    const std::uint64_t fate = random.below(3);
    if (fate == 0) wal_.resize(i);
    if (fate == 1) wal_[i].readable = false;
  }
  if (slots_.size() > 1) slots_ = {slots_[random.below(slots_.size())]};
}

bool MemoryDisk::lose_newest(std::size_t batches) {
  if (batches == 0 || batches > synced_) return false;
  synced_ -= batches;
  wal_.resize(synced_);
  return true;
}

bool MemoryDisk::damage(std::size_t batches_back) {
  if (batches_back >= synced_) return false;
  wal_[synced_ - 1 - batches_back].readable = false;
  return true;
}

bool MemoryDisk::alter_entry(base::Index index) {
  const std::string key = entry_key(index);
  const auto flip = [](std::string& value) { value[value.size() / 2] ^= 1; };
  for (auto batch = wal_.rbegin(); batch != wal_.rend(); ++batch) {
    for (auto change = batch->changes.rbegin(); change != batch->changes.rend(); ++change) {
      if (!change->value && change->key <= key && key < change->end) return false;
      if (!change->value || change->key != key) continue;
      flip(*change->value);
      return true;
    }
  }
  const auto row = rows_.find(key);
  if (row == rows_.end()) return false;
  flip(row->second);
  return true;
}

void MemoryDisk::wipe() {
  rows_.clear();
  wal_.clear();
  synced_ = 0;
  slots_.clear();
}

// ---- MemoryLog ----

base::Result<std::unique_ptr<MemoryLog>> MemoryLog::open(std::shared_ptr<MemoryDisk> disk,
                                                         std::uint64_t nonce) {
  const base::Opening opening{++disk->epoch_, nonce};
  auto log = std::unique_ptr<MemoryLog>(new MemoryLog(std::move(disk), opening));
  log->recover();
  return log;
}

/// What RocksDB and the guard do together: replay up to the first unreadable batch, judge, keep
/// what is whole.
void MemoryLog::recover() {
  MemoryDisk& disk = *disk_;
  if (!disk.initialised_) {
    disk.rows_ = {{std::string(kHardStateKey), encode_row(raft::HardState())},
                  {std::string(kMarkerKey), encode_row(Marker())},
                  {std::string(kOrdinalKey), encode_row(base::Ordinal())}};
    disk.slots_ = {Slot()};
    disk.initialised_ = true;
  }
  Evidence evidence;
  if (!disk.slots_.empty()) evidence.slot = disk.slots_.back();
  evidence.log_opened = !disk.rows_.empty();
  if (!evidence.log_opened) evidence.log_error = "it is gone";
  for (const MemoryDisk::Batch& batch : disk.wal_) {
    if (!batch.readable) continue;
    if (!evidence.claim || evidence.claim->ordinal < batch.claim.ordinal) {
      evidence.claim = batch.claim;
    }
  }
  const auto unreadable = std::find_if(disk.wal_.begin(), disk.wal_.end(),
                                       [](const auto& batch) { return !batch.readable; });
  disk.wal_.erase(unreadable, disk.wal_.end());
  disk.synced_ = disk.wal_.size();

  MemoryDisk::Rows rows = disk.rows_;
  for (const MemoryDisk::Batch& batch : disk.wal_) MemoryDisk::apply(batch, rows);
  adopt(rows, evidence);
}

namespace {

LogRows reader_of(const std::map<std::string, std::string, std::less<>>& rows) {
  LogRows reader;
  reader.get = [&rows](std::string_view key) -> base::Result<std::optional<std::string>> {
    const auto row = rows.find(key);
    if (row == rows.end()) return std::optional<std::string>();
    return std::optional(row->second);
  };
  reader.scan = [&rows](std::string_view begin, const auto& visit) {
    for (auto row = rows.lower_bound(begin); row != rows.end(); ++row) {
      if (!visit(row->first, row->second)) break;
    }
    return Status::ok();
  };
  return reader;
}

}  // namespace

void MemoryLog::adopt(MemoryDisk::Rows& rows, const Evidence& evidence) {
  MemoryDisk& disk = *disk_;
  const WholeLog whole = read_whole_log(reader_of(rows));
  if (!disk.quarantine_) disk.quarantine_ = find_loss(whole, evidence);
  hard_state_ =
      evidence.slot ? merge(evidence.slot->hard_state, whole.hard_state) : whole.hard_state;
  if (!evidence.log_opened || whole.damage) {
    rows.erase(rows.lower_bound(entry_key(whole.recovered.last.next())), rows.end());
    rows[std::string(kHardStateKey)] = encode_row(hard_state_);
    rows[std::string(kMarkerKey)] = encode_row(whole.marker);
    rows[std::string(kOrdinalKey)] = encode_row(whole.recovered.ordinal);
    disk.rows_ = rows;
    disk.wal_.clear();
    disk.synced_ = 0;
  }
  contents_ = contents_of(whole, hard_state_, disk.quarantine_);
  tail_ = LogTail(whole.marker, whole.metas);
  for (base::Index index = tail_.first(); index <= tail_.last(); index = index.next()) {
    entries_.push_back(decode_entry(index, rows.at(entry_key(index)))->entry);
  }
  written_ = durable_ = whole.recovered;
  write_slot();
  disk.slots_ = {disk.slots_.back()};
}

void MemoryLog::write_slot() {
  std::vector<Slot>& slots = disk_->slots_;
  const std::uint64_t sequence = slots.empty() ? 1 : slots.back().sequence + 1;
  if (slots.size() >= kMaxCachedSlots) slots.erase(slots.begin() + 1);
  slots.push_back({sequence, durable_, hard_state_});
}

Status MemoryLog::append(std::span<const raft::PersistRequest> requests) {
  if (Status status = write(requests); !status.is_ok()) return status;
  return sync();
}

Status MemoryLog::write(std::span<const raft::PersistRequest> requests) {
  if (disk_->epoch_ != opening_.epoch) return opened_elsewhere(opening_.epoch, disk_->epoch_);
  auto plan = plan_append(requests, tail_, written_.ordinal, hard_state_.term);
  if (!plan) return plan.status();
  disk_->wal_.push_back({durable_, plan->changes(tail_.last()), true});
  if (plan->restart) entries_.clear();
  if (plan->truncate_from) {
    while (!entries_.empty() && entries_.back()->index >= *plan->truncate_from) entries_.pop_back();
  }
  entries_.insert(entries_.end(), plan->entries.begin(), plan->entries.end());
  plan->apply(tail_);
  ends_quarantine_ |= plan->end_quarantine;
  if (plan->hard_state) {
    hard_state_ = *plan->hard_state;
    hard_state_written_ = true;
  }
  written_ = plan->after;
  return Status::ok();
}

Status MemoryLog::sync() {
  disk_->synced_ = disk_->wal_.size();
  ++syncs_;
  durable_ = written_;
  write_slot();
  if (std::exchange(hard_state_written_, false)) disk_->slots_ = {disk_->slots_.back()};
  if (std::exchange(ends_quarantine_, false)) disk_->quarantine_.reset();
  disk_->fold();
  return Status::ok();
}

void MemoryLog::put_synced(std::vector<RowChange> changes) {
  disk_->wal_.push_back({durable_, std::move(changes), true});
  disk_->synced_ = disk_->wal_.size();
  ++syncs_;
  disk_->fold();
}

base::Result<std::vector<raft::EntryPtr>> MemoryLog::load(base::Index from, base::Index to,
                                                          std::size_t limit_bytes) {
  CHECK(from <= to);
  if (from < tail_.first() || to > tail_.last()) return not_in_log(from, to, tail_);
  std::vector<raft::EntryPtr> loaded;
  std::size_t bytes = 0;
  for (base::Index index = from; index <= to; index = index.next()) {
    const raft::EntryPtr& entry = entries_[index - tail_.first()];
    if (!loaded.empty() && bytes + entry->size_bytes() > limit_bytes) break;
    bytes += entry->size_bytes();
    loaded.push_back(entry);
  }
  return loaded;
}

Status MemoryLog::cut(base::Index through, base::Term term, base::ChainHash hash) {
  CHECK(through < tail_.last(), "the last entry stays");
  if (through < tail_.first()) return Status::ok();
  CHECK(tail_.term_at(through) == term, "the marker is the entry at which the log is cut");
  const Marker marker{through, term, hash};
  put_synced({{std::string(kMarkerKey), encode_row(marker), {}},
              {entry_key(tail_.first()), std::nullopt, entry_key(through.next())}});
  entries_.erase(entries_.begin(),
                 entries_.begin() + static_cast<std::ptrdiff_t>(through.next() - tail_.first()));
  tail_.cut(marker);
  return Status::ok();
}

Status MemoryLog::sync_watermark() {
  disk_->slots_ = {disk_->slots_.back()};
  return Status::ok();
}

Status MemoryLog::quarantine(const std::string& reason) {
  if (!disk_->quarantine_) disk_->quarantine_ = reason;
  return Status::ok();
}

Status MemoryLog::restart_after(base::Index index, base::Term term, base::ChainHash hash) {
  CHECK(written_.ordinal.epoch < opening_.epoch, "only before anything else runs");
  const Marker marker{index, term, hash};
  // An ordinal of its own, so that what was claimed of the old log says nothing of the new one.
  const base::Ordinal ordinal{opening_.epoch, 0};
  put_synced({{entry_key(base::Index()), std::nullopt, entry_key(base::Index(~std::uint64_t{0}))},
              {std::string(kMarkerKey), encode_row(marker), {}},
              {std::string(kOrdinalKey), encode_row(ordinal), {}}});
  entries_.clear();
  tail_ = LogTail(marker, {});
  written_ = durable_ = Claim{ordinal, index, term};
  restart(contents_, ordinal, marker);
  write_slot();
  return sync_watermark();
}

}  // namespace storage
