// The log thread and the disk thread of one process, over a memory log: writes are merged into one
// sync, which takes a while, may hang, and may be lost in a crash. Simulator thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "server/observer.h"
#include "server/ports.h"
#include "storage/memory_log.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/options.h"

namespace sim {

/// To the replica, each in a turn of its own.
struct LogCompletions {
  std::function<void(base::Ordinal)> persisted;
  std::function<void(base::Status)> failed;
  std::function<void(base::MemberId, base::Index, std::vector<raft::EntryPtr>)> loaded;
  std::function<void(base::Index)> cut;
  /// To the checks: these are synced now, and the log is cut up to there.
  std::function<void(const std::vector<raft::PersistRequest>&)> synced;
  std::function<void(base::Index)> was_cut;
};

/// How the disk behaves; changed by faults, outlives the process.
struct DiskBehaviour {
  Range sync_delay;
  bool hangs = false;
  bool hangs_at_truncations = false;  // syncs that remove entries
  bool fails = false;                 // the next write does
  bool full = false;                  // every write does
};

/// One process's; destroyed with it, whatever was not synced is the disk's affair then.
class LogDisk : public server::LogPort {
 public:
  LogDisk(EventQueue& queue, base::Random& random, const DiskBehaviour& behaviour,
          std::unique_ptr<storage::MemoryLog> log, bool acknowledge_before_sync,
          LogCompletions completions);
  ~LogDisk() override;

  void append(raft::PersistRequest request) override;
  void load(raft::LoadRequest request) override;
  void cut(base::Index through, base::Term term, base::ChainHash hash) override;
  void quarantine(std::string reason) override;
  std::uint64_t size_bytes() const override { return log_->size_bytes(); }

  /// The fault was healed: what hung goes on.
  void wake();
  /// A sync waits for wake().
  bool hung() const { return hung_; }
  /// What the syncs have taken, as the observer wants it.
  server::SyncReading syncs() const;
  /// Nothing is asked for that is not done. For an orderly end.
  bool idle() const { return waiting_.empty() && in_sync_.empty(); }

 private:
  bool hangs_now() const;
  void start_sync();
  void finish_sync();
  void sync_watermark();
  void fail(base::Status status);
  /// Runs `work` after a while if this process still lives.
  void later(Time delay, std::function<void()> work);

  EventQueue& queue_;
  base::Random& random_;
  const DiskBehaviour& behaviour_;
  const std::unique_ptr<storage::MemoryLog> log_;
  const bool acknowledge_before_sync_;
  const LogCompletions completions_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::vector<raft::PersistRequest> waiting_;
  std::vector<raft::PersistRequest> in_sync_;
  bool hung_ = false;  // the sync of in_sync_ waits for wake()
  server::DurationHistogram durations_;
  Time sync_began_ = 0;  // of in_sync_
  bool failed_ = false;
};

}  // namespace sim
