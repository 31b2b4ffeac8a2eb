// When the log was where.
#include "server/timelines.h"

#include <gtest/gtest.h>

namespace server {
namespace {

using base::Index;
using base::MemberId;

raft::CoreSummary core(std::uint64_t last, std::uint64_t durable, std::uint64_t commit,
                       std::uint64_t applied) {
  raft::CoreSummary core;
  core.last = Index(last), core.durable = Index(durable);
  core.commit = Index(commit), core.applied = Index(applied);
  return core;
}

TEST(Timelines, SayWhenEachMarkReachedAnIndex) {
  Timelines timelines;
  timelines.note(1, core(10, 10, 10, 10), {{MemberId(2), Index(10)}});
  timelines.note(100, core(13, 10, 10, 10), {{MemberId(2), Index(10)}});
  timelines.note(200, core(13, 13, 10, 10), {{MemberId(2), Index(12)}});
  timelines.note(300, core(13, 13, 13, 10), {{MemberId(2), Index(13)}});
  const auto of_12 = timelines.reached(Index(12));
  EXPECT_EQ(of_12.appended_us, 100u);
  EXPECT_EQ(of_12.durable_us, 200u);
  EXPECT_EQ(of_12.committed_us, 300u);
  EXPECT_EQ(of_12.applied_us, std::nullopt);
  ASSERT_EQ(of_12.acknowledged_us.size(), 1u);
  EXPECT_EQ(of_12.acknowledged_us.front(), std::pair(MemberId(2), std::uint64_t{200}));
  EXPECT_EQ(timelines.reached(Index(10)).appended_us, std::nullopt) << "before the first look";
}

TEST(Timelines, ALogThatIsCutBackVoidsWhatWasAbove) {
  Timelines timelines;
  timelines.note(1, core(1, 1, 1, 1), {});
  timelines.note(100, core(5, 1, 1, 1), {});
  timelines.note(200, core(2, 1, 1, 1), {});
  timelines.note(300, core(6, 1, 1, 1), {});
  EXPECT_EQ(timelines.reached(Index(5)).appended_us, 300u);
  EXPECT_TRUE(timelines.reached(Index(5)).acknowledged_us.empty()) << "it does not lead";
}

TEST(Timelines, ForgetTheOldest) {
  Timelines timelines;
  timelines.note(1, core(1, 1, 1, 1), {});
  for (std::uint64_t i = 2; i < 3 * Timelines::kKept; ++i)
    timelines.note(i * 10, core(i, 1, 1, 1), {});
  EXPECT_EQ(timelines.reached(Index(5)).appended_us, std::nullopt);
  const std::uint64_t newest = 3 * Timelines::kKept - 1;
  EXPECT_EQ(timelines.reached(Index(newest)).appended_us, newest * 10);
}

}  // namespace
}  // namespace server
