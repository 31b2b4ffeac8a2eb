#include "health/slow_score.h"

#include <algorithm>

namespace health {
namespace {

constexpr double kFloorMs = 5;
constexpr double kTimesUsual = 8;
constexpr double kMost = 100;
constexpr double kFirst = 1.6;              // doubled six times: above 100
constexpr double kFall = kMost / (60 * 4);  // a round, over a minute
constexpr double kHealthyBelow = 20;
constexpr double kSlowFrom = 80;
constexpr std::uint32_t kSlowRounds = 4;       // a second
constexpr std::uint32_t kHealthyRounds = 120;  // half a minute

}  // namespace

std::string_view name_of(SpeedClass speed) {
  switch (speed) {
    case SpeedClass::kHealthy:
      return "healthy";
    case SpeedClass::kDegraded:
      return "degraded";
    case SpeedClass::kSlow:
      return "slow";
  }
  return "?";
}

std::string in_ms(double ms) {
  const auto tenths = static_cast<std::uint64_t>(std::max(0.0, ms) * 10 + 0.5);
  if (tenths >= 100) return std::to_string((tenths + 5) / 10) + " ms";
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " ms";
}

std::optional<double> slow_above_ms(std::vector<double> peers_p99_ms,
                                    std::optional<double> usual_p99_ms) {
  if (usual_p99_ms) peers_p99_ms.push_back(*usual_p99_ms);
  if (peers_p99_ms.empty()) return std::nullopt;
  std::sort(peers_p99_ms.begin(), peers_p99_ms.end());
  const std::size_t half = peers_p99_ms.size() / 2;
  const double median = peers_p99_ms.size() % 2 == 1
                            ? peers_p99_ms[half]
                            : (peers_p99_ms[half - 1] + peers_p99_ms[half]) / 2;
  return std::max(kFloorMs, kTimesUsual * median);
}

void SlowScore::round(bool bad) {
  score_ = bad ? std::min(kMost, std::max(kFirst, 2 * score_)) : std::max(0.0, score_ - kFall);
  slow_rounds_ = score_ >= kSlowFrom ? slow_rounds_ + 1 : 0;
  healthy_rounds_ = score_ < kHealthyBelow ? healthy_rounds_ + 1 : 0;
  settle();
}

void SlowScore::settle() {
  if (slow_rounds_ >= kSlowRounds) {
    speed_ = SpeedClass::kSlow;
  } else if (healthy_rounds_ >= kHealthyRounds) {
    speed_ = SpeedClass::kHealthy;
  } else if (speed_ == SpeedClass::kHealthy && score_ >= kHealthyBelow) {
    speed_ = SpeedClass::kDegraded;
  }
}

}  // namespace health
