#include "server/readiness.h"

#include <algorithm>

namespace server {
namespace {

const raft::PeerStatus* find(const raft::CoreStatus& core, base::MemberId id) {
  const auto at = std::find_if(core.peers.begin(), core.peers.end(),
                               [&](const raft::PeerStatus& peer) { return peer.id == id; });
  return at == core.peers.end() ? nullptr : &*at;
}

HealthCheck check(std::string name, bool ok, std::string reason) {
  return {std::move(name), ok, ok ? "" : std::move(reason)};
}

HealthCheck loop_check(std::uint64_t loop_ms, std::uint64_t now_ms, std::uint64_t limit_ms) {
  if (loop_ms == 0) return check("loop", false, "the loop has not started");
  const std::uint64_t age = now_ms > loop_ms ? now_ms - loop_ms : 0;
  return check("loop", age < limit_ms,
               "the loop has not turned for " + std::to_string(age) + " ms");
}

HealthCheck leader_check(const raft::CoreStatus& core, const ReadinessOptions& options) {
  if (!core.leader) return check("leader", false, "no leader is known");
  if (core.role == raft::Role::kLeader) {
    return check("leader", core.can_read, "has not committed an entry of its own term yet");
  }
  const raft::PeerStatus* leader = find(core, core.leader);
  const std::uint32_t silent = leader == nullptr ? 0 : leader->silent_ticks;
  return check(
      "leader", leader != nullptr && silent <= 2 * options.election_ticks,
      "the leader has been silent for " + std::to_string(silent * options.tick_ms) + " ms");
}

HealthCheck member_check(const raft::CoreStatus& core) {
  if (core.configuration.voters.empty()) {
    return check("member", false, "waiting to be added to a cluster: `holdfast member add`");
  }
  return check("member", !core.no_member,
               "the others say that this member was removed from the cluster");
}

/// A follower that hears its leader knows of a quorum: leaders without one give up.
HealthCheck quorum_check(const raft::CoreStatus& core, bool hears_leader,
                         const ReadinessOptions& options) {
  if (core.role != raft::Role::kLeader && hears_leader) return check("quorum", true, "");
  std::size_t reachable = 0;
  const auto reached = [&](const raft::Member& voter) {
    const raft::PeerStatus* peer = find(core, voter.id);
    if (peer == nullptr) return true;  // this member itself
    const bool answers =
        peer->silent_ticks <= 2 * options.election_ticks || core.role != raft::Role::kLeader;
    return peer->link_up && answers;
  };
  for (const auto& voter : core.configuration.voters) reachable += reached(voter) ? 1 : 0;
  return check("quorum", core.configuration.decides(reached),
               "only " + std::to_string(reachable) + " of " +
                   std::to_string(core.configuration.voters.size()) + " members can be reached, " +
                   std::to_string(core.configuration.quorum()) + " are needed");
}

}  // namespace

std::vector<HealthCheck> readiness(const ReplicaStatus& status, std::uint64_t loop_ms,
                                   std::uint64_t now_ms, const ReadinessOptions& options) {
  const raft::CoreStatus& core = status.core;
  std::vector<HealthCheck> checks;
  checks.push_back(loop_check(loop_ms, now_ms, options.stuck_ms));
  checks.push_back(check("draining", !status.draining, "this member is shutting down"));
  checks.push_back(check("quarantine", !core.quarantined, core.quarantine_reason));
  checks.push_back(member_check(core));
  checks.push_back(check("snapshot", !core.needs_snapshot,
                         "the state has lost data and waits for a snapshot from the leader"));
  checks.push_back(check("disk", status.full_reason.empty(), status.full_reason));
  checks.push_back(check("log", !core.failed, "a write of the log has failed"));
  checks.push_back(check("progress", !core.stalled, core.stall_reason));
  const HealthCheck leader = leader_check(core, options);
  checks.push_back(leader);
  checks.push_back(quorum_check(core, leader.ok, options));
  const std::uint64_t unapplied =
      core.commit > status.position.applied ? core.commit - status.position.applied : 0;
  checks.push_back(check("apply", unapplied <= options.max_unapplied,
                         std::to_string(unapplied) + " committed entries are not applied yet"));
  return checks;
}

std::vector<HealthCheck> liveness(std::uint64_t loop_ms, std::uint64_t now_ms,
                                  const ReadinessOptions& options) {
  return {loop_check(loop_ms, now_ms, options.dead_ms)};
}

std::string_view role_name(const raft::CoreStatus& core, std::uint64_t loop_ms,
                           std::uint64_t now_ms, const ReadinessOptions& options) {
  return loop_check(loop_ms, now_ms, options.stuck_ms).ok ? raft::name_of(core.role) : "stuck";
}

std::optional<Purpose> purpose_of(std::string_view word) {
  if (word == "write") return Purpose::kWrite;
  if (word == "read") return Purpose::kRead;
  if (word == "stale") return Purpose::kStale;
  return std::nullopt;
}

std::vector<HealthCheck> checks_for(std::vector<HealthCheck> checks, Purpose purpose) {
  constexpr std::string_view kWriting[] = {"disk", "log", "progress"};
  constexpr std::string_view kLocal[] = {"loop", "draining", "quarantine", "member", "snapshot"};
  const auto among = [](const auto& names, const HealthCheck& check) {
    return std::find(std::begin(names), std::end(names), check.name) != std::end(names);
  };
  std::erase_if(checks, [&](const HealthCheck& check) {
    if (purpose == Purpose::kStale) return !among(kLocal, check);
    return purpose == Purpose::kRead && among(kWriting, check);
  });
  return checks;
}

bool all_ok(const std::vector<HealthCheck>& checks) {
  return std::all_of(checks.begin(), checks.end(), [](const HealthCheck& c) { return c.ok; });
}

std::string first_reason(const std::vector<HealthCheck>& checks) {
  for (const auto& one : checks) {
    if (!one.ok) return one.name + ": " + one.reason;
  }
  return "";
}

std::string to_text(const std::vector<HealthCheck>& checks) {
  std::string text;
  for (const auto& one : checks) {
    text +=
        one.ok ? "[+]" + one.name + " ok\n" : "[-]" + one.name + " failed: " + one.reason + "\n";
  }
  return text;
}

}  // namespace server
