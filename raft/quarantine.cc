// A member that lost synced data counts for nothing until a leader has made it whole (DESIGN
// section 6, rule 4; reference recovery.md, holes 2 and 7). Pure.
#include <algorithm>

#include "base/check.h"
#include "raft/impl.h"
#include "raft/names.h"

namespace raft {

void Core::Impl::enter_quarantine(const std::string& reason) {
  quarantined_ = true;
  quarantine_reason_ = reason;
  repair_ = Repair();
  output_.quarantine = reason;
  trace(TraceKind::kQuarantined, Index(), MemberId(), reason);
  if (follower() == nullptr) become_follower(term(), MemberId(), "quarantined: " + reason);
}

/// A peer remembers more of this directory than the directory holds. Where it remembers a later
/// epoch, or this one under another nonce, it will refuse this opening for ever: so no leader may
/// end the quarantine meanwhile, only to have it told again.
void Core::Impl::on_rolled_back(MemberId by, Ordinal remembered) {
  const bool outlived = remembered.epoch >= options_.opening.epoch;
  if (quarantined_ && (repair_.hopeless || !outlived)) return;
  // One that was sent before the last quarantine ended may come late.
  if (!outlived && repaired_ && remembered <= recovered_ordinal_) return;
  std::string reason = "member " + show(by) + " remembers ordinal " + show(remembered) +
                       ", this opening recovered " + show(recovered_ordinal_);
  if (outlived) {
    reason += " in epoch " + std::to_string(options_.opening.epoch) +
              ", which is not new to it: an old copy of the directory; replace the member";
  }
  enter_quarantine(reason);
  repair_.hopeless = outlived;
}

/// It may have forgotten a vote whose candidate alone knows the term, and still counts it: so every
/// other voter must say its own (docs/decisions/0013). They answer a pre-vote that nobody grants.
void Core::Impl::tick_quarantine() {
  if (!quarantined_ || ++repair_.ask_ticks < options_.heartbeat_ticks) return;
  repair_.ask_ticks = 0;
  if (terms_are_known()) return;
  for (const auto& [id, peer] : peers_) {
    if (repair_.heard.contains(id)) continue;
    Outgoing& out = send(id, RequestVote{true, false, log_.last(), log_.last_term(), true});
    out.message.term = term().next();
  }
}

bool Core::Impl::terms_are_known() const {
  const auto known = [&](const Member& voter) {
    return voter.id == options_.self || repair_.heard.contains(voter.id);
  };
  const Configuration& now = configuration();
  return !now.voters.empty() && std::all_of(now.voters.begin(), now.voters.end(), known) &&
         std::all_of(now.outgoing.begin(), now.outgoing.end(), known);
}

/// After the own term was settled. Pre-votes and their grants name a term that nobody is in.
void Core::Impl::note_term_of(const Message& message) {
  if (!quarantined_ || message.term > term()) return;
  const auto* reply = std::get_if<RequestVoteReply>(&message.body);
  const bool no_term = std::holds_alternative<Refusal>(message.body) ||
                       std::holds_alternative<RequestVote>(message.body) ||
                       (reply != nullptr && reply->pre_vote && reply->granted);
  if (!no_term) repair_.heard.insert(message.from);
  end_quarantine_when_repaired();
}

/// A leader that has heard from this opening says where its log ends: nothing that an earlier life
/// of this member acknowledged lies beyond.
void Core::Impl::note_repair_target(const Message& message, const Heartbeat& body) {
  if (!quarantined_ || message.to_opening != options_.opening || repair_.term == term()) return;
  repair_.term = term();
  repair_.target = body.progress.last;
  end_quarantine_when_repaired();
}

void Core::Impl::note_match(Index match) {
  if (!quarantined_) return;
  if (repair_.matched_term != term()) repair_.matched = Index();
  repair_.matched_term = term();
  repair_.matched = std::max(repair_.matched, match);
  end_quarantine_when_repaired();
}

/// Entries that came otherwise do not count: only what the leader of this very term has matched.
void Core::Impl::end_quarantine_when_repaired() {
  if (!quarantined_ || repair_.hopeless || repair_.ending) return;
  if (!log_complete_ || repair_.term != term()) return;
  if (repair_.matched_term != term()) return;
  if (!terms_are_known() || !persistence_.hard_state_durable()) return;
  if (repair_.matched < repair_.target || persistence_.durable_index() < repair_.target) return;
  repair_.ending = persistence_.end_quarantine(hard_state_);
}

void Core::Impl::on_quarantine_ended() {
  if (!quarantined_ || !repair_.ending || *repair_.ending > persistence_.durable_ordinal()) return;
  trace(TraceKind::kQuarantineEnded, repair_.target, MemberId(), quarantine_reason_);
  recovered_ordinal_ = *repair_.ending;
  repaired_ = true;
  quarantined_ = false;
  quarantine_reason_.clear();
  repair_ = Repair();
}

}  // namespace raft
