// Reads at a time (DESIGN section 6, rule 8): they wait until an entry with a later stamp is
// applied, since only then nothing older can come. A leader to whom nothing is written proposes
// such an entry itself. Loop thread.
#include <algorithm>
#include <utility>
#include <vector>

#include "server/replica_impl.h"
#include "storage/codec.h"

namespace server {

using base::Code;
using base::HybridTime;

namespace {

/// Between two entries that say nothing but their stamp.
constexpr std::uint64_t kTickEveryMs = 50;
/// A leader whose clock does not get there says so.
constexpr std::uint64_t kPatienceMs = 3000;
/// By how much the clocks of who asks and of the leader may differ (DESIGN section 6, rule 8).
constexpr std::uint64_t kClocksDifferMs = 500;

}  // namespace

HybridTime newest_time(const kv::Transaction& transaction) {
  HybridTime newest;
  for (const auto* branch : {&transaction.then, &transaction.otherwise}) {
    for (const kv::Operation& operation : *branch) {
      const auto* range = std::get_if<kv::RangeOperation>(&operation);
      if (range != nullptr) newest = std::max(newest, range->time);
    }
  }
  return newest;
}

void Replica::Impl::wait_for_time(Request request, HybridTime time) {
  const auto core = core_.summary();
  if (core.role != raft::Role::kLeader) {
    const Code code = core.leader ? Code::kNotLeader : Code::kNoLeader;
    return fail(request, code, "", core.leader);
  }
  if (time.milliseconds() > wall_ms_ + kClocksDifferMs) {
    return fail(request, Code::kFutureRevision,
                "that time is " + std::to_string(time.milliseconds() - wall_ms_) +
                    " ms ahead of the leader's clock",
                self_);
  }
  waiting_times_.emplace(time, std::pair(request, steady_ms_));
}

/// With each tick.
void Replica::Impl::let_time_pass() {
  if (waiting_times_.empty()) return;
  const auto core = core_.summary();
  const bool leads = core.role == raft::Role::kLeader;
  std::vector<Request> over;
  for (const auto& [time, waiting] : waiting_times_) {
    if (!leads || steady_ms_ - waiting.second >= kPatienceMs) over.push_back(waiting.first);
  }
  std::erase_if(waiting_times_, [&](const auto& each) {
    return std::find(over.begin(), over.end(), each.second.first) != over.end();
  });
  for (const Request request : over) {
    if (leads) {
      fail(request, Code::kUnavailable, "no entry of that time was applied", self_);
    } else {
      fail(request, core.leader ? Code::kNotLeader : Code::kNoLeader, "", core.leader);
    }
  }
  if (!leads || failed_ || waiting_times_.empty() || steady_ms_ < next_time_tick_ms_) return;
  if (wall_ms_ < waiting_times_.begin()->first.milliseconds()) return;
  next_time_tick_ms_ = steady_ms_ + kTickEveryMs;
  queued_writes_.push_back({kNobodys, {}, storage::encode(kv::Tick{})});
}

void Replica::Impl::release_times() {
  const auto end = waiting_times_.upper_bound(position_.time);
  for (auto at = waiting_times_.begin(); at != end; ++at) {
    queued_reads_.push_back(at->second.first);
  }
  waiting_times_.erase(waiting_times_.begin(), end);
}

}  // namespace server
