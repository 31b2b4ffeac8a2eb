// Requests from their arrival at a Replica to their end: writes, reads, changes of the membership,
// hand-overs of leadership (replica_impl.h). Loop thread.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/replica_impl.h"

namespace server {
namespace {

using base::Code;
using base::Index;
using base::Status;
using base::Term;

std::size_t bytes_of(const kv::Transaction& transaction) {
  std::size_t bytes = 64;
  for (const auto& compare : transaction.compares)
    bytes += compare.key.size() + compare.value.size();
  for (const auto* branch : {&transaction.then, &transaction.otherwise}) {
    for (const auto& operation : *branch) {
      bytes += 64;
      if (const auto* range = std::get_if<kv::RangeOperation>(&operation)) {
        bytes += range->range.begin.size() + range->range.end.size();
      } else if (const auto* history = std::get_if<kv::HistoryOperation>(&operation)) {
        bytes += history->key.size();
      }
    }
  }
  return bytes;
}

}  // namespace

// ---- Requests ----

Status Replica::Impl::admit(std::size_t bytes) const {
  if (failed_) return {Code::kUnavailable, "this member's log has failed; it is about to end"};
  if (draining_) return {Code::kUnavailable, "this member is shutting down"};
  if (pending_.size() - lease_questions_ >= options_.pending_requests) {
    return {Code::kOverloaded, "too many requests are pending"};
  }
  if (!pending_.empty() && pending_bytes_ + bytes > options_.pending_bytes) {
    return {Code::kOverloaded, "too many bytes of requests are pending"};
  }
  return Status::ok();
}

/// Null: the request was refused, and is finished.
Replica::Impl::Pending* Replica::Impl::take_in(Request request, Kind kind, std::size_t bytes) {
  if (Status status = admit(bytes); !status.is_ok()) {
    refuse(request, std::move(status));
    return nullptr;
  }
  return &add(request, kind, bytes);
}

Replica::Impl::Pending& Replica::Impl::add(Request request, Kind kind, std::size_t bytes) {
  const auto [at, added] = pending_.try_emplace(request);
  CHECK(added, "a request id is used once");
  at->second.kind = kind;
  at->second.bytes = bytes;
  pending_bytes_ += bytes;
  if (kind == Kind::kLeases) ++lease_questions_;
  return at->second;
}

void Replica::Impl::write(Request request, std::string payload, bool frees,
                          base::SessionId session) {
  if (!full_reason_.empty() && !frees && core_.summary().role == raft::Role::kLeader) {
    return refuse(request, {Code::kDiskFull, full_reason_});
  }
  Pending* pending = take_in(request, Kind::kWrite, payload.size());
  if (pending == nullptr) return;
  pending->session = session;
  queued_writes_.push_back({request, {}, std::move(payload)});
}

void Replica::Impl::read(Request request, kv::Transaction transaction, const Seen& seen) {
  CHECK(!kv::writes(transaction), "reads do not write");
  Pending* pending = take_in(request, Kind::kRead, bytes_of(transaction));
  if (pending == nullptr) return;
  pending->seen = seen;
  pending->transaction = std::move(transaction);
  queued_reads_.push_back(request);
}

void Replica::Impl::read_serializable(Request request, kv::Transaction transaction,
                                      std::uint32_t max_staleness_ms, const Seen& seen) {
  CHECK(!kv::writes(transaction), "reads do not write");
  // Where nobody writes no entry says how late it is, so a round of heartbeats has to.
  const std::uint64_t closed_ms = position_.time.milliseconds();
  if (max_staleness_ms != 0 && now_ms() > closed_ms + max_staleness_ms) {
    return read(request, std::move(transaction), seen);
  }
  Pending* pending = take_in(request, Kind::kRead, bytes_of(transaction));
  if (pending == nullptr) return;
  pending->transaction = std::move(transaction);
  start_read(request, *pending);
}

void Replica::Impl::change_members(Request request, const MemberChange& change) {
  if (take_in(request, Kind::kMembers, sizeof(MemberChange)) == nullptr) return;
  const auto core = core_.status();
  if (core.role != raft::Role::kLeader) {
    const Code code = core.leader ? Code::kNotLeader : Code::kNoLeader;
    return fail(request, code, "", core.leader);
  }
  if (change.kind == MemberChangeKind::kList) {
    return finish_members(request, core.configuration, core.term);
  }
  if (core.configuration.joint()) {
    return fail(request, Code::kUnavailable, "another change of the membership is under way",
                core.leader);
  }
  auto next = apply_change(core.configuration, change);
  if (!next) return fail(request, next.status().code(), next.status().detail(), core.leader);
  if (next.value() == core.configuration && core.configuration_index <= core.applied) {
    return finish_members(request, core.configuration, core.term);
  }
  pending_.at(request).stage = Stage::kInCore;
  step(raft::ChangeMembership{request, core.configuration, std::move(next).value()});
}

void Replica::Impl::move_leader(Request request, const std::string& to) {
  Pending* pending = take_in(request, Kind::kMoveLeader, to.size());
  if (pending == nullptr) return;
  const auto core = core_.status();
  const raft::Member* member = find_member(core.configuration, to);
  if (member == nullptr) {
    return fail(request, Code::kInvalidArgument, "there is no member '" + to + "'", core.leader);
  }
  if (member->id == core.leader) {
    RequestOutcome outcome;
    outcome.header = header(core.term);
    return finish(request, std::move(outcome));
  }
  pending->stage = Stage::kInCore;
  pending->to = member->id;
  step(raft::TransferLeadership{request, member->id});
}

void Replica::Impl::pump() {
  if (!queued_writes_.empty()) {
    raft::Propose propose{std::exchange(queued_writes_, {})};
    for (auto& proposal : propose.proposals) {
      proposal.stamp = stamp();
      if (proposal.id == kNobodys) continue;
      pending_.at(proposal.id).stage = Stage::kInCore;
    }
    proposals_ += propose.proposals.size();
    step(std::move(propose));
  }
  if (!queued_reads_.empty()) {
    raft::ReadBarrier barrier{std::exchange(queued_reads_, {})};
    for (const Request request : barrier.ids) pending_.at(request).stage = Stage::kInCore;
    step(std::move(barrier));
  }
}

void Replica::Impl::refuse(Request request, Status status) {
  RequestOutcome outcome;
  outcome.status = std::move(status);
  const auto core = core_.summary();
  outcome.leader = core.leader;
  outcome.header = header(core.term);
  ports_.clients->finish(request, std::move(outcome));
}

void Replica::Impl::finish(Request request, RequestOutcome outcome) {
  const auto at = pending_.find(request);
  CHECK(at != pending_.end(), "each request is finished once");
  const bool failed = !outcome.status.is_ok();
  const Kind kind = at->second.kind;
  if (failed && kind == Kind::kWrite && at->second.stage != Stage::kQueued) ++failed_proposals_;
  if (failed && kind == Kind::kRead) ++failed_reads_;
  if (kind == Kind::kLeases) --lease_questions_;
  outcome.index = at->second.index;
  pending_bytes_ -= at->second.bytes;
  pending_.erase(at);
  ports_.clients->finish(request, std::move(outcome));
}

void Replica::Impl::fail(Request request, Code code, std::string detail, base::MemberId leader) {
  RequestOutcome outcome;
  outcome.status = Status(code, std::move(detail));
  outcome.leader = leader;
  outcome.header = header(core_.summary().term);
  finish(request, std::move(outcome));
}

Header Replica::Impl::header(Term term) const {
  return {.cluster = options_.cluster,
          .generation = position_.generation,
          .member = self_,
          .revision = position_.revision,
          .term = term,
          .time = position_.time,
          .applied = position_.applied,
          .hash = position_.hash};
}

// ---- Membership ----

/// The first step of a change is applied: a joint one waits for its end.
void Replica::Impl::step_of_change(Request request, const raft::Entry& entry, Term term) {
  const auto configuration = raft::decode_configuration(entry.payload);
  CHECK(configuration.has_value(), "a change of the membership is a configuration");
  if (!configuration->joint()) return finish_members(request, *configuration, term);
  pending_.at(request).stage = Stage::kChanging;
  changing_.push_back(request);
}

void Replica::Impl::finish_changes(const raft::Entry& entry, Term term) {
  const auto configuration = raft::decode_configuration(entry.payload);
  if (!configuration || configuration->joint()) return;
  for (const Request request : std::exchange(changing_, {})) {
    finish_members(request, *configuration, term);
  }
}

void Replica::Impl::finish_members(Request request, const raft::Configuration& configuration,
                                   Term term) {
  RequestOutcome outcome;
  outcome.members = std::make_shared<const raft::Configuration>(configuration);
  outcome.header = header(term);
  finish(request, std::move(outcome));
}

/// A hand-over ends when somebody leads, or when the leader goes on.
void Replica::Impl::follow_moves(const raft::TraceEvent& event) {
  using raft::TraceKind;
  const bool aborted = event.kind == TraceKind::kTransferAborted;
  const bool leads = event.kind == TraceKind::kLeaderChanged && event.peer;
  if (!aborted && !leads) return;
  for (const Request request : std::exchange(moving_, {})) {
    if (aborted) {
      fail(request, Code::kUnavailable, event.detail, self_);
    } else if (event.peer != pending_.at(request).to) {
      fail(request, Code::kUnavailable, "another member was elected", event.peer);
    } else {
      RequestOutcome outcome;
      outcome.header = header(event.term);
      finish(request, std::move(outcome));
    }
  }
}

void Replica::Impl::read_done(Request request, base::Result<kv::TransactionResult> result,
                              kv::Position position) {
  const auto at = pending_.find(request);
  CHECK(at != pending_.end() && at->second.stage == Stage::kInApply, "a read that apply was given");
  // The position is the read's own: entries may have passed a long one.
  RequestOutcome outcome;
  outcome.is_read = true;
  outcome.status = result.status();
  if (result.is_ok()) outcome.result = std::move(result).value();
  outcome.header = header(core_.summary().term);
  outcome.header.revision = position.revision;
  outcome.header.time = position.time;
  outcome.header.applied = position.applied;
  outcome.header.hash = position.hash;
  finish(request, std::move(outcome));
}

// ---- Ends of proposals and read barriers ----

void Replica::Impl::settle(const std::vector<raft::ProposalOutcome>& outcomes) {
  if (outcomes.empty()) return;
  std::optional<base::MemberId> leader;
  for (const auto& outcome : outcomes) {
    if (outcome.id == kNobodys) continue;
    if (outcome.code == Code::kOk) {
      place(outcome);
      continue;
    }
    const auto at = pending_.find(outcome.id);
    if (at == pending_.end()) continue;  // it was answered by its apply already
    CHECK(!at->second.reads());
    if (at->second.stage == Stage::kAppended) appended_.erase(at->second.index);
    if (!leader) leader = core_.summary().leader;
    fail(outcome.id, outcome.code, outcome.detail, *leader);
  }
}

void Replica::Impl::place(const raft::ProposalOutcome& outcome) {
  Pending& pending = pending_.at(outcome.id);
  CHECK(!pending.reads() && pending.stage == Stage::kInCore);
  if (pending.kind == Kind::kMoveLeader) {
    pending.stage = Stage::kMoving;
    moving_.push_back(outcome.id);
    return;
  }
  CHECK(outcome.index > position_.applied, "a proposal is appended above what is applied");
  const auto [at, added] = appended_.try_emplace(outcome.index, outcome.id);
  if (!added) {
    // An earlier term's entry stood there. Another member may still have it, so its end is unknown.
    fail(std::exchange(at->second, outcome.id), Code::kLeadershipLost, "", core_.summary().leader);
  }
  pending.stage = Stage::kAppended;
  pending.term = outcome.term;
  pending.index = outcome.index;
}

void Replica::Impl::release(const std::vector<raft::ReadOutcome>& outcomes) {
  if (outcomes.empty()) return;
  std::optional<base::MemberId> leader;
  for (const auto& outcome : outcomes) {
    const auto at = pending_.find(outcome.id);
    if (at == pending_.end()) continue;  // ended when the log failed
    Pending& pending = at->second;
    CHECK(pending.reads() && pending.stage == Stage::kInCore);
    if (outcome.code != Code::kOk) {
      if (!leader) leader = core_.summary().leader;
      fail(outcome.id, outcome.code, "", *leader);
    } else if (pending.kind == Kind::kDoubt) {
      end_doubt(outcome.id, outcome.index);
    } else if (pending.kind == Kind::kLeases) {
      answer_leases(outcome.id, outcome.index);
    } else if (lacks(pending.seen, outcome.index)) {
      fail(outcome.id, Code::kOtherHistory, lacking(pending.seen, outcome.index),
           core_.summary().leader);
    } else if (outcome.index <= handed_) {
      start_read(outcome.id, pending);
    } else {
      pending.stage = Stage::kWaiting;
      waiting_reads_.emplace(outcome.index, outcome.id);
    }
  }
}

}  // namespace server
