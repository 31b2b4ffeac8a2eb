// The one source of randomness inside the pure code: seeded, portable, the same for ever.
#pragma once

#include <cstdint>

#include "base/check.h"

namespace base {

/// SplitMix64 (Steele, Lea, Flood 2014). The same seed gives the same numbers on every platform,
/// which std's distributions do not promise. One thread at a time.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  /// Uniform in [0, bound). Requires: bound > 0. The bias is below bound / 2^64.
  std::uint64_t below(std::uint64_t bound) {
    CHECK(bound > 0);
    return static_cast<std::uint64_t>(static_cast<Wide>(next()) * bound >> 64);
  }
  /// Uniform in [low, high]. Requires: low <= high.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    CHECK(low <= high);
    if (low == 0 && high == ~std::uint64_t{0}) return next();
    return low + below(high - low + 1);
  }
  /// True once in about one_in calls. Requires: one_in > 0.
  bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
  /// Uniform in [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

 private:
  __extension__ typedef unsigned __int128 Wide;

  std::uint64_t state_;
};

}  // namespace base
