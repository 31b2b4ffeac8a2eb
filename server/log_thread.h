// The log thread: Raft log writes and their group sync, nothing else (DESIGN section 4).
#pragma once

#include "raft/core.h"
#include "server/events.h"
#include "server/metrics.h"
#include "server/process_faults.h"
#include "server/stamps.h"
#include "server/work_queue.h"
#include "storage/log_store.h"

namespace server {

/// Invariants:
/// - requests are written in the order in which they were queued, each once;
/// - everything that is queued when a write starts shares its sync;
/// - after an error nothing more is written: the loop is told first, then the node ends.
class LogThread {
 public:
  LogThread(storage::LogStore& log, PostToLoop post, Fatal fatal, Stamp& stamp,
            DurationHistogram& append_duration, ProcessFaults& faults);

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
  DurationHistogram& append_duration_;
  ProcessFaults& faults_;
  WorkQueue<raft::PersistRequest> queue_;
};

}  // namespace server
