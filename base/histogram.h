// A log-linear histogram in the manner of HdrHistogram: mergeable, fixed size, about 1.6 % wide.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace base {

/// Values are non-negative 64-bit numbers in one unit that the owner states (microseconds, mostly).
/// 64 linear steps a power of two, so a reported quantile is at most 1/64 above the true one.
/// Invariant: count() equals the sum of all buckets. One thread at a time; merge to combine.
class Histogram {
 public:
  void record(std::uint64_t value);
  void merge(const Histogram& other);
  std::uint64_t count() const { return count_; }
  std::uint64_t max() const { return max_; }
  std::uint64_t sum() const { return sum_; }
  /// The smallest bucket bound below or at which a share `quantile` of the values lies; 0 when
  /// empty. Requires: 0 <= quantile <= 1.
  std::uint64_t quantile(double quantile) const;

 private:
  static constexpr std::size_t kSubBits = 6;
  static constexpr std::size_t kSub = std::size_t{1} << kSubBits;
  static constexpr std::size_t kBuckets = (64 - kSubBits + 1) * kSub;
  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t upper_bound_of(std::size_t bucket);

  std::array<std::uint64_t, kBuckets> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace base
