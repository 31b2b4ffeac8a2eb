// Who is a member, and how that changes (Raft paper section 6; thesis chapter 4; DESIGN sections
// 5.2 and 7): joint consensus, one change at a time, by incarnation. Pure.
#include <utility>

#include "base/check.h"
#include "raft/impl.h"
#include "raft/names.h"

namespace raft {
namespace {

/// Members that are not in the configuration and are remembered all the same.
constexpr std::size_t kMostStrangers = 16;

std::vector<Member>::iterator place_of(std::vector<Member>& members, MemberId id) {
  return std::lower_bound(members.begin(), members.end(), id,
                          [](const Member& each, MemberId other) { return each.id < other; });
}

}  // namespace

// ---- Peers ----

/// Follows the configuration. A member that leaves it is still remembered for a while: it may lead
/// yet, in a configuration that this member does not know.
void Core::Impl::configuration_changed() {
  output_.configuration = configuration();
  const std::vector<MemberId> ids = configuration().ids();
  for (auto at = peers_.begin(); at != peers_.end();) {
    if (std::binary_search(ids.begin(), ids.end(), at->first)) {
      ++at;
      continue;
    }
    if (Leader* lead = leader()) {
      end_snapshot(at->first, "it is no member any more");
      lead->progress.erase(at->first);
      if (lead->heir == at->first) abort_transfer("it is no member any more");
    }
    stranger(at->first) = at->second;
    at = peers_.erase(at);
  }
  for (const MemberId id : ids) {
    if (id == options_.self) continue;
    const auto [at, added] = peers_.try_emplace(id);
    if (added) {
      const auto known = strangers_.extract(id);
      const Incarnation bound = configuration().find(id)->incarnation;
      if (known && bound && known.mapped().incarnation == bound) at->second = known.mapped();
    }
    if (Leader* lead = leader()) lead->progress.try_emplace(id, Progress(log_.last().next()));
  }
}

Peer& Core::Impl::stranger(MemberId id) {
  if (strangers_.size() >= kMostStrangers && !strangers_.contains(id)) {
    strangers_.erase(strangers_.begin());
  }
  return strangers_[id];
}

/// The sender's record, if its message may be looked at. A leader counts though this member does
/// not know it, and so does a candidate: they may be of a newer configuration (thesis section 4.1).
/// A leader was elected by those who know its data directory; everybody else must be the one that
/// is bound (DESIGN section 5.2). Whoever knows nobody yet still lets itself be told that its
/// directory was rolled back.
Peer* Core::Impl::find_peer(const Message& message) {
  const bool leads = std::holds_alternative<AppendEntries>(message.body) ||
                     std::holds_alternative<Heartbeat>(message.body) ||
                     std::holds_alternative<InstallSnapshot>(message.body);
  const bool asks = std::holds_alternative<RequestVote>(message.body);
  const Member* member = configuration().find(message.from);
  if (member == nullptr) {
    const auto* refusal = std::get_if<Refusal>(&message.body);
    const bool tells = refusal != nullptr && refusal->reason == RefusalReason::kRolledBack &&
                       configuration().voters.empty();
    if (leads || asks || tells) return &stranger(message.from);
    return nullptr;
  }
  Peer& peer = peers_.at(message.from);
  const bool bound = member->incarnation ? member->incarnation == message.incarnation
                                         : member->replaced != message.incarnation;
  if (bound || leads) return &peer;
  refuse(message, RefusalReason::kUnknownIncarnation, peer);
  return nullptr;
}

// ---- Changes ----

void Core::Impl::on(const ChangeMembership& change) {
  ProposalOutcome outcome{change.id, refusal_code(), Term(), Index(), ""};
  if (const Leader* lead = leader(); lead != nullptr && !lead->leaving) {
    outcome.code = base::Code::kInvalidArgument;
    outcome.detail = check_next(change.next);
    if (outcome.detail.empty() && !may_change()) {
      outcome.code = base::Code::kUnavailable;
      outcome.detail = "another change of the membership is under way, or this leader is new";
    }
    if (outcome.detail.empty() && change.before != configuration()) {
      outcome.code = base::Code::kUnavailable;
      outcome.detail = "the membership has changed meanwhile";
    }
  }
  if (leader() == nullptr || leader()->leaving || !outcome.detail.empty()) {
    output_.outcomes.push_back(std::move(outcome));
    return;
  }
  begin_change(change.next);
  outcome = {change.id, base::Code::kOk, term(), log_.last(), ""};
  leader()->proposals.push_back({change.id, log_.last()});
  output_.outcomes.push_back(std::move(outcome));
  replicate_all();
}

/// One at a time, and not before an entry of the own term is committed (thesis section 4.1 and its
/// correction): until then a leader does not know which configuration is in force.
bool Core::Impl::may_change() const {
  return can_read() && !configuration().joint() && configurations_.back().index <= commit_;
}

/// Whether a committed configuration leaves it out.
bool Core::Impl::excludes(MemberId id) const {
  const bool committed = configurations_.back().index <= commit_ && !configuration().unbound();
  return committed && !configuration().voters.empty() && configuration().find(id) == nullptr;
}

void Core::Impl::begin_change(const Configuration& next) {
  const Configuration step = step_towards(configuration(), next);
  trace(TraceKind::kConfigurationChanging, log_.last().next(), MemberId(),
        step.joint() ? "joint" : "");
  append_own(EntryKind::kConfiguration, HybridTime(), encode(step));
}

/// After the commit index moved, as a leader: a joint configuration that is committed is left, and
/// a leader that the new one leaves out goes.
void Core::Impl::settle_membership() {
  if (leader() == nullptr || !can_read() || configurations_.back().index > commit_) return;
  if (configuration().joint()) {
    Configuration last = configuration();
    last.outgoing.clear();
    trace(TraceKind::kConfigurationChanging, log_.last().next(), MemberId(), "joint no more");
    append_own(EntryKind::kConfiguration, HybridTime(), encode(last));
    replicate_all();
  } else if (!is_voter() && !leader()->leaving) {
    leader()->leaving = "it is no voter any more";
  }
}

/// Binds the directory of a new learner once it is heard from, and promotes one that has caught up:
/// it has everything that was committed T ago, is well and supports this leader.
void Core::Impl::tick_membership() {
  Leader& lead = *leader();
  if (++lead.floor_ticks >= options_.election_ticks) {
    lead.floor_ticks = 0;
    lead.caught_up_floor = std::exchange(lead.next_floor, commit_);
  }
  if (lead.leaving || configuration().learners.empty() || !may_change()) return;
  for (const Member& learner : configuration().learners) {
    const Peer& peer = peers_.at(learner.id);
    Configuration next = configuration();
    const auto at = place_of(next.learners, learner.id);
    const bool known = peer.heard && !peer.refused && peer.incarnation != learner.replaced;
    if (!learner.incarnation && known) {
      at->incarnation = peer.incarnation;
      at->replaced = Incarnation();
      trace(TraceKind::kConfigurationBound, log_.last().next(), learner.id);
    } else if (learner.promote && caught_up(learner)) {
      Member voter = *at;
      voter.promote = false;
      next.learners.erase(at);
      next.voters.insert(place_of(next.voters, voter.id), voter);
      trace(TraceKind::kPromoted, log_.last().next(), learner.id);
    } else {
      continue;
    }
    begin_change(next);
    replicate_all();
    return;
  }
}

bool Core::Impl::caught_up(const Member& learner) const {
  const Peer& peer = peers_.at(learner.id);
  const Progress& progress = leader()->progress.at(learner.id);
  const bool well = peer.counts() && peer.incarnation == learner.incarnation &&
                    !peer.progress.stalled && !peer.progress.needs_snapshot;
  return well && progress.state() == Progress::State::kReplicate &&
         progress.supported_ticks() < options_.election_ticks && leader()->caught_up_floor &&
         progress.match() >= leader()->caught_up_floor;
}

}  // namespace raft
