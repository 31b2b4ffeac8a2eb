// The generator never changes: golden files and incident replays rest on it.
#include "base/random.h"

#include <gtest/gtest.h>

#include <array>

namespace base {
namespace {

TEST(Random, IsSplitMix64) {  // the vectors of its reference implementation
  Random zero(0);
  EXPECT_EQ(zero.next(), 0xe220a8397b1dcdafu);
  EXPECT_EQ(zero.next(), 0x6e789e6aa1b965f4u);
  EXPECT_EQ(zero.next(), 0x06c45d188009454fu);
  EXPECT_EQ(zero.next(), 0xf88bb8a8724c81ecu);
  Random other(1234567);
  EXPECT_EQ(other.next(), 0x599ed017fb08fc85u);
  EXPECT_EQ(other.next(), 0x2c73f08458540fa5u);
}

TEST(Random, DerivedNumbersAreFixedToo) {
  Random random(42);
  EXPECT_EQ(random.below(1000), 741u);
  EXPECT_EQ(random.between(10, 20), 11u);
  EXPECT_TRUE(random.chance(3));
  EXPECT_DOUBLE_EQ(random.unit(), 0.34419071652363753);
}

TEST(Random, StaysWithinItsBoundsAndReachesBoth) {
  Random random(1);
  bool low = false, high = false;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LT(random.below(7), 7u);
    const auto number = random.between(3, 5);
    EXPECT_TRUE(number >= 3 && number <= 5);
    low |= number == 3;
    high |= number == 5;
    const double unit = random.unit();
    EXPECT_TRUE(unit >= 0 && unit < 1);
    EXPECT_EQ(random.below(1), 0u);
  }
  EXPECT_TRUE(low && high);
  (void)random.between(0, ~std::uint64_t{0});
  EXPECT_EQ(random.between(9, 9), 9u);
}

TEST(Random, IsEvenlySpread) {
  Random random(2);
  std::array<int, 10> counts{};
  for (int i = 0; i < 100'000; ++i) ++counts[random.below(10)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500);
}

TEST(RandomDeath, BoundsMustMakeSense) {
  Random random(1);
  EXPECT_DEATH(random.below(0), "CHECK failed");
  EXPECT_DEATH(random.between(2, 1), "CHECK failed");
}

}  // namespace
}  // namespace base
