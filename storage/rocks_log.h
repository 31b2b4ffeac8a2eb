// The Raft log on RocksDB, with the durability guard around it (DESIGN section 5.3; options, traps
// and measurements: reference wal.md). Which thread may call what is said in log_store.h.
//
// Files of MEMBER/: log/ (RocksDB), watermark, evidence/, QUARANTINE, EPOCH (read, for the fence).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>

#include "storage/append_plan.h"
#include "storage/evidence.h"
#include "storage/faults.h"
#include "storage/identity.h"
#include "storage/log_guard.h"
#include "storage/log_store.h"
#include "storage/log_tail.h"
#include "storage/watermark.h"

namespace storage {

struct RocksLogOptions {
  std::string member_directory;
  Identity identity;
  base::Opening opening;           // EPOCH says so already
  bool initialised = true;         // false: the directory is being made; log and watermark too
  VolumeFaults* faults = nullptr;  // outlives the log; null: none
};

/// Drops the entries below the log's first index when RocksDB rewrites files for its own reasons.
class CutEntries final : public rocksdb::CompactionFilter {
 public:
  /// Any thread. Requires: the marker that says so is durable.
  void set_first(base::Index first) { first_ = first.value; }
  bool Filter(int level, const rocksdb::Slice& key, const rocksdb::Slice& value,
              std::string* new_value, bool* value_changed) const override;
  const char* Name() const override { return "holdfast.CutEntries"; }

 private:
  std::atomic<std::uint64_t> first_{0};
};

/// Invariants:
/// - the watermark and the claims state only what was synced before;
/// - a loss is written down in QUARANTINE before anything else is changed, and nothing that proves
/// it is
///   removed;
/// - after the first error nothing is written any more.
class RocksLog final : public LogStore {
 public:
  /// Runs the guard and opens the log with what is whole. Errors: kIo, kDiskFull; kCorrupt: a
  /// directory without IDENTITY holds a log; kRolledBack: EPOCH is behind the log.
  static base::Result<std::unique_ptr<RocksLog>> open(const RocksLogOptions& options);
  ~RocksLog() override;

  const LogContents& contents() const override { return contents_; }
  base::Opening opening() const override { return options_.opening; }
  Identity identity() const override { return options_.identity; }
  base::Status append(std::span<const raft::PersistRequest> requests) override;
  base::Result<std::vector<raft::EntryPtr>> load(base::Index from, base::Index to,
                                                 std::size_t limit_bytes) override;
  base::Status cut(base::Index through, base::Term term, base::ChainHash hash) override;
  base::Status sync_watermark() override;
  base::Status quarantine(const std::string& reason) override;
  base::Status restart_after(base::Index index, base::Term term, base::ChainHash hash) override;
  std::uint64_t syncs() const override { return syncs_.load(); }
  std::uint64_t size_bytes() const override { return size_bytes_.load(); }

 private:
  explicit RocksLog(const RocksLogOptions& options);

  // Opening, in rocks_log_open.cc.
  base::Status recover();
  base::Status create();
  base::Status open_guarded();
  base::Result<Evidence> gather_evidence();
  base::Status refuse_rollback(const WholeLog& whole, const Evidence& evidence) const;
  base::Status set_aside(const std::string& loss);
  base::Status replace_log(const WholeLog& whole);
  base::Status start(const WholeLog& whole, const std::optional<Slot>& slot);
  std::string log_directory() const { return options_.member_directory + "/log"; }
  std::string watermark_path() const { return options_.member_directory + "/watermark"; }

  base::Status append_once(std::span<const raft::PersistRequest> requests);
  base::Status write_synced(const std::vector<RowChange>& changes, std::string_view what);
  base::Status remove_below(base::Index first);

  const RocksLogOptions options_;
  std::unique_ptr<rocksdb::Env> env_;  // outlives db_
  CutEntries cut_entries_;             // outlives db_
  std::unique_ptr<rocksdb::DB> db_;
  std::unique_ptr<Watermark> watermark_;
  EvidenceFolder evidence_;
  LogContents contents_;

  // Log thread.
  EpochFence fence_;
  raft::HardState hard_state_;
  base::Status failure_;  // the first error; final

  // Disk thread.
  bool evidence_is_open_ = false;  // this opening's evidence is neither discarded nor kept for good

  std::mutex mutex_;  // never held across a write or a sync
  LogTail tail_;      // guarded by mutex_; truncated before, extended after its rows are durable
  Claim durable_;     // guarded by mutex_

  std::atomic<bool> quarantined_{false};  // at some time of this opening: its evidence stays
  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<std::uint64_t> size_bytes_{0};
};

/// Options of the log's RocksDB (wal.md section 1). `cut_entries` may be null.
rocksdb::Options log_options(rocksdb::Env* env, const CutEntries* cut_entries);
/// The rows of an open log, for the guard.
LogRows rows_of(rocksdb::DB& db);

}  // namespace storage
