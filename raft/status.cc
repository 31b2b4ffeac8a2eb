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

CoreStatus Core::Impl::status() const {
  CoreStatus status;
  status.role = static_cast<Role>(role_.index());
  status.term = term();
  status.durable_term = persistence_.durable_hard_state().term;
  status.leader = known_leader();
  status.first = log_.first();
  status.last = log_.last();
  status.durable = persistence_.durable_index();
  status.commit = commit_;
  status.applied = applied_;
  status.cut_floor = cut_floor();
  status.cut_limit = cut_limit();
  status.needs_snapshot = !log_complete_;
  status.last_hash = log_.last_hash();
  status.stalled = stalled_;
  status.stall_reason = stall_reason_;
  status.quarantined = quarantined_;
  status.quarantine_reason = quarantine_reason_;
  status.failed = failed_;
  status.no_member = excludes(options_.self) || (!no_member_to_.empty() && !known_leader());
  status.can_read = can_read();
  status.step_down_reason = step_down_reason_;
  status.leader_changes = leader_changes_;
  status.configuration = configuration();
  status.configuration_index = configurations_.back().index;
  for (const auto& [id, peer] : peers_) {
    PeerStatus known{id, peer.link_up, Index(), Index(), peer.silent_ticks, peer.progress};
    if (const Leader* lead = leader()) {
      known.match = lead->progress.at(id).match();
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
