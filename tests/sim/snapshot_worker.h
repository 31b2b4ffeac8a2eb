// The disk thread's part in snapshots, for one process: the server's own transfers, each step after
// a while. Simulator thread.
#pragma once

#include <functional>
#include <memory>

#include "base/random.h"
#include "server/ports.h"
#include "server/snapshot_transfers.h"
#include "tests/sim/apply_worker.h"
#include "tests/sim/event_queue.h"

namespace sim {

/// To the replica, each in a turn of its own.
struct SnapshotCompletions {
  std::function<void(raft::SnapshotRead)> read;
  std::function<void(std::uint64_t id, bool ok)> stored;
};

/// One process's. Invariant: requests are served in their order.
class SnapshotWorker : public server::SnapshotPort {
 public:
  /// Small chunks, so that a transfer has many steps.
  static constexpr std::size_t kChunkBytes = 2000;

  SnapshotWorker(EventQueue& queue, base::Random& random, ApplyWorker& apply,
                 SnapshotCompletions completions);
  ~SnapshotWorker() override { *alive_ = false; }

  void read(raft::SnapshotReadRequest request) override;
  void drop(base::MemberId peer) override;
  void store(raft::SnapshotStoreRequest request) override;
  void install(raft::SnapshotMeta snapshot) override;

 private:
  /// Runs `work` after what was asked for before, if this process still lives.
  void later(std::function<void()> work);

  EventQueue& queue_;
  base::Random& random_;
  ApplyWorker& apply_;
  const SnapshotCompletions completions_;
  server::SnapshotTransfers transfers_;
  Time free_at_ = 0;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace sim
