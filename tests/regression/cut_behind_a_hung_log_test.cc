// Found by holdfast-jepsen (suite ci, mixed-kill+isolate+hang-disk-5, seed 1017): a leader whose
// log hung had applied, on its followers' disks, more than its own log held. It asked for its log
// to be cut at the last entry that was durable, which was the last one there: the log keeps that
// one, and the process ended on its CHECK.
#include <gtest/gtest.h>

#include "tests/server/members.h"

namespace {

using base::Index;
using server::testing::Member;
using server::testing::Members;

TEST(CutBehindAHungLog, LeavesTheLastEntryThatTheLogHas) {
  server::ReplicaOptions options;
  options.log_bytes = 100;
  Members members(3, options);
  Member& leader = members.elect();
  std::uint64_t request = 100;
  const auto write = [&] {
    for (int i = 0; i < 5; ++i) leader.replica().write(++request, "x");
    leader.replica().pump();
    members.settle();
  };
  write();
  leader.log_hangs = true;
  const Index in_log = leader.status().core.durable;
  write();
  ASSERT_EQ(leader.status().core.durable, in_log);
  ASSERT_GT(leader.status().core.applied, in_log) << "its followers' disks committed it";
  leader.durable = leader.status().core.applied;
  leader.log_bytes = 2000;
  for (int i = 0; i < 210 && leader.cuts.empty(); ++i) members.tick();
  ASSERT_FALSE(leader.cuts.empty());
  EXPECT_LT(leader.cuts.front().through, in_log);
}

}  // namespace
