#include "tests/sim/snapshot_worker.h"

#include <algorithm>
#include <utility>

namespace sim {
namespace {

constexpr Range kWork{50, 3 * kMillisecond};

}  // namespace

SnapshotWorker::SnapshotWorker(EventQueue& queue, base::Random& random, ApplyWorker& apply,
                               SnapshotCompletions completions)
    : queue_(queue),
      random_(random),
      apply_(apply),
      completions_(std::move(completions)),
      transfers_([this] { return apply_.machine().begin_install(); }, kChunkBytes) {}

void SnapshotWorker::later(std::function<void()> work) {
  free_at_ = std::max(free_at_, queue_.now()) + kWork.draw(random_);
  queue_.at(free_at_, [alive = alive_, work = std::move(work)] {
    if (*alive) work();
  });
}

void SnapshotWorker::read(raft::SnapshotReadRequest request) {
  if (request.index) {
    later([this, request] { completions_.read(transfers_.read(request)); });
    return;
  }
  apply_.freeze([this, peer = request.peer](kv::StateSnapshot frozen) {
    // std::function wants to be copied; a frozen state does not.
    auto held = std::make_shared<kv::StateSnapshot>(std::move(frozen));
    later([this, peer, held] { completions_.read(transfers_.open(peer, std::move(*held))); });
  });
}

void SnapshotWorker::drop(base::MemberId peer) {
  later([this, peer] { transfers_.drop(peer); });
}

void SnapshotWorker::store(raft::SnapshotStoreRequest request) {
  later([this, request] { completions_.stored(request.id, transfers_.store(request)); });
}

void SnapshotWorker::install(raft::SnapshotMeta snapshot) {
  later([this, snapshot] { apply_.install(transfers_.take(), snapshot); });
}

}  // namespace sim
