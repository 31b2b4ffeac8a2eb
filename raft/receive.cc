// What every message passes first: the envelope, the sender's opening, the term (Raft paper section
// 5.1; DESIGN sections 5.2, 5.3 and 6, rule 5). Pure.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/impl.h"
#include "raft/names.h"

namespace raft {

void Core::Impl::receive(const Message& message) {
  if (admit(message) == nullptr) return;
  const bool settled = settle_term(message);
  note_term_of(message);
  if (!settled) return;
  std::visit([&](const auto& body) { on_message(message, body); }, message.body);
}

/// The sender, if its message counts; otherwise it was told why, or the message was none of ours.
Peer* Core::Impl::admit(const Message& message) {
  if (message.to != options_.self || message.from == options_.self) return nullptr;
  Peer* found = find_peer(message);
  if (found == nullptr) return nullptr;
  Peer& peer = *found;
  if (peer.heard && peer.incarnation != message.incarnation) {
    // Not bound yet, so it may still begin anew; or another one replaces it.
    peer = Peer();
    forget_opening(message.from);
  }
  const Verdict verdict = judge(peer, message);
  if (verdict == Verdict::kLate) return nullptr;
  if (verdict == Verdict::kRolledBack || verdict == Verdict::kStale) {
    refuse(message, RefusalReason::kRolledBack, peer);
    if (verdict == Verdict::kRolledBack) peer.refused = true;
    return nullptr;
  }
  const bool reset = verdict == Verdict::kNewOpening && peer.opening.epoch != 0;
  remember(peer, message);
  if (reset) forget_opening(message.from);
  if (is_reply(message) && message.to_opening != options_.opening) return nullptr;
  return &peer;
}

/// Tells an opening that it counts for nothing here. Refusals themselves are never answered.
void Core::Impl::refuse(const Message& message, RefusalReason reason, Peer& peer) {
  const bool rolled_back = reason == RefusalReason::kRolledBack;
  if (peer.traced_refusal != message.opening) {
    peer.traced_refusal = message.opening;
    trace(TraceKind::kPeerRefused, Index(), message.from,
          rolled_back ? "its opening is older than what was heard from it"
                      : "another data directory than the one that is bound");
  }
  if (std::holds_alternative<Refusal>(message.body)) return;
  const Ordinal remembered = rolled_back ? std::max(peer.durable_before, peer.durable) : Ordinal();
  reply(message, Refusal{reason, remembered});
}

/// Section 6, rule 5: nothing that was believed of an earlier opening holds for this one.
void Core::Impl::forget_opening(MemberId peer) {
  trace(TraceKind::kPeerReset, Index(), peer);
  const auto forget = [peer](auto* candidate) {
    if (candidate == nullptr) return;
    candidate->granted.erase(peer);
    candidate->answered.erase(peer);
  };
  forget(std::get_if<Candidate>(&role_));
  forget(std::get_if<PreCandidate>(&role_));
  if (Leader* lead = leader(); lead != nullptr && lead->progress.contains(peer)) {
    end_snapshot(peer, "it has restarted");
    lead->progress.at(peer).reset(log_.last().next());
    lead->reads.forget(peer);
  }
}

/// Raises the term or answers an old one. Returns whether the body is to be looked at.
bool Core::Impl::settle_term(const Message& message) {
  if (std::holds_alternative<Refusal>(message.body)) return true;
  // Reading a log is no part of any term: whoever only asks deposes nobody.
  const bool pulls =
      std::holds_alternative<Pull>(message.body) || std::holds_alternative<PullReply>(message.body);
  if (pulls) return true;
  const auto* vote = std::get_if<RequestVote>(&message.body);
  const auto* vote_reply = std::get_if<RequestVoteReply>(&message.body);
  // A pre-vote and its grant name a term that nobody is in yet; a refusal may come from below.
  if (vote != nullptr && vote->pre_vote) return true;
  if (vote_reply != nullptr && vote_reply->pre_vote) {
    if (vote_reply->granted || message.term <= term()) return true;
  }
  if (message.term < term()) {
    answer_old_term(message);
    return false;
  }
  if (message.term == term()) return true;
  if (vote != nullptr && !vote->transfer && sticky()) {
    trace(TraceKind::kVoteRefused, Index(), message.from, "a live leader is known");
    return false;
  }
  const bool leads = std::holds_alternative<AppendEntries>(message.body) ||
                     std::holds_alternative<Heartbeat>(message.body);
  become_follower(message.term, leads ? message.from : MemberId(),
                  "member " + show(message.from) + " is in term " + show(message.term));
  return true;
}

/// An answer in the newer term makes a deposed leader or candidate step down.
void Core::Impl::answer_old_term(const Message& message) {
  if (std::holds_alternative<RequestVote>(message.body)) {
    reply(message, RequestVoteReply{});
  } else if (const auto* append = std::get_if<AppendEntries>(&message.body)) {
    reject(message, append->previous_index, log_.last(), false);
  } else if (const auto* heartbeat = std::get_if<Heartbeat>(&message.body)) {
    reply(message, HeartbeatReply{heartbeat->round, false, report()});
  }
}

void Core::Impl::on_message(const Message&, const TimeoutNow&) {
  if (leader() == nullptr && may_campaign()) become_candidate(true);
}

void Core::Impl::on_message(const Message& message, const Refusal& body) {
  if (body.reason == RefusalReason::kNoMember) {
    if (no_member_to_.insert(message.from).second) {
      trace(TraceKind::kNoMember, Index(), message.from);
    }
  } else if (body.reason == RefusalReason::kRolledBack) {
    on_rolled_back(message.from, body.remembered);
  } else if (unknown_to_.insert(message.from).second) {
    trace(TraceKind::kPeerRefused, Index(), message.from, "it does not know this data directory");
  }
}

}  // namespace raft
