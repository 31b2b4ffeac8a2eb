// The snapshots that a member sends and the one that it receives, as files and frozen states. The
// disk thread's; the simulator runs the same.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "base/ids.h"
#include "base/status.h"
#include "kv/engine.h"
#include "kv/state_machine.h"
#include "raft/core.h"
#include "storage/snapshot.h"

namespace server {

/// Invariants:
/// - at most one frozen state a peer, until it is dropped or another is opened for it;
/// - at most one snapshot is being received; what came before is thrown away when another begins.
class SnapshotTransfers {
 public:
  /// An empty store beside the state; any thread.
  using Begin = std::function<base::Result<std::unique_ptr<kv::IncomingEngine>>()>;
  explicit SnapshotTransfers(Begin begin, std::size_t chunk_bytes = storage::kChunkBytes)
      : begin_(std::move(begin)), chunk_bytes_(chunk_bytes) {}

  /// The first chunk of a state that was frozen for `peer`. Without data if it cannot be read;
  /// failure() says why.
  raft::SnapshotRead open(base::MemberId peer, kv::StateSnapshot snapshot);
  raft::SnapshotRead read(const raft::SnapshotReadRequest& request);
  void drop(base::MemberId peer) { readers_.erase(peer); }

  /// False: it cannot be stored, and what came so far is gone; failure() says why.
  bool store(const raft::SnapshotStoreRequest& request);
  /// The store that the last chunk completed; once. Null: there is none.
  std::unique_ptr<kv::IncomingEngine> take() { return std::move(complete_); }

  /// Of the last call that failed.
  const base::Status& failure() const { return failure_; }

 private:
  base::Status try_store(const raft::SnapshotStoreRequest& request);

  const Begin begin_;
  const std::size_t chunk_bytes_;
  std::map<base::MemberId, storage::SnapshotReader> readers_;
  std::optional<storage::SnapshotWriter> writer_;
  std::unique_ptr<kv::IncomingEngine> complete_;
  base::Status failure_;
};

}  // namespace server
