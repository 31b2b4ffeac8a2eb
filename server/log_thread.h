// The log thread: Raft log writes and their group sync, nothing else (DESIGN section 4).
#pragma once

#include <atomic>

#include "raft/core.h"
#include "server/events.h"
#include "server/metrics.h"
#include "server/process_faults.h"
#include "server/stamps.h"
#include "server/work_queue.h"
#include "storage/log_store.h"

namespace server {

/// How long the log's writes take, for metrics as they are, and for the observers as if each had
/// written no more than kPieceBytes: who catches up writes megabytes at a time, and its disk is no
/// slower for it. Written by the log thread, read by any.
struct AppendTimes {
  static constexpr std::size_t kPieceBytes = 256 << 10;
  DurationHistogram whole;
  DurationHistogram piece;
  std::atomic<std::uint32_t> pieces_now{1};  // of the write under way
};

/// Invariants:
/// - requests are written in the order in which they were queued, each once;
/// - everything that is queued when a write starts shares its sync;
/// - after an error nothing more is written: the loop is told first, then the node ends.
class LogThread {
 public:
  LogThread(storage::LogStore& log, PostToLoop post, Fatal fatal, Stamp& stamp, AppendTimes& times,
            ProcessFaults& faults);

  /// Any thread; never waits for the disk.
  void append(raft::PersistRequest request) { queue_.push(std::move(request)); }
  /// The thread's life: returns after stop() and once the queue is drained, or after an error.
  void run();
  /// Any thread.
  void stop() { queue_.stop(); }

 private:
  base::Status append_all(const std::vector<raft::PersistRequest>& requests);

  storage::LogStore& log_;
  const PostToLoop post_;
  const Fatal fatal_;
  Stamp& stamp_;
  AppendTimes& times_;
  ProcessFaults& faults_;
  WorkQueue<raft::PersistRequest> queue_;
};

}  // namespace server
