// Whether this member can serve, each check with its reason (DESIGN promise 10). Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/replica.h"

namespace server {

/// One line of /readyz. `reason` is empty if ok.
struct HealthCheck {
  std::string name;  // kebab-case
  bool ok = true;
  std::string reason;
};

struct ReadinessOptions {
  std::uint32_t tick_ms = 10;
  std::uint32_t election_ticks = 30;
  std::uint64_t stuck_ms = 300;         // T: a loop that has not turned for so long is stuck
  std::uint64_t dead_ms = 10'000;       // and no more alive after so long
  std::uint64_t max_unapplied = 10000;  // committed entries that are not applied yet
};

/// `loop_ms`: when the loop last turned; zero: never yet.
std::vector<HealthCheck> readiness(const ReplicaStatus& status, std::uint64_t loop_ms,
                                   std::uint64_t now_ms, const ReadinessOptions& options);
/// Only what a restart would mend: needs no peer and no disk.
std::vector<HealthCheck> liveness(std::uint64_t loop_ms, std::uint64_t now_ms,
                                  const ReadinessOptions& options);

/// What this member may call itself: its role in Raft, or "stuck" once its loop has not turned for
/// an election timeout: it will have lost any office by the time it turns again.
std::string_view role_name(const raft::CoreStatus& core, std::uint64_t loop_ms,
                           std::uint64_t now_ms, const ReadinessOptions& options);

/// What a client may want of a member.
enum class Purpose : std::uint8_t { kWrite, kRead, kStale };
/// "write", "read", "stale"; nothing for another word.
std::optional<Purpose> purpose_of(std::string_view word);
/// Only the checks that matter for it: all for writes; for linearizable reads not whether this
/// member's own disk takes entries; for stale reads only what is local.
std::vector<HealthCheck> checks_for(std::vector<HealthCheck> checks, Purpose purpose);

bool all_ok(const std::vector<HealthCheck>& checks);
/// The reason of the first check that failed; empty if none did.
std::string first_reason(const std::vector<HealthCheck>& checks);
/// "[+]name ok" or "[-]name failed: reason", a line each.
std::string to_text(const std::vector<HealthCheck>& checks);

}  // namespace server
