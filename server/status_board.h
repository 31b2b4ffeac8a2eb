// What the loop shows of the replica to everyone else: a copy, replaced a few times a second and at
// each change of role, so that nobody has to ask the loop. Any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "net/peer/links.h"
#include "server/observer.h"
#include "server/replica.h"

namespace server {

struct NodeStatus {
  ReplicaStatus replica;
  ObserverReport observer;
  std::uint64_t unready_since_ms = 0;  // on the boot-time clock; 0: it is ready
  std::vector<std::pair<base::MemberId, net::peer::LinkCounters>> links;
};

/// Invariant: read() is never null.
class StatusBoard {
 public:
  explicit StatusBoard(NodeStatus initial = {})
      : current_(std::make_shared<const NodeStatus>(std::move(initial))) {}
  void publish(NodeStatus status) {
    auto next = std::make_shared<const NodeStatus>(std::move(status));
    std::lock_guard lock(mutex_);
    current_.swap(next);
  }
  std::shared_ptr<const NodeStatus> read() const {
    std::lock_guard lock(mutex_);
    return current_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const NodeStatus> current_;  // guarded
};

}  // namespace server
