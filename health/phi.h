// Phi accrual: how surprising the silence of a link is, given how regularly it spoke (reference
// failures.md section 1; Hayashibara et al. 2004, with Akka's curve). Pure; time is milliseconds of
// the caller's clock. It grades links; it never elects (DESIGN section 7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace health {

/// phi of a silence of `silent_ms` where intervals have this mean and deviation and a pause is
/// forgiven. Finite for every argument; 0.301 at mean + pause; negative silences count as none.
double phi(double silent_ms, double mean_ms, double deviation_ms, double pause_ms);

struct PhiOptions {
  std::uint32_t heartbeat_ms = 50;      // the first interval is taken to be this
  std::uint32_t pause_ms = 50;          // forgiven on top of the mean
  std::uint32_t deviation_min_ms = 20;  // and at least a quarter of the mean
  std::size_t window = 200;             // intervals that are remembered
  double suspect = 8;                   // at this phi an interval says nothing of the usual ones
  double reported_max = 1000;
};

/// The silences of one link.
/// Invariants:
/// - at most `window` intervals are kept, as whole milliseconds, and their sums are exact;
/// - an outage does not become the usual: the interval that ends it is left out, and so are bursts
///   of what had piled up (shorter than a quarter of a heartbeat).
class PhiAccrual {
 public:
  explicit PhiAccrual(const PhiOptions& options) : options_(options) {}

  /// Something was heard. Times that go back count as no time.
  void heard(std::uint64_t now_ms);
  /// 0 before anything was heard.
  double value(std::uint64_t now_ms) const;
  /// Of the intervals that are remembered.
  double mean_ms() const;
  /// With its floors.
  double deviation_ms() const;
  std::size_t samples() const { return intervals_ms_.size(); }

 private:
  void remember(std::uint64_t interval_ms);

  PhiOptions options_;
  std::vector<std::uint64_t> intervals_ms_;  // a ring once it is full
  std::size_t next_ = 0;                     // to be overwritten
  std::uint64_t sum_ms_ = 0;
  std::uint64_t square_sum_ms_ = 0;  // of milliseconds squared
  bool heard_ = false;
  std::uint64_t heard_at_ms_ = 0;
};

}  // namespace health
