// RocksLog: opening, with the guard around it. Before anything else runs.
//
// The order is the point: evidence is linked before RocksDB opens, since a successful opening
// deletes it; a loss is written down before the log is changed; the watermark is written last.
#include "storage/rocks_log.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "storage/fault_file_system.h"
#include "storage/files.h"
#include "storage/rocks_status.h"

namespace storage {
namespace {

using base::Code;
using base::Status;

constexpr std::size_t kRebuildBatchBytes = 1 << 20;

rocksdb::Status open_database(const std::string& path, rocksdb::Env* env,
                              const CutEntries* cut_entries, bool create,
                              std::unique_ptr<rocksdb::DB>* database) {
  rocksdb::Options options = log_options(env, cut_entries);
  options.create_if_missing = create;
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(options, path, &opened);
  database->reset(opened);
  return status;
}

/// Writes a log that holds what is whole into an empty database; the entries are copied from
/// `source`.
rocksdb::Status copy_whole(const WholeLog& whole, const raft::HardState& hard_state,
                           rocksdb::DB* source, rocksdb::DB& target) {
  rocksdb::WriteOptions synced;
  synced.sync = true;
  rocksdb::WriteBatch batch;
  batch.Put(rocksdb::Slice(kHardStateKey), encode_row(hard_state));
  batch.Put(rocksdb::Slice(kMarkerKey), encode_row(whole.marker));
  batch.Put(rocksdb::Slice(kOrdinalKey), encode_row(whole.recovered.ordinal));
  if (source != nullptr) {
    const std::unique_ptr<rocksdb::Iterator> row(source->NewIterator(rocksdb::ReadOptions()));
    row->Seek(entry_key(whole.marker.index.next()));
    // By count: a step behind the last whole row may meet the damage.
    for (std::size_t left = whole.metas.size(); left > 0; --left) {
      if (!row->Valid()) return rocksdb::Status::Corruption("a row that was whole is gone");
      batch.Put(row->key(), row->value());
      if (batch.GetDataSize() >= kRebuildBatchBytes) {
        if (auto status = target.Write(synced, &batch); !status.ok()) return status;
        batch.Clear();
      }
      if (left > 1) row->Next();
    }
  }
  return target.Write(synced, &batch);
}

}  // namespace

rocksdb::Options log_options(rocksdb::Env* env, const CutEntries* cut_entries) {
  rocksdb::Options options;
  options.env = env;
  options.write_buffer_size = 8 << 20;
  options.max_write_buffer_number = 4;
  options.allow_concurrent_memtable_write = false;
  options.compression = rocksdb::kNoCompression;
  options.compaction_filter = cut_entries;
  options.target_file_size_base = 8 << 20;  // what a cut frees at once
  options.track_and_verify_wals_in_manifest = true;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // After an error recovery decides, in a new process; nothing resumes by itself.
  options.max_bgerror_resume_count = 0;
  options.max_open_files = 256;
  options.stats_dump_period_sec = 0;
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::WARN_LEVEL;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(4 << 20, 1);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

LogRows rows_of(rocksdb::DB& db) {
  LogRows rows;
  rows.get = [&db](std::string_view key) -> base::Result<std::optional<std::string>> {
    std::string value;
    const rocksdb::Status status = db.Get(rocksdb::ReadOptions(), rocksdb::Slice(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) return to_status(status, "read the log");
    return std::optional(std::move(value));
  };
  rows.scan = [&db](std::string_view begin, const auto& visit) {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> row(db.NewIterator(options));
    for (row->Seek(rocksdb::Slice(begin)); row->Valid(); row->Next()) {
      if (!visit(row->key().ToStringView(), row->value().ToStringView())) return Status::ok();
    }
    return to_status(row->status(), "read the log");
  };
  return rows;
}

base::Result<std::unique_ptr<RocksLog>> RocksLog::open(const RocksLogOptions& options) {
  std::unique_ptr<RocksLog> log(new RocksLog(options));
  if (Status status = log->recover(); !status.is_ok()) return status;
  return log;
}

Status RocksLog::recover() {
  const auto system = rocksdb::Env::Default()->GetFileSystem();
  env_ = rocksdb::NewCompositeEnv(
      options_.faults == nullptr ? system : make_fault_file_system(system, options_.faults));
  return options_.initialised ? open_guarded() : create();
}

/// The directory is being made. What an earlier attempt left is used, if nothing was ever appended.
Status RocksLog::create() {
  const rocksdb::Status status =
      open_database(log_directory(), env_.get(), &cut_entries_, true, &db_);
  if (!status.ok()) return to_status(status, "create the log " + log_directory());
  const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(rocksdb::ReadOptions()));
  row->SeekToFirst();
  if (!row->Valid() && row->status().ok()) {
    const rocksdb::Status written = copy_whole(WholeLog(), raft::HardState(), nullptr, *db_);
    if (!written.ok()) return to_status(written, "write to the log");
  }
  const WholeLog whole = read_whole_log(rows_of(*db_));
  auto slot = Watermark::read(watermark_path());
  if (!slot) return slot.status();
  const bool unused = slot.value().value_or(Slot()).claim == Claim() && whole.recovered == Claim();
  if (whole.damage || !unused) {
    return {Code::kCorrupt,
            options_.member_directory +
                " holds a log, but its file IDENTITY is missing: restore it, or give "
                "this member an empty directory"};
  }
  return start(whole, slot.value());
}

Status RocksLog::open_guarded() {
  auto reason = read_quarantine(options_.member_directory);
  if (!reason) return reason.status();
  contents_.quarantine = reason.value();
  quarantined_ = contents_.quarantine.has_value();
  auto evidence = gather_evidence();
  if (!evidence) return evidence.status();

  WholeLog whole;
  const rocksdb::Status opened =
      open_database(log_directory(), env_.get(), &cut_entries_, false, &db_);
  if (!opened.ok() && !is_damage(opened)) return to_status(opened, "open " + log_directory());
  evidence->log_opened = opened.ok();
  evidence->log_error = opened.ToString();
  if (opened.ok()) whole = read_whole_log(rows_of(*db_));
  if (Status status = refuse_rollback(whole, evidence.value()); !status.is_ok()) return status;

  const auto loss = find_loss(whole, evidence.value());
  if (loss && !quarantined_) {
    if (Status status = set_aside(*loss); !status.is_ok()) return status;
  }
  if (evidence->slot) whole.hard_state = merge(evidence->slot->hard_state, whole.hard_state);
  if (!evidence->log_opened || whole.damage) {
    if (Status status = replace_log(whole); !status.is_ok()) return status;
  }
  return start(whole, evidence->slot);
}

base::Result<Evidence> RocksLog::gather_evidence() {
  Evidence evidence;
  auto slot = Watermark::read(watermark_path());
  if (!slot) return slot.status();
  evidence.slot = slot.value();
  // In quarantine the first loss is what counts, and its evidence is kept already.
  if (quarantined_) return evidence;
  if (Status status = evidence_.collect(log_directory()); !status.is_ok()) return status;
  evidence_is_open_ = true;
  auto claim = evidence_.highest_claim();
  if (!claim) return claim.status();
  evidence.claim = claim.value();
  return evidence;
}

/// An epoch that is not above all that were ever seen would let ordinals fall.
Status RocksLog::refuse_rollback(const WholeLog& whole, const Evidence& evidence) const {
  std::uint64_t seen = whole.recovered.ordinal.epoch;
  if (evidence.slot) seen = std::max(seen, evidence.slot->claim.ordinal.epoch);
  if (evidence.claim) seen = std::max(seen, evidence.claim->ordinal.epoch);
  if (seen < options_.opening.epoch) return Status::ok();
  return {Code::kRolledBack, options_.member_directory + ": EPOCH says that this is opening " +
                                 std::to_string(options_.opening.epoch) +
                                 ", but the log was written in opening " + std::to_string(seen) +
                                 ": EPOCH was put back to an older state"};
}

Status RocksLog::set_aside(const std::string& loss) {
  if (Status status = quarantine(loss); !status.is_ok()) return status;
  contents_.quarantine = loss;
  return evidence_.keep_copy(watermark_path());
}

/// Moves the damaged log into the evidence and puts one in its place that holds what is whole.
Status RocksLog::replace_log(const WholeLog& whole) {
  const std::string rebuilt = log_directory() + ".rebuilt";
  if (Status status = remove_directory(rebuilt); !status.is_ok()) return status;
  std::unique_ptr<rocksdb::DB> target;
  rocksdb::Status status = open_database(rebuilt, env_.get(), nullptr, true, &target);
  if (status.ok()) status = copy_whole(whole, whole.hard_state, db_.get(), *target);
  if (!status.ok()) return to_status(status, "write a new log " + rebuilt);
  target.reset();
  db_.reset();
  if (Status kept = evidence_.keep_directory(log_directory()); !kept.is_ok()) return kept;
  std::error_code error;
  std::filesystem::rename(rebuilt, log_directory(), error);
  if (error) return file_error("rename", rebuilt, error.value());
  if (Status synced = sync_directory(options_.member_directory); !synced.is_ok()) return synced;
  status = open_database(log_directory(), env_.get(), &cut_entries_, false, &db_);
  return to_status(status, "open " + log_directory());
}

/// Everything that was found is durable: RocksDB flushes what it recovers.
Status RocksLog::start(const WholeLog& whole, const std::optional<Slot>& slot) {
  hard_state_ = whole.hard_state;
  tail_ = LogTail(whole.marker, whole.metas);
  size_bytes_ = tail_.size_bytes();
  durable_ = whole.recovered;
  cut_entries_.set_first(tail_.first());
  contents_ = contents_of(whole, hard_state_, contents_.quarantine);
  auto watermark = Watermark::open(
      watermark_path(), {slot ? slot->sequence : 0, durable_, hard_state_}, options_.faults);
  if (!watermark) return watermark.status();
  watermark_ = std::move(watermark).value();
  return sync_directory(options_.member_directory);
}

}  // namespace storage
