// Leases at the leader (DESIGN section 5.9 and section 6, rule 7): a renewal is acknowledged only
// after a round of heartbeats that began after it, so that who was deposed without noticing renews
// nothing. Loop thread.
#include <algorithm>
#include <utility>
#include <vector>

#include "server/replica_impl.h"
#include "storage/codec.h"

namespace server {

using base::Code;

namespace {
/// Questions about leases that are open at once; they have a bound of their own, so that writes and
/// reads in any number do not keep a holder from renewing.
constexpr std::size_t kMaxLeaseQuestions = 4096;
}  // namespace

void Replica::Impl::leases(Request request, LeaseQuestion question) {
  if (failed_ || draining_ || lease_questions_ >= kMaxLeaseQuestions) {
    return refuse(request,
                  failed_ || draining_
                      ? base::Status(Code::kUnavailable, "this member is shutting down")
                      : base::Status(Code::kOverloaded, "too many questions about leases"));
  }
  Pending& pending = add(request, Kind::kLeases, 0);
  pending.question = std::move(question);
  queued_reads_.push_back(request);
}

void Replica::Impl::change_leases(const std::vector<kv::LeaseChange>& changes) {
  lessor_.change(changes, steady_ms_);
}

/// Its barrier ended; what it must see may still have to be applied.
void Replica::Impl::answer_leases(Request request, base::Index barrier) {
  waiting_questions_.emplace(barrier, request);
  answer_waiting_leases();
}

void Replica::Impl::answer_waiting_leases() {
  if (waiting_questions_.empty()) return;
  const auto core = core_.summary();
  const bool leads = core.role == raft::Role::kLeader;
  for (auto at = waiting_questions_.begin(); at != waiting_questions_.end();) {
    const auto [barrier, request] = *at;
    if (!leads) {
      at = waiting_questions_.erase(at);
      fail(request, core.leader ? Code::kNotLeader : Code::kNoLeader, "", core.leader);
      continue;
    }
    if (barrier > position_.applied || !lessor_.leads()) break;
    RequestOutcome outcome;
    bool known = true;
    const LeaseQuestion& question = pending_.at(request).question;
    for (const base::LeaseId lease : question.leases) {
      const auto time = lessor_.ask(lease, question.renew, steady_ms_);
      known = known && time.has_value();
      outcome.leases.push_back(time.value_or(LeaseTime()));
    }
    if (!known) {
      ++at;
      continue;
    }
    at = waiting_questions_.erase(at);
    outcome.is_read = true;
    outcome.header = header(core.term);
    finish(request, std::move(outcome));
  }
}

/// With each tick, and once something was applied.
void Replica::Impl::count_leases() {
  const auto core = core_.summary();
  // The last entry is of its own term, so its first one is applied.
  const bool leads =
      core.role == raft::Role::kLeader && position_.term == core.term && !failed_ && !resigned_;
  if (!leads) {
    lessor_.follow();
  } else if (!lessor_.leads() || leases_of_ != core.term) {
    leases_of_ = core.term;
    lessor_.lead(steady_ms_);
  }
  answer_waiting_leases();
  if (!leads) return;
  std::vector<base::LeaseId> due = lessor_.due(steady_ms_);
  if (due.empty()) return;
  queued_writes_.push_back(
      {kNobodys, {}, storage::encode(kv::Expire{core.term, std::move(due)}), true});
}

}  // namespace server
