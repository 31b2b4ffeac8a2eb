#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace base {
namespace {

TEST(Histogram, EmptyAnswersZero) {
  const Histogram empty;
  EXPECT_EQ(empty.count(), 0u);
  EXPECT_EQ(empty.max(), 0u);
  EXPECT_EQ(empty.quantile(0.5), 0u);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (std::uint64_t value = 0; value < 128; ++value) histogram.record(value);
  EXPECT_EQ(histogram.quantile(0), 0u);
  EXPECT_EQ(histogram.quantile(1.0 / 128), 0u);
  EXPECT_EQ(histogram.quantile(0.5), 63u);
  EXPECT_EQ(histogram.quantile(1), 127u);
}

TEST(Histogram, TheWholeRangeOf64BitsHasItsPlace) {
  for (const std::uint64_t value :
       {std::uint64_t{1}, std::uint64_t{1} << 32, std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    Histogram histogram;
    histogram.record(value);
    EXPECT_EQ(histogram.quantile(0.5), value);
    EXPECT_EQ(histogram.max(), value);
  }
}

/// The value at the rank that quantile() means.
std::uint64_t exact(const std::vector<std::uint64_t>& sorted, double quantile) {
  const double rank = std::ceil(quantile * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

TEST(Histogram, AQuantileIsAtMostOne64thAboveTheTrueOne) {
  Random random(1);
  for (const int bits : {8, 20, 40, 63}) {
    Histogram histogram;
    std::vector<std::uint64_t> values;
    for (int i = 0; i < 20'000; ++i) {
      values.push_back(random.next() >> (64 - random.between(1, static_cast<unsigned>(bits))));
      histogram.record(values.back());
    }
    std::sort(values.begin(), values.end());
    for (const double quantile : {0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
      const std::uint64_t truth = exact(values, quantile);
      const std::uint64_t reported = histogram.quantile(quantile);
      EXPECT_GE(reported, truth) << bits << " " << quantile;
      EXPECT_LE(reported, truth + truth / 64) << bits << " " << quantile;
    }
    EXPECT_EQ(histogram.quantile(1), values.back());
  }
}

TEST(Histogram, MergingIsRecordingTogether) {
  Random random(2);
  Histogram one, other, both;
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t value = random.next() >> random.between(20, 60);
    (i % 3 == 0 ? one : other).record(value);
    both.record(value);
  }
  Histogram reversed = other;
  reversed.merge(one);
  one.merge(other);
  EXPECT_EQ(reversed.max(), both.max());
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.sum(), both.sum());
  EXPECT_EQ(one.max(), both.max());
  for (int i = 0; i <= 1000; ++i) EXPECT_EQ(one.quantile(i / 1000.0), both.quantile(i / 1000.0));
  one.merge(Histogram());
  EXPECT_EQ(one.count(), both.count());
}

TEST(HistogramDeath, AQuantileIsAShare) {
  EXPECT_DEATH((void)Histogram().quantile(1.1), "CHECK failed");
  EXPECT_DEATH((void)Histogram().quantile(-0.1), "CHECK failed");
}

}  // namespace
}  // namespace base
