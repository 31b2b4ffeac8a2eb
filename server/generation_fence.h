// Keeps members of different generations apart (DESIGN section 5.11): after a restore or a recovery
// from the loss of a quorum, what an older data directory says counts for nothing, and the other
// way round. Loop thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/ids.h"
#include "kv/state_machine.h"
#include "raft/core.h"
#include "raft/message.h"

namespace server {

/// A directory belongs to the generation of the newest entry that it holds, in state or log: the
/// state alone may be gone after a crash. An empty one belongs to none yet and hears everybody: it
/// holds nothing that another history could contradict.
class GenerationFence {
 public:
  GenerationFence(const kv::Position& position, const raft::Recovered& recovered) {
    observe(recovered.first.previous() + recovered.metas.size());
    observe(position.applied);
  }

  /// This entry is in the log or the state from now on; zero: nothing.
  void observe(base::Index index) {
    if (index) own_ = kv::generation_of(index);
  }
  void observe(const raft::PersistRequest& request) {
    if (request.restart) observe(request.restart->index);
    if (!request.entries.empty()) observe(request.entries.back()->index);
  }
  /// What every message says.
  std::optional<std::uint64_t> own() const { return own_; }
  /// Whether the message counts here.
  bool admits(const raft::Message& message) const {
    return !own_ || !message.generation || *message.generation == *own_;
  }
  /// Of a refused message: whether it is the first from this opening, so that it is worth a line.
  bool refused_first(const raft::Message& message) {
    return std::exchange(refused_[message.from], message.opening) != message.opening;
  }
  /// Why the message is refused, and what to do about it.
  std::string reason(const raft::Message& message) const;

 private:
  std::optional<std::uint64_t> own_;
  std::map<base::MemberId, base::Opening> refused_;  // the opening that was told of last
};

}  // namespace server
