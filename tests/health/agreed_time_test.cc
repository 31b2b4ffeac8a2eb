#include "health/agreed_time.h"

#include <gtest/gtest.h>

namespace health {
namespace {

using base::MemberId;

constexpr MemberId kA(1), kB(2), kC(3), kD(4), kE(5);
const std::vector<MemberId> kThree = {kA, kB, kC};
constexpr std::uint64_t kBoot = 5'000'000'000;
constexpr std::uint64_t kWall = 1'700'000'000'000'000;
constexpr std::int64_t kHour = 3'600'000'000;

/// As reference failures.md section 7 has them.
TEST(Offsets, AreThoseOfNtp) {
  const OffsetSample ahead = offset_of(1000, 1525, 1526, 1051);
  EXPECT_EQ(ahead.offset_us, 500);
  EXPECT_EQ(ahead.delay_us, 50);
  EXPECT_EQ(ahead.span(), (Span{475, 525}));
  const OffsetSample behind = offset_of(1000, 1010, 1011, 1041);
  EXPECT_EQ(behind.offset_us, -10);
  EXPECT_EQ(behind.delay_us, 40);
  EXPECT_EQ(behind.span(), (Span{-30, 10}));
}

TEST(Overlaps, AreThoseOfMarzullo) {
  EXPECT_EQ(overlap_of({{8, 12}, {11, 13}, {10, 12}}), (Overlap{{11, 12}, 3}));
  EXPECT_EQ(overlap_of({{8, 12}, {11, 13}, {14, 15}}), (Overlap{{11, 12}, 2}));
  EXPECT_EQ(overlap_of({{-5, 5}, {-3, 4}, {495, 505}}), (Overlap{{-3, 4}, 2}));
  EXPECT_EQ(overlap_of({{1, 2}, {2, 3}}), (Overlap{{2, 2}, 2})) << "both ends count";
  EXPECT_EQ(overlap_of({{7, 9}}), (Overlap{{7, 9}, 1}));
  EXPECT_EQ(overlap_of({}).sources, 0u);
}

class AgreedTimeTest : public testing::Test {
 protected:
  /// `peer` shows `ahead_us` more than a true clock, and answered within `delay_us`.
  void hear(MemberId peer, std::int64_t ahead_us, std::uint64_t delay_us = 200) {
    time_.sample(peer, now(), wall(ahead_us) - delay_us / 2, delay_us);
  }
  ClockVerdict judge(const std::vector<MemberId>& voters = kThree) {
    time_.agree(kA, voters, now(), wall(own_us_));
    return time_.judge(now(), wall(own_us_));
  }
  std::uint64_t now() const { return kBoot + passed_us_; }
  std::uint64_t wall(std::int64_t ahead_us) const {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(kWall + passed_us_) + ahead_us);
  }

  AgreedTime time_;
  std::int64_t own_us_ = 0;
  std::uint64_t passed_us_ = 0;
};

TEST_F(AgreedTimeTest, AMemberAloneAgreesWithItself) {
  const ClockVerdict verdict = judge({kA});
  EXPECT_EQ(verdict.state, ClockState::kAgreed);
  EXPECT_EQ(verdict.off_us, 0);
}

TEST_F(AgreedTimeTest, WithoutAMajorityNothingIsKnown) {
  EXPECT_EQ(judge().state, ClockState::kUnknown);
  hear(kB, 0);
  EXPECT_EQ(judge().state, ClockState::kAgreed);
  EXPECT_EQ(judge({kA, kB, kC, kD, kE}).state, ClockState::kUnknown);
  hear(kC, 0);
  EXPECT_EQ(judge({kA, kB, kC, kD, kE}).state, ClockState::kAgreed);
}

TEST_F(AgreedTimeTest, TheMajorityIsRightWhoeverAsks) {
  hear(kB, kHour);
  hear(kC, kHour);
  const ClockVerdict verdict = judge();
  EXPECT_EQ(verdict.state, ClockState::kFar);
  EXPECT_NEAR(static_cast<double>(verdict.off_us), -kHour, 5000);
  EXPECT_NEAR(static_cast<double>(verdict.corrected_ms(wall(0) / 1000)),
              static_cast<double>(wall(kHour) / 1000), 5);
  own_us_ = 2 * kHour;
  EXPECT_NEAR(static_cast<double>(judge().off_us), kHour, 5000);
  own_us_ = kHour;
  EXPECT_EQ(judge().state, ClockState::kAgreed) << "its clock was set right";
}

TEST_F(AgreedTimeTest, OneThatIsFarOffChangesNothingForTheOthers) {
  hear(kB, 0);
  hear(kC, -kHour);
  const ClockVerdict verdict = judge();
  EXPECT_EQ(verdict.state, ClockState::kAgreed);
  EXPECT_EQ(verdict.off_us, 0);
}

TEST_F(AgreedTimeTest, TwoThatDisagreeKnowNothing) {
  hear(kB, kHour);
  EXPECT_EQ(judge().state, ClockState::kUnknown);
  hear(kC, -kHour);
  EXPECT_EQ(judge().state, ClockState::kUnknown);
}

TEST_F(AgreedTimeTest, HalfASecondIsTheBound) {
  hear(kB, 480'000);
  hear(kC, 480'000);
  EXPECT_EQ(judge().state, ClockState::kAgreed);
  own_us_ = -60'000;
  EXPECT_EQ(judge().state, ClockState::kFar);
}

TEST_F(AgreedTimeTest, AJumpOfTheOwnClockShowsBeforeTheNextRound) {
  hear(kB, 0);
  hear(kC, 0);
  ASSERT_EQ(judge().state, ClockState::kAgreed);
  EXPECT_EQ(time_.judge(now(), wall(kHour)).state, ClockState::kFar);
  EXPECT_EQ(time_.judge(now(), wall(-kHour)).state, ClockState::kFar);
}

TEST_F(AgreedTimeTest, TheLeastDelayCountsUntilItIsOldOrContradicted) {
  hear(kB, 1000, 100);
  passed_us_ += 1'000'000;
  hear(kB, 60'000, 300'000);
  EXPECT_EQ(time_.offset(kB, now(), wall(0))->delay_us, 100);
  EXPECT_EQ(time_.offset(kB, now(), wall(0))->offset_us, 1000);
  // Its clock was set: what came before says nothing.
  passed_us_ += 100'000;
  hear(kB, kHour, 5000);
  EXPECT_EQ(time_.offset(kB, now(), wall(0))->offset_us, kHour);
  passed_us_ += AgreedTime::kWindowUs;
  hear(kB, kHour, 9000);
  EXPECT_EQ(time_.offset(kB, now(), wall(0))->delay_us, 5000);
  passed_us_ += 1;
  EXPECT_EQ(time_.offset(kB, now(), wall(0))->delay_us, 9000);
  passed_us_ += AgreedTime::kWindowUs;
  EXPECT_FALSE(time_.offset(kB, now(), wall(0)).has_value());
}

TEST_F(AgreedTimeTest, ALongDelayIsNoAlarm) {
  hear(kB, 0, 2'000'000);
  hear(kC, 0, 2'000'000);
  EXPECT_EQ(judge().state, ClockState::kAgreed);
}

TEST_F(AgreedTimeTest, WhoIsNoVoterDoesNotCount) {
  hear(kB, kHour);
  hear(kC, kHour);
  EXPECT_EQ(judge({kB, kC}).state, ClockState::kFar) << "the voters agree without this learner";
  EXPECT_EQ(judge({kA, kB}).state, ClockState::kUnknown);
}

TEST(DescribeOff, IsForPeople) {
  EXPECT_EQ(describe_off(kHour),
            "its clock is 3600.0 s ahead of the time that a majority agrees on");
  EXPECT_EQ(describe_off(-749'999), "its clock is 0.7 s behind the time that a majority agrees on");
}

}  // namespace
}  // namespace health
