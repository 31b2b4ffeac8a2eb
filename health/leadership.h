// When a leader that is slow hands over, and to whom (reference failures.md section 4, "Leader on
// slow"). Pure; time is milliseconds of the caller's clock. A leader that is stalled does not ask
// here: the core steps down by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "health/slow_score.h"

namespace health {

struct LeadershipOptions {
  std::uint64_t tenure_ms = 10'000;  // a leader stays so long before a move that is not urgent
  std::size_t moves_most = 3;        // in the whole cluster
  std::uint64_t moves_within_ms = 600'000;
  std::uint64_t cooldown_ms = 60'000;  // who gave leadership up as slow gets it back no earlier
  std::uint64_t lag_most = 1024;       // entries that a successor may lack
};

/// Another voter as a successor.
struct Candidate {
  base::MemberId id;
  bool sound = false;  // fresh, unstalled, its log agrees
  SpeedClass speed = SpeedClass::kHealthy;
  std::uint64_t lag = 0;                  // entries that it lacks
  std::optional<std::uint64_t> moved_ms;  // since it gave leadership up as slow
};

struct Move {
  base::MemberId to;
  SpeedClass speed = SpeedClass::kHealthy;  // of the successor
};

/// Whether this leader should hand over now. `led_ms`: for how long it has led. `moves_ms`: ages of
/// all hand-overs for slowness in the cluster. Nothing if it is not slow, nobody is a whole class
/// better, or there were too many moves.
std::optional<Move> should_move(SpeedClass own, std::uint64_t led_ms,
                                const std::vector<Candidate>& candidates,
                                const std::vector<std::uint32_t>& moves_ms,
                                const LeadershipOptions& options);

}  // namespace health
