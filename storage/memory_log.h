// The memory twin of RocksLog for the simulator: a disk that outlives the process and may lie, and
// a log on it. Same rows, same planning, same guard as the real one; only the files are missing.
//
// An append is split in time where a crash may come between: write(), then sync(). One thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/append_plan.h"
#include "storage/log_guard.h"
#include "storage/log_rows.h"
#include "storage/log_store.h"
#include "storage/log_tail.h"

namespace storage {

/// What of one member's log is on its disk and in its operating system's cache.
/// Invariants:
/// - the first `synced_` batches of wal_ are durable, the rest are in the cache only;
/// - slots_.front() is durable, the rest are in the cache only.
class MemoryDisk {
 public:
  explicit MemoryDisk(Identity identity) : identity_(identity) {}

  // Crashes. The log that was open on this disk must not be used any more; open a new one.

  /// The process dies, the machine goes on: what was written stays, except that the newest batch
  /// may be torn if it was never synced.
  void kill(base::Random& random);
  /// The machine loses power: of what was not synced any part may be there, also out of order. No
  /// synced batch is lost.
  void power_cut(base::Random& random);

  // Faults on synced data, to be injected after a crash. The next opening must tell, or the comment
  // says why it cannot. Each returns false, changing nothing, if there is no such data.

  /// The newest synced batches vanish without a trace, as with a file cut short. At most kKept.
  /// Found by the watermark; after a power_cut the watermark may be too old to tell.
  bool lose_newest(std::size_t batches);
  /// One synced batch, counted from the newest (0), becomes unreadable, and so all after it, though
  /// what they claim can still be read.
  bool damage(std::size_t batches_back);
  /// One bit of the stored entry flips.
  bool alter_entry(base::Index index);
  void lose_watermark() { slots_.clear(); }
  /// The whole directory is gone but for its identity and epoch.
  void wipe();

  const Identity& identity() const { return identity_; }
  std::uint64_t epoch() const { return epoch_; }
  const std::optional<std::string>& quarantine() const { return quarantine_; }
  /// Batches that were written and not synced.
  std::size_t unsynced() const { return wal_.size() - synced_; }

  /// Synced batches that are kept apart, so that faults can reach them; older ones are folded
  /// together.
  static constexpr std::size_t kKept = 32;

 private:
  friend class MemoryLog;
  struct Batch {
    Claim claim;
    std::vector<RowChange> changes;
    bool readable = true;
  };
  using Rows = std::map<std::string, std::string, std::less<>>;

  static void apply(const Batch& batch, Rows& rows);
  void fold();

  const Identity identity_;
  std::uint64_t epoch_ = 0;
  bool initialised_ = false;
  std::optional<std::string> quarantine_;
  Rows rows_;               // what the batches before wal_ left
  std::deque<Batch> wal_;   // oldest first
  std::size_t synced_ = 0;  // of wal_
  std::vector<Slot> slots_;
};

class MemoryLog final : public LogStore {
 public:
  /// Opens the log on `disk` in a new epoch with this nonce, as DataDirectory::open does for the
  /// real one: runs the guard, and writes a quarantine down first.
  static base::Result<std::unique_ptr<MemoryLog>> open(std::shared_ptr<MemoryDisk> disk,
                                                       std::uint64_t nonce);

  const LogContents& contents() const override { return contents_; }
  base::Opening opening() const override { return opening_; }
  Identity identity() const override { return disk_->identity(); }
  /// write() and sync() in one.
  base::Status append(std::span<const raft::PersistRequest> requests) override;
  base::Result<std::vector<raft::EntryPtr>> load(base::Index from, base::Index to,
                                                 std::size_t limit_bytes) override;
  base::Status cut(base::Index through, base::Term term, base::ChainHash hash) override;
  base::Status sync_watermark() override;
  base::Status quarantine(const std::string& reason) override;
  base::Status restart_after(base::Index index, base::Term term, base::ChainHash hash) override;
  std::uint64_t syncs() const override { return syncs_; }
  std::uint64_t size_bytes() const override { return tail_.size_bytes(); }

  /// The first half of append(): one batch into the operating system's cache. Several may be
  /// written before a sync. Errors: the fence's.
  base::Status write(std::span<const raft::PersistRequest> requests);
  /// The second half: everything written so far is durable when it returns.
  base::Status sync();

 private:
  MemoryLog(std::shared_ptr<MemoryDisk> disk, base::Opening opening)
      : disk_(std::move(disk)), opening_(opening) {}

  void recover();
  void adopt(MemoryDisk::Rows& rows, const Evidence& evidence);
  void put_synced(std::vector<RowChange> changes);
  void write_slot();

  const std::shared_ptr<MemoryDisk> disk_;
  const base::Opening opening_;
  LogContents contents_;
  raft::HardState hard_state_;          // as of the last write
  bool hard_state_written_ = false;     // since the last sync
  bool ends_quarantine_ = false;        // likewise
  LogTail tail_;                        // as of the last write
  std::deque<raft::EntryPtr> entries_;  // tail_.first() .. tail_.last()
  Claim written_;                       // what is durable once everything is synced
  Claim durable_;
  std::uint64_t syncs_ = 0;
};

}  // namespace storage
