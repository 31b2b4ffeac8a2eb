// Elections (Raft paper section 5.2; thesis sections 3.10, 4.2.3 and 9.6; DESIGN section 7). Pure.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/impl.h"
#include "raft/names.h"

namespace raft {
namespace {

/// Between two times that a member gives way to the same candidate, in election timeouts.
constexpr std::uint32_t kGiveWayTimeouts = 4;
/// How much later than the others a leader that lost its quorum stands again, in election timeouts.
constexpr std::uint32_t kStandBackTimeouts = 2;

}  // namespace

void Core::Impl::set_hard_state(const HardState& hard_state) {
  hard_state_ = hard_state;
  persistence_.write_hard_state(hard_state);
}

void Core::Impl::reset_election_timer() {
  election_ticks_ = 0;
  const std::uint32_t floor = options_.election_ticks;
  election_timeout_ = static_cast<std::uint32_t>(random_.between(floor, 2 * floor - 1));
  if (stall_.slow) election_timeout_ += floor;
  if (stands_back_) election_timeout_ += kStandBackTimeouts * floor;
}

/// The leader's connection broke: its process is likely gone, so do not wait for a whole timeout.
void Core::Impl::shorten_election_timer() {
  const auto wait = static_cast<std::uint32_t>(random_.between(1, 2 * options_.heartbeat_ticks));
  election_ticks_ = 0;
  election_timeout_ = wait + (stall_.slow ? options_.election_ticks : 0);
}

// ---- Roles ----

/// `why` is told if this ends a leadership. The timer starts anew where the role changes or a
/// leader is known, so that a higher term alone keeps nobody from its own election.
void Core::Impl::become_follower(Term new_term, MemberId new_leader, const std::string& why) {
  const bool was_follower = follower() != nullptr;
  if (Leader* lead = leader()) abandon(*lead, why);
  if (new_term > term()) set_hard_state({new_term, MemberId(), Opening()});
  role_ = Follower{new_leader};
  if (new_leader) stands_back_ = false;
  if (!was_follower) trace(TraceKind::kBecameFollower, Index(), new_leader);
  if (!was_follower || new_leader) reset_election_timer();
}

void Core::Impl::become_pre_candidate() {
  PreCandidate candidate;
  candidate.granted.insert(options_.self);
  if (const Follower* was = follower(); was != nullptr && was->withdrawn) {
    candidate.forsaken = was->leader;
  } else if (const auto* before = std::get_if<PreCandidate>(&role_)) {
    candidate.forsaken = before->forsaken;
  }
  role_ = std::move(candidate);
  reset_election_timer();
  trace(TraceKind::kBecamePreCandidate, log_.last());
  ask_for_votes();
  count_votes();
}

void Core::Impl::become_candidate(bool transfer) {
  set_hard_state({term().next(), options_.self, options_.opening});
  role_ = Candidate{transfer, {}, {}, 0};
  reset_election_timer();
  trace(TraceKind::kBecameCandidate, log_.last(), MemberId(), transfer ? "asked to" : "");
  ask_for_votes();
}

void Core::Impl::become_leader() {
  CHECK(may_campaign() && persistence_.hard_state_durable(), "only a sound member leads");
  const std::map<MemberId, Incarnation> granted = std::get<Candidate>(role_).granted;
  Leader lead;
  lead.first_index = log_.last().next();
  for (const auto& [id, peer] : peers_) lead.progress.emplace(id, Progress(lead.first_index));
  for (Index i = commit_.next(); i <= log_.last(); i = i.next()) {
    lead.uncommitted_bytes += log_.size_at(i);
  }
  role_ = std::move(lead);
  stands_back_ = false;
  trace(TraceKind::kBecameLeader, log_.last());
  if (configuration().unbound()) {
    Configuration bound = configuration();
    for (Member& voter : bound.voters) voter.incarnation = granted.at(voter.id);
    trace(TraceKind::kConfigurationBound, log_.last().next());
    append_own(EntryKind::kConfiguration, HybridTime(), encode(bound));
  } else {
    append_own(EntryKind::kEmpty, HybridTime(), "");
  }
  send_heartbeats();
  replicate_all();
}

// ---- The timer ----

void Core::Impl::tick_election() {
  if (Follower* each = follower()) ++each->silent_ticks;
  for (auto& [id, ticks] : gave_way_ticks_) ++ticks;
  std::uint32_t* resend = nullptr;
  if (auto* candidate = std::get_if<PreCandidate>(&role_)) resend = &candidate->resend_ticks;
  if (auto* candidate = std::get_if<Candidate>(&role_)) resend = &candidate->resend_ticks;
  if (++election_ticks_ >= election_timeout_) {
    if (may_campaign()) {
      become_pre_candidate();
      return;
    }
    reset_election_timer();
    if (follower() == nullptr || follower()->leader) role_ = Follower();
    return;
  }
  if (resend != nullptr && ++*resend >= options_.heartbeat_ticks) {
    *resend = 0;
    if (persistence_.hard_state_durable()) ask_for_votes();
  }
}

bool Core::Impl::may_campaign() const {
  return !failed_ && !quarantined_ && !stalled_ && stall_.barred.empty() && log_complete_ &&
         is_voter();
}

bool Core::Impl::is_voter() const {
  const Member* self = configuration().find_voter(options_.self);
  return self != nullptr && (!self->incarnation || self->incarnation == options_.incarnation);
}

// ---- Asking ----

void Core::Impl::ask_for_votes() {
  const auto* pre = std::get_if<PreCandidate>(&role_);
  const auto* real = std::get_if<Candidate>(&role_);
  CHECK(pre != nullptr || real != nullptr);
  for (const auto& [id, peer] : peers_) {
    if (pre != nullptr ? pre->answered.contains(id) : real->answered.contains(id)) continue;
    RequestVote body;
    body.pre_vote = pre != nullptr;
    body.transfer = real != nullptr && real->transfer;
    body.last_index = log_.last();
    body.last_term = log_.last_term();
    Outgoing& out = send(id, body);
    if (pre != nullptr) out.message.term = term().next();
  }
}

/// Before its configuration is bound the cluster needs every voter (DESIGN section 5.2).
bool Core::Impl::elects(const std::function<bool(MemberId)>& granted) const {
  const auto counts = [&](const Member& voter) { return granted(voter.id); };
  if (!configuration().unbound()) return configuration().decides(counts);
  const std::vector<Member>& voters = configuration().voters;
  return std::all_of(voters.begin(), voters.end(), counts);
}

/// The own vote counts like any other: once it is durable.
void Core::Impl::count_votes() {
  if (const auto* pre = std::get_if<PreCandidate>(&role_)) {
    if (elects([&](MemberId id) { return pre->granted.contains(id); })) become_candidate(false);
  } else if (auto* real = std::get_if<Candidate>(&role_)) {
    if (!persistence_.hard_state_durable()) return;
    real->granted.emplace(options_.self, options_.incarnation);
    if (elects([&](MemberId id) { return real->granted.contains(id); })) become_leader();
  }
}

void Core::Impl::on_message(const Message& message, const RequestVoteReply& body) {
  auto* pre = std::get_if<PreCandidate>(&role_);
  auto* real = std::get_if<Candidate>(&role_);
  const bool counts = body.granted && peer_counts(message.from);
  if (body.pre_vote && pre != nullptr) {
    pre->answered.insert(message.from);
    if (counts && message.term == term().next()) pre->granted.insert(message.from);
    count_votes();
    if (std::holds_alternative<PreCandidate>(role_)) consider_pull(message, body);
  } else if (!body.pre_vote && real != nullptr) {
    real->answered.insert(message.from);
    if (counts) real->granted[message.from] = message.incarnation;
    count_votes();
  }
}

// ---- Answering ----

/// Whether a live leader is known, so that nobody else needs to be helped (thesis section 4.2.3).
bool Core::Impl::sticky() const {
  if (leader() != nullptr) return true;
  const Follower* each = follower();
  return each != nullptr && each->leader && !each->withdrawn &&
         each->silent_ticks < options_.election_ticks;
}

bool Core::Impl::up_to_date(const RequestVote& body) const {
  if (body.last_term != log_.last_term()) return body.last_term > log_.last_term();
  return body.last_index >= log_.last();
}

/// Two members with the same log that ask at the same moment would split the vote and both wait for
/// a whole timeout: the greater id does not help the other while its own question is fresh. Only
/// then, since with some links broken it may be the other that can win.
bool Core::Impl::asks_at_once(const Message& message, const RequestVote& body) const {
  return std::holds_alternative<PreCandidate>(role_) &&
         election_ticks_ < options_.heartbeat_ticks && options_.self > message.from &&
         body.last_index == log_.last() && body.last_term == log_.last_term();
}

/// Whoever is no voter as far as it knows answers too: the candidate's configuration may be newer,
/// and it is the candidate who knows whose vote counts (thesis section 4.1).
void Core::Impl::on_message(const Message& message, const RequestVote& body) {
  if (body.quarantined) {
    reply(message, RequestVoteReply{true, false, log_.last(), log_.last_term()});
    return;
  }
  std::string why;
  if (quarantined_) {
    why = "quarantined";
  } else if (!up_to_date(body)) {
    why = "its log ends before ours";
  } else if (body.pre_vote) {
    if (stalled_) why = "stalled";
    if (asks_at_once(message, body)) why = "asking for itself";
    if (sticky()) why = "a live leader is known";
    if (message.term <= term()) why = "its term is not above ours";
  } else {
    // A vote is repeated only to the same opening of the same member.
    const bool repeated =
        hard_state_.vote == message.from && hard_state_.vote_opening == message.opening;
    if (hard_state_.vote && !repeated) why = "voted for " + show(hard_state_.vote);
  }
  const bool granted = why.empty();
  trace(granted ? TraceKind::kVoteGranted : TraceKind::kVoteRefused, Index(), message.from,
        body.pre_vote ? (granted ? "pre-vote" : "pre-vote: " + why) : why);
  if (granted && !body.pre_vote) {
    gave_way_ticks_.erase(message.from);
    if (!hard_state_.vote) set_hard_state({term(), message.from, message.opening});
    if (follower() == nullptr) become_follower(term(), MemberId(), "voted for another");
    reset_election_timer();
  }
  const RequestVoteReply answer{body.pre_vote, granted, log_.last(), log_.last_term()};
  reply(message, answer, granted && !body.pre_vote);
  if (!granted && body.pre_vote && excludes(message.from)) {
    reply(message, Refusal{RefusalReason::kNoMember, Ordinal()});
  }
  if (granted && body.pre_vote) {
    // It answers for the term that was asked about, which nobody is in yet.
    outgoing_.back().message.term = message.term;
    give_way(message.from);
  }
}

// ---- Giving up ----

/// Who grants gives way, also with the timer: the request that will follow needs a sync first. Not
/// again and again: a member that hears nobody would ask for ever, and keep those from their own
/// election who could win it.
void Core::Impl::give_way(MemberId candidate) {
  const auto [at, first] = gave_way_ticks_.try_emplace(candidate, 0);
  if (!first && at->second < kGiveWayTimeouts * options_.election_ticks) return;
  at->second = 0;
  if (std::holds_alternative<PreCandidate>(role_)) become_follower(term(), MemberId(), "");
  election_timeout_ = std::max(election_timeout_, election_ticks_ + options_.heartbeat_ticks);
}

/// In memory alone: no disk, no apply and no answer is needed (DESIGN promise 5).
void Core::Impl::give_up_leadership(const std::string& why, MemberId next) {
  if (leader() == nullptr) return;
  if (next) send(next, TimeoutNow());
  become_follower(term(), MemberId(), why);
  if (next) trace(TraceKind::kHandedOver, Index(), next);
}

/// An orderly hand-over waits, for T at most, until what was taken in is committed and the
/// successor has all of it: then nothing is left unknown, and nobody refuses it for a shorter log.
void Core::Impl::leave_when_caught_up() {
  Leader* lead = leader();
  if (lead == nullptr || !lead->leaving) return;
  const MemberId next = lead->heir ? lead->heir : successor();
  const bool caught_up =
      commit_ == log_.last() && (!next || lead->progress.at(next).match() == log_.last());
  const bool late = lead->leaving_ticks >= options_.election_ticks;
  if (!caught_up && next && !late) return;
  if (!caught_up && lead->heir) return abort_transfer("it has not caught up in time");
  give_up_leadership(std::string(*lead->leaving), next);
}

void Core::Impl::abort_transfer(const std::string& why) {
  Leader& lead = *leader();
  trace(TraceKind::kTransferAborted, Index(), lead.heir, why);
  lead.leaving.reset();
  lead.heir = MemberId();
}

void Core::Impl::on(const TransferLeadership& transfer) {
  ProposalOutcome outcome{transfer.id, refusal_code(), Term(), Index()};
  if (Leader* lead = leader()) {
    const Member* voter = configuration().find_voter(transfer.to);
    const bool incoming = voter != nullptr && std::count(configuration().voters.begin(),
                                                         configuration().voters.end(), *voter) > 0;
    outcome.code = base::Code::kOk;
    if (!incoming || transfer.to == options_.self) {
      outcome.code = base::Code::kInvalidArgument;
      outcome.detail = "it is no other voter";
    } else if (lead->leaving) {
      outcome.code = base::Code::kUnavailable;
      outcome.detail = "another hand-over is under way";
    } else if (!may_succeed(*voter)) {
      outcome.code = base::Code::kUnavailable;
      outcome.detail = "it is not well enough to lead";
    } else {
      lead->leaving = transfer.reason.empty() ? "asked to hand over to member " + show(transfer.to)
                                              : transfer.reason;
      lead->heir = transfer.to;
      lead->leaving_ticks = 0;
    }
  }
  output_.outcomes.push_back(std::move(outcome));
  leave_when_caught_up();
}

/// Ends what only a leader can promise. Proposals that are not committed may still be, by others.
void Core::Impl::abandon(Leader& lead, const std::string& why) {
  for (const PendingProposal& each : lead.proposals) {
    output_.outcomes.push_back({each.id, base::Code::kLeadershipLost, term(), each.index});
  }
  lead.proposals.clear();
  for (const std::uint64_t id : lead.reads.abandon()) {
    answer_read(id, base::Code::kNotLeader, Index());
  }
  for (const auto& [id, transfer] : lead.transfers) output_.snapshot_drops.push_back(id);
  lead.transfers.clear();
  step_down_reason_ = why;
  trace(TraceKind::kSteppedDown, Index(), MemberId(), why);
}

bool Core::Impl::may_succeed(const Member& voter) const {
  if (voter.id == options_.self) return false;
  const Peer& peer = peers_.at(voter.id);
  const bool fresh = peer.silent_ticks < options_.check_quorum_ticks;
  return peer.counts() && fresh && !peer.progress.stalled && !peer.progress.needs_snapshot;
}

/// The sound voter that is not slow, if there is one, and of those the one with the longest log; if
/// the others could elect it without this member.
MemberId Core::Impl::successor() const {
  const auto sound = [&](const Member& voter) { return may_succeed(voter); };
  if (!configuration().decides(sound)) return MemberId();
  MemberId best;
  std::pair<bool, Index> best_rank;
  for (const Member& voter : configuration().voters) {
    if (!sound(voter)) continue;
    const std::pair rank(!peers_.at(voter.id).progress.slow,
                         leader()->progress.at(voter.id).match());
    if (best && rank <= best_rank) continue;
    best = voter.id;
    best_rank = rank;
  }
  return best;
}

/// Called whenever pending work aged, completed, or the detectors outside spoke.
void Core::Impl::review_health() {
  const std::string reason = stall_.reason(options_.stall_ticks, options_.tick_ms);
  if (reason.empty()) {
    if (stalled_) trace(TraceKind::kRecovered, Index(), MemberId(), stall_reason_);
    stalled_ = false;
    stall_reason_.clear();
    if (!stall_.barred.empty()) leave_office(stall_.barred);
    return;
  }
  stall_reason_ = reason;
  if (!stalled_) {
    stalled_ = true;
    trace(TraceKind::kStalled, Index(), MemberId(), reason);
  }
  leave_office(reason);
}

void Core::Impl::leave_office(const std::string& reason) {
  if (leader() != nullptr) {
    if (options_.step_down_on_stall) give_up_leadership(reason, successor());
  } else if (follower() == nullptr) {
    become_follower(term(), MemberId(), reason);
  }
}

}  // namespace raft
