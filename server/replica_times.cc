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
using health::ClockState;

namespace {

/// Between two entries that say nothing but their stamp; and how often a follower asks for one.
constexpr std::uint64_t kTickEveryMs = 50;
constexpr std::uint64_t kAskEveryMs = 300;
/// A time that does not pass.
constexpr std::uint64_t kPatienceMs = 3000;
constexpr std::uint64_t kBoundEveryMs = 100;

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

// ---- The clock ----

/// By the agreed time, if there is one.
std::uint64_t Replica::Impl::now_ms() const {
  const bool known = agreed_ && agreed_->state != ClockState::kUnknown;
  return known ? agreed_->corrected_ms(wall_ms_) : wall_ms_;
}

/// Zero where this clock must not be trusted: the core makes of it the last stamp plus one.
HybridTime Replica::Impl::stamp() {
  if (agreed_ && agreed_->state != ClockState::kAgreed) return {};
  return clock_.now(now_ms());
}

/// What clients have heard of is past: later entries are stamped later, if it is no nonsense.
void Replica::Impl::merge_time(HybridTime time) {
  if (!agreed_ || agreed_->state == ClockState::kAgreed) (void)clock_.receive(time, now_ms());
}

/// What stamps this member takes from a leader.
void Replica::Impl::bound_stamps() {
  if (!agreed_ || steady_ms_ < next_bound_ms_) return;
  next_bound_ms_ = steady_ms_ + kBoundEveryMs;
  raft::NewestStamp newest{HybridTime(UINT64_MAX)};
  if (agreed_->state != ClockState::kUnknown) {
    newest.time = HybridTime(agreed_->latest_ms(wall_ms_) + kClocksDifferMs, UINT16_MAX);
  }
  step(newest);
}

// ---- Reads at a time ----

/// Of a read that may go to apply but for its time. True: it waits for that, or has failed.
bool Replica::Impl::waits_for_time(Request request, Pending& pending) {
  const HybridTime time = newest_time(pending.transaction);
  if (time <= position_.time) return false;
  if (time.milliseconds() > now_ms() + kClocksDifferMs) {
    fail(request, Code::kFutureRevision,
         "that time is " + std::to_string(time.milliseconds() - now_ms()) +
             " ms ahead of this member's clock",
         core_.summary().leader);
    return true;
  }
  pending.stage = Stage::kWaiting;
  waiting_times_.emplace(time, std::pair(request, steady_ms_));
  return true;
}

/// With each tick.
void Replica::Impl::let_time_pass() {
  std::vector<Request> over;
  for (const auto& [time, waiting] : waiting_times_) {
    if (steady_ms_ - waiting.second >= kPatienceMs) over.push_back(waiting.first);
  }
  std::erase_if(waiting_times_, [&](const auto& each) {
    return std::find(over.begin(), over.end(), each.second.first) != over.end();
  });
  const bool agreed = !agreed_ || agreed_->state == ClockState::kAgreed;
  for (const Request request : over) {
    fail(request, Code::kUnavailable,
         agreed ? "no entry of that time was applied"
                : "no entry of that time was applied: the members' clocks are not agreed on here",
         core_.summary().leader);
  }
  const bool leads = core_.summary().role == raft::Role::kLeader;
  if (!leads || wanted_time_ <= position_.time) wanted_time_ = {};
  HybridTime next = wanted_time_;
  if (!waiting_times_.empty()) {
    next = next == HybridTime() ? waiting_times_.begin()->first
                                : std::min(next, waiting_times_.begin()->first);
  }
  if (next == HybridTime() || failed_ || steady_ms_ < next_time_tick_ms_) return;
  if (!leads) {
    next_time_tick_ms_ = steady_ms_ + kAskEveryMs;
    step(raft::AskForTime{waiting_times_.rbegin()->first});
  } else if (now_ms() >= next.milliseconds()) {
    next_time_tick_ms_ = steady_ms_ + kTickEveryMs;
    queued_writes_.push_back({kNobodys, {}, storage::encode(kv::Tick{})});
  }
}

void Replica::Impl::release_times() {
  const auto end = waiting_times_.upper_bound(position_.time);
  std::vector<Request> over;
  for (auto at = waiting_times_.begin(); at != end; ++at) over.push_back(at->second.first);
  waiting_times_.erase(waiting_times_.begin(), end);
  for (const Request request : over) start_read(request, pending_.at(request));
}

}  // namespace server
