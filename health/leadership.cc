#include "health/leadership.h"

#include <algorithm>
#include <tuple>

namespace health {

std::optional<Move> should_move(SpeedClass own, std::uint64_t led_ms,
                                const std::vector<Candidate>& candidates,
                                const std::vector<std::uint32_t>& moves_ms,
                                const LeadershipOptions& options) {
  if (own != SpeedClass::kSlow || led_ms < options.tenure_ms) return std::nullopt;
  const auto recent = std::count_if(moves_ms.begin(), moves_ms.end(), [&](std::uint32_t age_ms) {
    return age_ms < options.moves_within_ms;
  });
  if (static_cast<std::size_t>(recent) >= options.moves_most) return std::nullopt;
  const Candidate* best = nullptr;
  const auto rank = [](const Candidate& one) { return std::tuple(one.speed, one.lag, one.id); };
  for (const Candidate& one : candidates) {
    const bool cooling = one.moved_ms && *one.moved_ms < options.cooldown_ms;
    if (!one.sound || cooling || one.speed >= own || one.lag > options.lag_most) continue;
    if (best == nullptr || rank(one) < rank(*best)) best = &one;
  }
  if (best == nullptr) return std::nullopt;
  return Move{best->id, best->speed};
}

}  // namespace health
