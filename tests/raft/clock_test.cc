// DESIGN section 6, rule 8: members refuse a leader's clock, never a committed entry.
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace raft {
namespace {

using testing::Cluster;

class Clock : public ::testing::Test {
 protected:
  void SetUp() override {
    leader_ = cluster_.elect();
    one_ = leader_ % 3 + 1;
    other_ = one_ % 3 + 1;
    propose(1'000'000);
    ASSERT_EQ(cluster_.status(leader_).commit, cluster_.status(leader_).last);
  }
  void bound(std::uint64_t id, std::uint64_t ms) {
    cluster_.step(id, NewestStamp{HybridTime(ms, UINT16_MAX)});
  }
  void propose(std::uint64_t ms) {
    cluster_.step(leader_, Propose{{Proposal{next_id_++, HybridTime(ms, 0), "payload"}}});
    cluster_.settle();
  }
  bool is_committed() { return cluster_.status(leader_).commit == cluster_.status(leader_).last; }

  Cluster cluster_{3};
  std::uint64_t leader_ = 0, one_ = 0, other_ = 0;
  std::uint64_t next_id_ = 1000;
};

TEST_F(Clock, StampsUpToTheBoundAreTaken) {
  bound(one_, 1'000'500);
  bound(other_, 1'000'500);
  propose(1'000'500);
  EXPECT_TRUE(is_committed());
  EXPECT_FALSE(cluster_.has_traced(one_, TraceKind::kClockRefused));
}

TEST_F(Clock, AMajorityThatRefusesEndsTheLeadership) {
  bound(one_, 1'000'500);
  bound(other_, 1'000'500);
  const Index last = cluster_.status(one_).last;
  propose(4'600'000);
  EXPECT_EQ(cluster_.status(one_).last, last) << "nothing was persisted";
  EXPECT_EQ(cluster_.status(other_).last, last);
  EXPECT_NE(cluster_.status(leader_).role, Role::kLeader);
  EXPECT_EQ(cluster_.status(leader_).step_down_reason, "a majority refuses its clock");
  EXPECT_TRUE(cluster_.has_traced(one_, TraceKind::kClockRefused));
  EXPECT_TRUE(cluster_.has_traced(leader_, TraceKind::kClockRefused));
  leader_ = cluster_.elect();
  propose(1'000'400);
  EXPECT_TRUE(is_committed()) << "whoever leads now";
}

/// It holds what is committed, however that is stamped.
TEST_F(Clock, OneThatRefusesAloneFollowsOnceItIsCommitted) {
  bound(one_, 1'000'500);
  propose(4'600'000);
  EXPECT_TRUE(is_committed()) << "by the other two";
  cluster_.run(60);
  EXPECT_EQ(cluster_.leader(), leader_);
  EXPECT_EQ(cluster_.status(one_).commit, cluster_.status(leader_).last);
}

/// A stamp that only counts on says nothing of a clock: members whose clocks were all set back must
/// not stand still until their time has come again.
TEST_F(Clock, WhatOnlyCountsOnIsTaken) {
  propose(4'600'000);
  ASSERT_TRUE(is_committed());
  bound(one_, 1'000'500);
  bound(other_, 1'000'500);
  for (int i = 0; i < 3; ++i) propose(1'000'000);
  EXPECT_TRUE(is_committed());
  EXPECT_EQ(cluster_.leader(), leader_);
}

/// An entry of an earlier term is not the present leader's claim.
TEST_F(Clock, WhatAnEarlierLeaderStampedIsTaken) {
  cluster_.isolate(other_);
  cluster_.cut(leader_, other_);
  propose(4'600'000);  // to one alone, which does not know the time
  ASSERT_EQ(cluster_.status(one_).last, cluster_.status(leader_).last);
  cluster_.crash(leader_);
  cluster_.heal();
  bound(other_, 1'000'500);
  leader_ = cluster_.elect();
  EXPECT_EQ(leader_, one_) << "its log is longer";
  EXPECT_TRUE(is_committed());
  EXPECT_EQ(cluster_.status(other_).last, cluster_.status(one_).last);
}

TEST_F(Clock, AFollowerAsksTheLeaderForATime) {
  cluster_.step(one_, AskForTime{HybridTime(5, 0)});
  ASSERT_EQ(cluster_.network().size(), 1u);
  const Message asked = cluster_.network().front();
  cluster_.network().clear();
  ASSERT_TRUE(std::holds_alternative<WantTime>(asked.body));
  EXPECT_EQ(cluster_.step(leader_, Receive{asked}).wanted_time, HybridTime(5, 0));
  EXPECT_EQ(cluster_.step(leader_, AskForTime{HybridTime(5, 0)}).wanted_time, HybridTime())
      << "the leader itself has nobody to ask";
}

}  // namespace
}  // namespace raft
