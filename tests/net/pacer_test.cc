// When bytes may leave under each fault: never out of order, never lost, all at once when it ends.
#include "net/pacer.h"

#include <gtest/gtest.h>

namespace net {
namespace {

constexpr std::uint64_t kNow = 5'000'000;

TEST(Pacer, WithoutAFaultEverythingIsDueAtOnce) {
  Pacer pacer(1);
  pacer.written(100, kNow, {});
  pacer.written(50, kNow, {});
  EXPECT_EQ(pacer.take_due(kNow, {}), 150u);
  EXPECT_EQ(pacer.take_due(kNow, {}), 0u);
  EXPECT_EQ(pacer.ask_again_us(kNow), std::nullopt);
}

TEST(Pacer, ADelayIsForEachAndHalfAsMuchMoreAtMost) {
  Pacer pacer(1);
  const Impairment slow{.delay_ms = 100};
  for (int i = 0; i < 50; ++i) pacer.written(10, kNow + 1000 * static_cast<unsigned>(i), slow);
  EXPECT_EQ(pacer.take_due(kNow + 99'999, slow), 0u);
  const std::size_t some = pacer.take_due(kNow + 160'000, slow);
  EXPECT_GT(some, 0u);
  EXPECT_LT(some, 500u);
  EXPECT_EQ(some + pacer.take_due(kNow + 49'000 + 150'000, slow), 500u);
}

TEST(Pacer, WhatIsCutWaitsAndGoesWhenItEnds) {
  Pacer pacer(1);
  const Impairment cut{.cut = true};
  pacer.written(100, kNow, cut);
  EXPECT_EQ(pacer.take_due(kNow + 3'600'000'000, cut), 0u);
  EXPECT_TRUE(pacer.ask_again_us(kNow).has_value());
  EXPECT_EQ(pacer.take_due(kNow, {}), 100u);
}

TEST(Pacer, ARateIsKept) {
  Pacer pacer(1);
  const Impairment narrow{.rate_bytes_s = 10'000};
  for (int i = 0; i < 100; ++i) pacer.written(1000, kNow, narrow);
  std::size_t passed = 0;
  for (std::uint64_t s = 1; s <= 10; ++s) {
    passed += pacer.take_due(kNow + s * 1'000'000, narrow);
    EXPECT_EQ(passed, s * 10'000);
  }
}

TEST(Pacer, ALargePacketHoldsWhatComesAfterIt) {
  Pacer pacer(1);
  const Impairment hole{.large_lost = true};
  pacer.written(1400, kNow, hole);
  EXPECT_EQ(pacer.take_due(kNow + 1, hole), 1400u);
  pacer.written(1401, kNow + 2, hole);
  pacer.written(10, kNow + 3, hole);
  EXPECT_EQ(pacer.take_due(kNow + 60'000'000, hole), 0u);
  EXPECT_EQ(pacer.take_due(kNow + 60'000'000, {}), 1411u);
}

TEST(Pacer, ALossStallsByATimeout) {
  Pacer pacer(7);
  const Impairment lossy{.loss_percent = 30};
  int stalled = 0;
  std::uint64_t now = kNow;
  for (int i = 0; i < 1000; ++i) {
    pacer.written(10, now, lossy);
    if (pacer.take_due(now, lossy) == 10) continue;
    ++stalled;
    EXPECT_EQ(pacer.take_due(now + 199'999, lossy), 0u);
    now += 60'000'000;
    EXPECT_EQ(pacer.take_due(now, lossy), 10u);
  }
  EXPECT_GT(stalled, 230);
  EXPECT_LT(stalled, 370);
}

/// With something to send every 20 ms a loss costs a few of those, not a timeout that doubles.
TEST(Pacer, WhatIsSentLaterShowsTheGap) {
  Pacer pacer(7);
  const Impairment lossy{.loss_percent = 30};
  std::uint64_t waited_us = 0, longest_us = 0, whole_since = kNow;
  std::uint64_t now = kNow;
  std::size_t written = 0, taken = 0;
  for (int i = 0; i < 5000; ++i, now += 20'000) {
    pacer.written(10, now, lossy);
    written += 10;
    taken += pacer.take_due(now, lossy) + pacer.take_due(now + 5000, lossy);
    if (taken == written) whole_since = now + 20'000;
    waited_us += now + 20'000 - whole_since;
    longest_us = std::max(longest_us, now + 20'000 - whole_since);
  }
  EXPECT_LT(waited_us / 5000, 60'000u) << "on the average";
  EXPECT_GT(waited_us / 5000, 5'000u) << "nothing was lost";
  EXPECT_LT(longest_us, 800'000u);
}

}  // namespace
}  // namespace net
