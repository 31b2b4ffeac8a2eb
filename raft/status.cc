// What can be seen of a core from outside. Pure.
#include "base/check.h"
#include "raft/impl.h"

namespace raft {

std::string_view name_of(Role role) {
  switch (role) {
    case Role::kFollower:
      return "follower";
    case Role::kPreCandidate:
      return "pre-candidate";
    case Role::kCandidate:
      return "candidate";
    case Role::kLeader:
      return "leader";
  }
  CHECK(false, "a role without a name");
  return "";
}

MemberId Core::Impl::known_leader() const {
  if (leader() != nullptr) return options_.self;
  return follower() != nullptr ? follower()->leader : MemberId();
}

base::Code Core::Impl::refusal_code() const {
  if (failed_) return base::Code::kUnavailable;
  return known_leader() ? base::Code::kNotLeader : base::Code::kNoLeader;
}

CoreSummary Core::Impl::summary() const {
  CoreSummary summary;
  summary.role = static_cast<Role>(role_.index());
  summary.term = term();
  summary.durable_term = persistence_.durable_hard_state().term;
  summary.leader = known_leader();
  summary.first = log_.first();
  summary.last = log_.last();
  summary.durable = persistence_.durable_index();
  summary.commit = commit_;
  summary.applied = applied_;
  summary.stalled = stalled_;
  summary.quarantined = quarantined_;
  summary.failed = failed_;
  summary.can_read = can_read();
  summary.needs_snapshot = !log_complete_;
  summary.leader_changes = leader_changes_;
  summary.configuration_index = configurations_.back().index;
  return summary;
}

Index Core::Impl::match(MemberId peer) const {
  const Leader* lead = leader();
  const auto at = lead == nullptr ? decltype(lead->progress.end()){} : lead->progress.find(peer);
  return lead == nullptr || at == lead->progress.end() ? Index() : at->second.match();
}

CoreStatus Core::Impl::status() const {
  CoreStatus status;
  static_cast<CoreSummary&>(status) = summary();
  status.cut_floor = cut_floor();
  status.cut_limit = cut_limit();
  status.last_hash = log_.last_hash();
  status.stall_reason = stall_reason_;
  status.quarantine_reason = quarantine_reason_;
  status.no_member = excludes(options_.self) || (!no_member_to_.empty() && !known_leader());
  status.step_down_reason = step_down_reason_;
  status.configuration = configuration();
  for (const auto& [id, peer] : peers_) {
    PeerStatus known{id, links_up_.contains(id), Index(), Index(), peer.silent_ticks,
                     0,  peer.progress};
    if (const Leader* lead = leader()) {
      known.match = lead->progress.at(id).match();
      known.stuck_ticks = lead->progress.at(id).stuck_ticks();
      const auto transfer = lead->transfers.find(id);
      if (transfer != lead->transfers.end()) known.snapshot = transfer->second.index;
    }
    status.peers.push_back(known);
  }
  return status;
}

std::optional<EntryMeta> Core::Impl::meta_at(Index index) const {
  if (index < log_.first() || index > log_.last()) return std::nullopt;
  return EntryMeta{log_.term_at(index), log_.hash_at(index), log_.size_at(index)};
}

}  // namespace raft
