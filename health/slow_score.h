// How slow a member's disk has been, against its peers and its own past (reference failures.md
// sections 3 and 4; TiKV's slow score). Pure; time is rounds of 250 ms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace health {

/// Worse is greater.
enum class SpeedClass : std::uint8_t { kHealthy = 0, kDegraded = 1, kSlow = 2 };
std::string_view name_of(SpeedClass speed);
/// "0.7 ms", "120 ms".
std::string in_ms(double ms);

/// What a sync may take before a round is bad: 8 times the median of the peers' p99 and of the own
/// usual p99, at least 5 ms. None: neither is known, and so no round is bad.
std::optional<double> slow_above_ms(std::vector<double> peers_p99_ms,
                                    std::optional<double> usual_p99_ms);

/// Invariants:
/// - the score is within [0, 100]: seven bad rounds bring it from nothing to 100, and good ones let
///   it fall to 0 in a minute;
/// - the class gets worse only after a second of it and better only after half a minute, so that
///   nobody is moved back and forth.
class SlowScore {
 public:
  static constexpr std::uint32_t kRoundMs = 250;

  void round(bool bad);
  double score() const { return score_; }
  SpeedClass speed() const { return speed_; }

 private:
  void settle();

  double score_ = 0;
  SpeedClass speed_ = SpeedClass::kHealthy;
  std::uint32_t slow_rounds_ = 0;     // in a row at 80 or above
  std::uint32_t healthy_rounds_ = 0;  // in a row below 20
};

}  // namespace health
