// A slow leader hands over to somebody who is better, and otherwise stays.
#include "health/leadership.h"

#include <gtest/gtest.h>

namespace health {
namespace {

using base::MemberId;

Candidate well(std::uint64_t id) {
  Candidate candidate;
  candidate.id = MemberId(id);
  candidate.sound = true;
  return candidate;
}

class Leadership : public ::testing::Test {
 protected:
  std::uint64_t chosen(SpeedClass own = SpeedClass::kSlow) {
    const auto move = should_move(own, led_ms_, candidates_, moves_ms_, LeadershipOptions());
    return move ? move->to.value : 0;
  }
  std::uint64_t led_ms_ = 60'000;
  std::vector<Candidate> candidates_ = {well(2), well(3)};
  std::vector<std::uint32_t> moves_ms_;
};

TEST_F(Leadership, OnlySlowOnesMove) {
  EXPECT_EQ(chosen(SpeedClass::kHealthy), 0u);
  EXPECT_EQ(chosen(SpeedClass::kDegraded), 0u);
  EXPECT_EQ(chosen(), 2u);
}

TEST_F(Leadership, NotBeforeItsTenure) {
  led_ms_ = 9'999;
  EXPECT_EQ(chosen(), 0u);
}

TEST_F(Leadership, ToNobodyWhoIsAsSlow) {
  candidates_[0].speed = SpeedClass::kSlow;
  candidates_[1].speed = SpeedClass::kDegraded;
  EXPECT_EQ(chosen(), 3u);
  candidates_[1].speed = SpeedClass::kSlow;
  EXPECT_EQ(chosen(), 0u) << "if all are slow nothing moves";
}

TEST_F(Leadership, TheFastestAndThenTheOneWithTheLongestLog) {
  candidates_[0].speed = SpeedClass::kDegraded;
  candidates_[1].lag = 500;
  EXPECT_EQ(chosen(), 3u);
  candidates_[0].speed = SpeedClass::kHealthy;
  EXPECT_EQ(chosen(), 2u);
}

TEST_F(Leadership, ToNobodyWhoIsUnsoundOrFarBehind) {
  candidates_[0].sound = false;
  candidates_[1].lag = 2000;
  EXPECT_EQ(chosen(), 0u);
}

TEST_F(Leadership, NotBackToWhoHasJustGivenItUp) {
  candidates_[0].moved_ms = 59'000;
  EXPECT_EQ(chosen(), 3u);
  candidates_[1].moved_ms = 61'000;
  EXPECT_EQ(chosen(), 3u) << "a minute later it may";
}

TEST_F(Leadership, ThreeMovesInTenMinutesAreEnough) {
  moves_ms_ = {599'000, 300'000, 20'000};
  EXPECT_EQ(chosen(), 0u);
  moves_ms_ = {600'001, 300'000, 20'000};
  EXPECT_EQ(chosen(), 2u);
}

}  // namespace
}  // namespace health
