#include "raft/progress.h"

#include <gtest/gtest.h>

namespace raft {
namespace {

constexpr std::size_t kMessages = 3;
constexpr std::size_t kBytes = 100;

Progress replicating(std::uint64_t match) {
  Progress progress(Index(match + 1));
  progress.sent(Index(match), 0);
  EXPECT_TRUE(progress.acknowledged(Index(match)));
  EXPECT_EQ(progress.state(), Progress::State::kReplicate);
  return progress;
}

TEST(Progress, AProbeIsOneMessageAtATime) {
  Progress progress(Index(8));
  EXPECT_TRUE(progress.may_send(kMessages, kBytes));
  progress.sent(Index(7), 0);
  EXPECT_FALSE(progress.may_send(kMessages, kBytes));
  EXPECT_TRUE(progress.acknowledged(Index(7)));
  EXPECT_TRUE(progress.may_send(kMessages, kBytes));
  EXPECT_EQ(progress.next(), Index(8));
}

TEST(Progress, TheWindowIsBoundedInMessagesAndInBytes) {
  Progress progress = replicating(7);
  for (std::uint64_t i = 8; i < 11; ++i) progress.sent(Index(i), 10);
  EXPECT_FALSE(progress.may_send(kMessages, kBytes));
  progress.acknowledged(Index(9));
  EXPECT_TRUE(progress.may_send(kMessages, kBytes));
  progress.sent(Index(11), 95);
  EXPECT_FALSE(progress.may_send(kMessages, kBytes));
  progress.acknowledged(Index(11));
  EXPECT_TRUE(progress.may_send(kMessages, kBytes));
}

TEST(Progress, ARejectionGoesBackToTheHintButNeverBelowMatch) {
  Progress progress = replicating(7);
  progress.sent(Index(20), 10);
  progress.sent(Index(30), 10);
  EXPECT_TRUE(progress.rejected(Index(20), Index(3), false));
  EXPECT_EQ(progress.state(), Progress::State::kProbe);
  EXPECT_EQ(progress.next(), Index(8));
  EXPECT_TRUE(progress.may_send(kMessages, kBytes));
  // Answers to what was sent before say nothing any more.
  EXPECT_FALSE(progress.rejected(Index(30), Index(3), false));
  EXPECT_FALSE(progress.rejected(Index(6), Index(3), false));
}

TEST(Progress, BacktrackingAlwaysGoesOn) {
  Progress progress(Index(10));
  for (std::uint64_t previous = 9; previous > 0; --previous) {
    progress.sent(Index(previous), 0);
    // A hint that does not help.
    ASSERT_TRUE(progress.rejected(Index(previous), Index(1000), false));
    ASSERT_EQ(progress.next(), Index(previous));
  }
}

TEST(Progress, TheWatchdogFallsBackToProbing) {
  Progress progress = replicating(7);
  progress.sent(Index(8), 10);
  for (int i = 0; i < 14; ++i) EXPECT_FALSE(progress.tick(true, false, 15));
  EXPECT_TRUE(progress.tick(true, false, 15));
  EXPECT_EQ(progress.state(), Progress::State::kProbe);
  EXPECT_EQ(progress.next(), Index(8));
  // A follower whose write is pending has it all.
  progress.sent(Index(8), 10);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(progress.tick(true, true, 15));
  EXPECT_EQ(progress.stuck_ticks(), 115u);
}

TEST(Progress, AnswersKeepTheWatchdogQuiet) {
  Progress progress = replicating(7);
  for (std::uint64_t i = 8; i < 100; ++i) {
    progress.sent(Index(i), 10);
    progress.sent(Index(i), 10);
    ASSERT_FALSE(progress.tick(true, false, 3));
    progress.acknowledged(Index(i - 1));
  }
}

TEST(Progress, ANewOpeningForgetsEverything) {
  Progress progress = replicating(7);
  progress.sent(Index(8), 10);
  progress.reset(Index(9));
  EXPECT_EQ(progress.match(), Index(0));
  EXPECT_EQ(progress.next(), Index(9));
  EXPECT_EQ(progress.state(), Progress::State::kProbe);
  EXPECT_TRUE(progress.may_send(kMessages, kBytes));
}

TEST(Progress, DivergenceWaitsForTheWatchdog) {
  Progress progress(Index(8));
  progress.sent(Index(7), 0);
  EXPECT_TRUE(progress.rejected(Index(7), Index(6), true));
  EXPECT_FALSE(progress.may_send(kMessages, kBytes));
}

TEST(Progress, OneLoadAtATime) {
  Progress progress = replicating(7);
  EXPECT_TRUE(progress.may_load());
  progress.load_asked(10);
  EXPECT_FALSE(progress.may_load());
  for (int i = 0; i < 10; ++i) progress.tick(true, false, 100);
  EXPECT_TRUE(progress.may_load());
}

}  // namespace
}  // namespace raft
