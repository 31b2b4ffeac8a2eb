#include "server/snapshot_transfers.h"

#include <utility>

namespace server {

using base::Code;
using base::Status;

raft::SnapshotRead SnapshotTransfers::open(base::MemberId peer, kv::StateSnapshot snapshot) {
  readers_.erase(peer);
  const base::Index index = snapshot.position.applied;
  readers_.emplace(peer, storage::SnapshotReader(std::move(snapshot), chunk_bytes_));
  return read({peer, index, 0});
}

raft::SnapshotRead SnapshotTransfers::read(const raft::SnapshotReadRequest& request) {
  raft::SnapshotRead read;
  read.peer = request.peer;
  read.chunk = request.chunk;
  const auto found = readers_.find(request.peer);
  if (found == readers_.end() || found->second.position().applied != request.index) {
    failure_ = Status(Code::kUnavailable, "the snapshot is not open any more");
    return read;
  }
  read.snapshot = storage::meta_of(found->second.position());
  auto chunk = found->second.read(request.chunk);
  if (!chunk.is_ok()) {
    failure_ = chunk.status();
    return read;
  }
  read.data = chunk->data;
  read.done = chunk->done;
  return read;
}

bool SnapshotTransfers::store(const raft::SnapshotStoreRequest& request) {
  failure_ = try_store(request);
  if (failure_.is_ok()) return true;
  writer_.reset();
  complete_.reset();
  return false;
}

Status SnapshotTransfers::try_store(const raft::SnapshotStoreRequest& request) {
  if (request.chunk == 0) {
    // First, since there is room for one store only.
    writer_.reset();
    complete_.reset();
    auto incoming = begin_();
    if (!incoming.is_ok()) return incoming.status();
    writer_.emplace(std::move(incoming).value());
  }
  if (!writer_) return {Code::kUnavailable, "what came before was thrown away"};
  if (Status status = writer_->add(*request.data); !status.is_ok()) return status;
  if (!request.done) return Status::ok();
  auto complete = writer_->finish(request.snapshot);
  if (!complete.is_ok()) return complete.status();
  complete_ = std::move(complete).value();
  writer_.reset();
  return Status::ok();
}

}  // namespace server
