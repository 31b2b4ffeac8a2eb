// The vectors of the hybrid logical clock, and its two invariants.
#include "base/hlc.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace base {
namespace {

TEST(HybridClock, FollowsTheVectors) {
  HybridClock clock;
  EXPECT_EQ(clock.now(1000), HybridTime(1000, 0));
  EXPECT_EQ(clock.now(1000), HybridTime(1000, 1));
  EXPECT_EQ(clock.now(999), HybridTime(1000, 2));
  EXPECT_EQ(clock.receive(HybridTime(1400, 7), 1001).value(), HybridTime(1400, 8));
  EXPECT_EQ(clock.now(1002), HybridTime(1400, 9));
  EXPECT_EQ(clock.receive(HybridTime(1400, 9), 1003).value(), HybridTime(1400, 10));
  EXPECT_EQ(clock.last().value, 0x578000au);
  EXPECT_EQ(clock.receive(HybridTime(1400, 3), 1500).value(), HybridTime(1500, 0));
  EXPECT_EQ(clock.receive(HybridTime(2001, 0), 1500).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(clock.last(), HybridTime(1500, 0)) << "a refused time changes nothing";
  EXPECT_EQ(clock.receive(HybridTime(2000, 0), 1500).value(), HybridTime(2000, 1));
  EXPECT_EQ(clock.now(1600), HybridTime(2000, 2));
}

TEST(HybridClock, AFullCounterBorrowsTheNextMillisecond) {
  HybridClock clock;
  clock.observe(HybridTime(1000, 65535));
  EXPECT_EQ(clock.now(1000), HybridTime(1001, 0));
  HybridClock receiving;
  EXPECT_EQ(receiving.receive(HybridTime(1000, 65535), 900).value(), HybridTime(1001, 0));
}

TEST(HybridClock, ObserveRaisesAndNeverLowers) {
  HybridClock clock;
  clock.observe(HybridTime(900'000, 3));  // far ahead: committed times are never refused
  EXPECT_EQ(clock.now(1000), HybridTime(900'000, 4));
  clock.observe(HybridTime(5, 0));
  EXPECT_EQ(clock.now(1000), HybridTime(900'000, 5));
}

TEST(HybridClock, NeverGoesBackAndExceedsWhatItReceived) {
  Random random(5);
  HybridClock clock(500);
  HybridTime last;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t physical_ms = random.between(10'000, 10'400);
    if (random.chance(2)) {
      const HybridTime remote(physical_ms + random.below(600) - 100,
                              static_cast<std::uint16_t>(random.next()));
      const auto merged = clock.receive(remote, physical_ms);
      ASSERT_EQ(merged.is_ok(), remote.milliseconds() <= physical_ms + 500);
      if (!merged.is_ok()) continue;
      ASSERT_GT(merged.value(), remote);
      ASSERT_GT(merged.value(), last);
      last = merged.value();
    } else {
      const HybridTime now = clock.now(physical_ms);
      ASSERT_GT(now, last);
      last = now;
    }
  }
}

TEST(HybridTime, IsOneNumber) {
  EXPECT_EQ(HybridTime(1400, 10).value, 0x578000au);
  EXPECT_LT(HybridTime(1, 65535), HybridTime(2, 0));
  EXPECT_EQ(HybridTime(7, 9).milliseconds(), 7u);
  EXPECT_EQ(HybridTime(7, 9).counter(), 9u);
}

}  // namespace
}  // namespace base
