#include "health/phi.h"

#include <algorithm>
#include <cmath>

namespace health {
namespace {

/// log(1 + e^z) without overflow.
double softplus(double z) {
  return z > 0 ? z + std::log1p(std::exp(-z)) : std::log1p(std::exp(z));
}

}  // namespace

double phi(double silent_ms, double mean_ms, double deviation_ms, double pause_ms) {
  const double y = (std::max(silent_ms, 0.0) - mean_ms - pause_ms) / deviation_ms;
  return softplus(y * (1.5976 + 0.070566 * y * y)) / std::log(10.0);
}

void PhiAccrual::heard(std::uint64_t now_ms) {
  if (!heard_) {
    heard_ = true;
    heard_at_ms_ = now_ms;
    remember(options_.heartbeat_ms);
    return;
  }
  if (now_ms <= heard_at_ms_) return;
  const std::uint64_t interval_ms = now_ms - heard_at_ms_;
  const bool suspected = value(now_ms) >= options_.suspect;
  const bool burst = interval_ms < options_.heartbeat_ms / 4;
  heard_at_ms_ = now_ms;
  if (!suspected && !burst) remember(interval_ms);
}

void PhiAccrual::remember(std::uint64_t interval_ms) {
  if (intervals_ms_.size() < options_.window) {
    intervals_ms_.push_back(interval_ms);
  } else {
    std::uint64_t& oldest = intervals_ms_[next_];
    sum_ms_ -= oldest;
    square_sum_ms_ -= oldest * oldest;
    oldest = interval_ms;
    next_ = (next_ + 1) % options_.window;
  }
  sum_ms_ += interval_ms;
  square_sum_ms_ += interval_ms * interval_ms;
}

double PhiAccrual::mean_ms() const {
  if (intervals_ms_.empty()) return options_.heartbeat_ms;
  return static_cast<double>(sum_ms_) / static_cast<double>(intervals_ms_.size());
}

double PhiAccrual::deviation_ms() const {
  const double floor_ms = std::max<double>(options_.deviation_min_ms, mean_ms() / 4);
  if (intervals_ms_.empty()) return floor_ms;
  // n·Σx² − (Σx)² in integers: nothing cancels.
  const std::uint64_t n = intervals_ms_.size();
  const double spread = static_cast<double>(n * square_sum_ms_ - sum_ms_ * sum_ms_);
  return std::max(floor_ms, std::sqrt(spread) / static_cast<double>(n));
}

double PhiAccrual::value(std::uint64_t now_ms) const {
  if (!heard_) return 0;
  const std::uint64_t silent_ms = now_ms > heard_at_ms_ ? now_ms - heard_at_ms_ : 0;
  return std::min(options_.reported_max, phi(static_cast<double>(silent_ms), mean_ms(),
                                             deviation_ms(), options_.pause_ms));
}

}  // namespace health
