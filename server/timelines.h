// When this member's log was where: for each mark (appended, durable, committed, applied, and what
// each peer had acknowledged) the indexes that it reached, with the time. A request that was slow
// or failed finds in it where its entry waited. Written by the loop, once a turn; read by the door.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "raft/core.h"

namespace server {

/// Invariant: indexes and times of a mark grow; of each at most kKept steps are known, which are
/// some seconds under full load.
class Timelines {
 public:
  static constexpr std::size_t kKept = 8192;
  using Matches = std::vector<std::pair<base::MemberId, base::Index>>;

  /// `matches`: a leader's, of each peer; else empty. Times are of the boot-time clock. Loop
  /// thread.
  void note(std::uint64_t now_us, const raft::CoreSummary& core, const Matches& matches);

  /// When each mark reached the index; nothing where it has not, or where that is forgotten.
  struct Reached {
    std::optional<std::uint64_t> appended_us, durable_us, committed_us, applied_us;
    std::vector<std::pair<base::MemberId, std::uint64_t>> acknowledged_us;
  };
  /// Any thread.
  Reached reached(base::Index index) const;

 private:
  class Mark {
   public:
    void note(std::uint64_t now_us, base::Index index);
    std::optional<std::uint64_t> reached_us(base::Index index) const;

   private:
    std::deque<std::pair<base::Index, std::uint64_t>> steps_;
    base::Index forgotten_;  // up to here
  };

  mutable std::mutex mutex_;
  Mark appended_, durable_, committed_, applied_;
  std::map<base::MemberId, Mark> acknowledged_;
};

}  // namespace server
