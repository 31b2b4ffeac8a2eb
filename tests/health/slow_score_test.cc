// What slow means, and that it is neither forgotten nor held against anybody too long.
#include "health/slow_score.h"

#include <gtest/gtest.h>

namespace health {
namespace {

TEST(SlowAbove, IsAgainstPeersAndTheOwnPast) {
  EXPECT_EQ(slow_above_ms({}, {}), std::nullopt) << "nothing to compare with";
  EXPECT_EQ(slow_above_ms({0.1, 0.2}, 0.1), 5) << "never below 5 ms";
  EXPECT_EQ(slow_above_ms({1, 100}, 2), 16) << "one slow peer does not make slow usual";
  EXPECT_EQ(slow_above_ms({2, 4}, {}), 24);
  EXPECT_EQ(slow_above_ms({100, 100}, 100), 800) << "if all are slow nobody stands out";
}

TEST(InMs, IsShort) {
  EXPECT_EQ(in_ms(0.04), "0.0 ms");
  EXPECT_EQ(in_ms(0.66), "0.7 ms");
  EXPECT_EQ(in_ms(9.96), "10 ms");
  EXPECT_EQ(in_ms(123.4), "123 ms");
}

struct Member {
  void rounds(int count, bool bad) {
    for (int i = 0; i < count; ++i) score.round(bad);
  }
  SlowScore score;
};

TEST(SlowScore, SevenBadRoundsAreEnough) {
  Member member;
  member.rounds(6, true);
  EXPECT_LT(member.score.score(), 80);
  member.rounds(1, true);
  EXPECT_EQ(member.score.score(), 100);
}

TEST(SlowScore, IsSlowWithinThreeSeconds) {
  Member member;
  int rounds = 0;
  while (member.score.speed() != SpeedClass::kSlow && rounds < 100) {
    member.rounds(1, true);
    ++rounds;
  }
  EXPECT_LE(rounds * SlowScore::kRoundMs, 3000u);
  EXPECT_GE(rounds * SlowScore::kRoundMs, 2000u) << "not by one hiccup";
}

TEST(SlowScore, AHiccupIsNothing) {
  Member member;
  for (int i = 0; i < 200; ++i) {
    member.rounds(2, true);
    member.rounds(20, false);
  }
  EXPECT_EQ(member.score.speed(), SpeedClass::kHealthy);
}

TEST(SlowScore, FallsInAMinuteAndIsWellHalfAMinuteLater) {
  Member member;
  member.rounds(40, true);
  ASSERT_EQ(member.score.speed(), SpeedClass::kSlow);
  member.rounds(192, false);  // 48 s: below 20
  EXPECT_LE(member.score.score(), 20.01);
  EXPECT_EQ(member.score.speed(), SpeedClass::kSlow) << "not yet";
  member.rounds(48, false);
  EXPECT_NEAR(member.score.score(), 0, 1e-9);
  EXPECT_EQ(member.score.speed(), SpeedClass::kSlow);
  member.rounds(80, false);
  EXPECT_EQ(member.score.speed(), SpeedClass::kHealthy);
}

TEST(SlowScore, StaysWithinItsBounds) {
  Member member;
  member.rounds(1000, true);
  EXPECT_EQ(member.score.score(), 100);
  member.rounds(1000, false);
  EXPECT_EQ(member.score.score(), 0);
}

TEST(SlowScore, HasNames) {
  EXPECT_EQ(name_of(SpeedClass::kHealthy), "healthy");
  EXPECT_EQ(name_of(SpeedClass::kDegraded), "degraded");
  EXPECT_EQ(name_of(SpeedClass::kSlow), "slow");
}

}  // namespace
}  // namespace health
