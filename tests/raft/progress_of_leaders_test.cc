// Leadership must be earned by progress: DESIGN promise 5, failures.md section 4.
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

struct ProgressOfLeaders : ::testing::Test {
  void start(void (*tune)(Options& options) = nullptr, std::uint64_t size = 3) {
    cluster = std::make_unique<Cluster>(size, 1, tune);
    leader = cluster->elect();
    cluster->run(10);
    one = leader % size + 1;
    other = one % size + 1;
  }
  /// Ticks until somebody else leads, at most `limit`.
  std::uint32_t until_another_leads(std::uint32_t limit) {
    for (std::uint32_t ticks = 0; ticks < limit; ++ticks) {
      const std::uint64_t now = cluster->leader();
      if (now != 0 && now != leader && cluster->status(now).can_read) return ticks;
      cluster->run(1);
    }
    return limit;
  }
  std::unique_ptr<Cluster> cluster;
  std::uint64_t leader = 0, one = 0, other = 0;
};

TEST_F(ProgressOfLeaders, AHungLogCostsTheLeadershipWithinTwoTimeouts) {
  start();
  cluster->node(leader).hang_log = true;
  cluster->propose(leader, "value");
  const std::uint32_t ticks = until_another_leads(300);
  EXPECT_LE(ticks, 62u);
  EXPECT_EQ(cluster->status(leader).step_down_reason,
            "log sync pending for 600 ms without a completion");
  EXPECT_TRUE(cluster->status(leader).stalled);
  // It neither campaigns nor helps anyone to, until a write completes.
  const std::uint64_t was = leader;
  leader = cluster->leader();
  cluster->crash(leader);
  cluster->node(was).trace.clear();
  cluster->run(200);
  EXPECT_EQ(cluster->leader(), 0u);
  EXPECT_FALSE(cluster->has_traced(was, TraceKind::kBecamePreCandidate));
  cluster->node(was).hang_log = false;
  EXPECT_NE(cluster->elect(), 0u);
  EXPECT_FALSE(cluster->status(was).stalled);
}

TEST_F(ProgressOfLeaders, AHungApplyDoesTheSame) {
  start();
  cluster->node(leader).hang_apply = true;
  cluster->propose(leader, "value");
  EXPECT_LE(until_another_leads(300), 63u);
  EXPECT_EQ(cluster->status(leader).step_down_reason,
            "apply pending for 600 ms without a completion");
  cluster->node(leader).hang_apply = false;
  cluster->run(10);
  EXPECT_FALSE(cluster->status(leader).stalled);
}

TEST_F(ProgressOfLeaders, AnUnfitLeaderGivesUpAtOnce) {
  start();
  cluster->step(leader, SelfAssessment{false, "the volume probe failed"});
  EXPECT_EQ(cluster->status(leader).role, Role::kFollower);
  cluster->settle();
  EXPECT_NE(cluster->leader(), 0u);
  EXPECT_EQ(cluster->status(leader).step_down_reason, "the volume probe failed");
  EXPECT_EQ(cluster->status(leader).stall_reason, "the volume probe failed");
  cluster->step(leader, SelfAssessment{true, ""});
  EXPECT_FALSE(cluster->status(leader).stalled);
}

TEST_F(ProgressOfLeaders, WhoIsBarredDoesAllButLead) {
  start();
  const SelfAssessment barred{true, "", false, "its clock is 7.0 s ahead of the others"};
  cluster->step(leader, barred);
  EXPECT_EQ(cluster->status(leader).role, Role::kFollower);
  EXPECT_EQ(cluster->status(leader).step_down_reason, barred.barred);
  EXPECT_FALSE(cluster->status(leader).stalled);
  cluster->settle();
  const std::uint64_t next = cluster->leader();
  ASSERT_NE(next, 0u) << "it was handed over";
  // It votes and stores: with it alone the other one can be elected, and commit.
  const std::uint64_t third = 6 - leader - next;
  cluster->crash(next);
  EXPECT_LT(until_another_leads(300), 300u);
  EXPECT_EQ(cluster->leader(), third);
  cluster->propose(third, "value");
  cluster->run(10);
  EXPECT_EQ(cluster->status(third).commit, cluster->status(third).last);
  // And it never stands itself, until it may.
  cluster->crash(third);
  cluster->restart(next);
  cluster->step(next, SelfAssessment{true, "", false, "likewise"});
  cluster->run(300);
  EXPECT_EQ(cluster->leader(), 0u);
  cluster->step(leader, SelfAssessment{});
  cluster->run(300);
  EXPECT_EQ(cluster->leader(), leader);
}

TEST_F(ProgressOfLeaders, ASlowLogThatMovesKeepsItsLeader) {
  start();
  for (int i = 0; i < 20; ++i) {
    cluster->node(leader).hang_log = true;
    cluster->propose(leader, "value");
    cluster->propose(leader, "value");
    cluster->run(50);
    cluster->persist(leader, 1);
  }
  EXPECT_EQ(cluster->leader(), leader);
  EXPECT_FALSE(cluster->has_traced(leader, TraceKind::kStalled));
}

/// Whoever is slow leaves the office to the others, and takes it if nobody else can.
TEST_F(ProgressOfLeaders, ASlowMemberStandsForElectionAfterTheOthers) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    cluster = std::make_unique<Cluster>(3, seed);
    leader = cluster->elect();
    one = leader % 3 + 1, other = one % 3 + 1;
    cluster->step(one, SelfAssessment{true, "", true});
    cluster->run(10);
    EXPECT_EQ(cluster->leader(), leader) << "slow is not stalled";
    cluster->crash(leader);
    EXPECT_LT(until_another_leads(300), 300u);
    EXPECT_EQ(cluster->leader(), other) << "seed " << seed;
  }
}

TEST_F(ProgressOfLeaders, ASlowMemberLeadsIfNobodyElseCan) {
  start();
  cluster->step(one, SelfAssessment{true, "", true});
  cluster->run(10);
  cluster->step(other, SelfAssessment{false, "sick"});
  cluster->crash(leader);
  cluster->step(other, SelfAssessment{true, "", true});
  EXPECT_LT(until_another_leads(300), 300u);
}

TEST_F(ProgressOfLeaders, TheSuccessorOfAStalledLeaderIsNotTheSlowOne) {
  for (const bool slow_is_one : {true, false}) {
    start();
    cluster->step(slow_is_one ? one : other, SelfAssessment{true, "", true});
    cluster->run(10);
    cluster->step(leader, SelfAssessment{false, "sick"});
    cluster->run(2);
    EXPECT_EQ(cluster->leader(), slow_is_one ? other : one);
  }
}

/// What took its quorum, such as a path that loses large packets, would take it again.
TEST_F(ProgressOfLeaders, ALeaderThatLostItsQuorumLetsTheOthersStandFirst) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    cluster = std::make_unique<Cluster>(3, seed);
    leader = cluster->elect();
    for (const std::uint64_t each : {leader % 3 + 1, (leader + 1) % 3 + 1}) {
      cluster->cut(each, leader);
    }
    for (int i = 0; i < 100 && cluster->leader() == leader; ++i) cluster->run(1);
    cluster->heal();
    EXPECT_LT(until_another_leads(300), 300u) << "seed " << seed;
    EXPECT_NE(cluster->leader(), leader) << "seed " << seed;
  }
}

TEST_F(ProgressOfLeaders, ALeaderThatLostItsQuorumWithTheOnlyWholeLogIsNoDeadEnd) {
  start();
  cluster->crash(other);
  cluster->cut(leader, one);
  cluster->propose(leader, "on one disk");
  cluster->run(100);
  ASSERT_EQ(cluster->leader(), 0u);
  cluster->heal();
  cluster->run(4 * 30 + 20);
  EXPECT_NE(cluster->leader(), 0u);
}

TEST_F(ProgressOfLeaders, AHandOverTellsItsReason) {
  start();
  cluster->step(leader, TransferLeadership{1, MemberId(one), "its disk is slow"});
  EXPECT_LT(until_another_leads(300), 300u);
  EXPECT_EQ(cluster->leader(), one);
  EXPECT_EQ(cluster->status(leader).step_down_reason, "its disk is slow");
}

TEST_F(ProgressOfLeaders, AnIdleLeaderIsNotStalled) {
  start();
  cluster->node(leader).hang_log = true;
  cluster->run(500);
  EXPECT_EQ(cluster->leader(), leader);
}

/// Without the reaction of the leader its followers withdraw; without both nothing happens, which
/// is what makes the two worth having.
/// A candidacy that comes to nothing is begun again, and the leader is forsaken all the while: its
/// heartbeats alone bring nobody back.
TEST_F(ProgressOfLeaders, WhoWithdrewDoesNotComeBackBetweenTwoCandidacies) {
  start();
  Message heartbeat;
  heartbeat.from = MemberId(leader);
  heartbeat.to = MemberId(one);
  heartbeat.incarnation = Incarnation(100 + leader);
  heartbeat.opening = cluster->node(leader).options.opening;
  heartbeat.term = cluster->status(one).term;
  Heartbeat body;
  body.progress.stalled = true;
  heartbeat.body = body;
  cluster->isolate(one);
  cluster->node(one).trace.clear();
  std::uint64_t candidacies = 0;
  for (int i = 0; i < 400; ++i) {
    cluster->step(one, Receive{heartbeat});
    cluster->tick(one);
    if (cluster->has_traced(one, TraceKind::kBecamePreCandidate)) ++candidacies;
    cluster->node(one).trace.clear();
    if (candidacies > 0) {
      ASSERT_EQ(cluster->status(one).role, Role::kPreCandidate) << "tick " << i;
    }
  }
  EXPECT_GE(candidacies, 3u) << "each of at most two timeouts";
}

TEST_F(ProgressOfLeaders, FollowersWithdrawFromALeaderThatDoesNotReact) {
  start([](Options& options) { options.step_down_on_stall = false; });
  cluster->node(leader).hang_log = true;
  cluster->propose(leader, "value");
  EXPECT_LE(until_another_leads(400), 60u + 5 + 60 + 5);
  EXPECT_TRUE(cluster->has_traced(one, TraceKind::kSupportWithdrawn));
}

/// A leader that does not even know: the ages that it reports are enough.
TEST_F(ProgressOfLeaders, FollowersJudgeTheAgesInTheReport) {
  start();
  cluster->tick(leader, 5);
  Message heartbeat;
  for (const Message& message : cluster->network()) {
    if (message.to == MemberId(one)) heartbeat = message;
  }
  auto& report = std::get<Heartbeat>(heartbeat.body).progress;
  const auto supports = [&] {
    const Output output = cluster->step(one, Receive{heartbeat});
    return std::get<HeartbeatReply>(output.send.at(0).body).supports;
  };
  report.log_pending_ticks = 65;
  EXPECT_TRUE(supports());
  report.log_pending_ticks = 66;
  EXPECT_FALSE(supports());
  report.log_pending_ticks = 0;
  report.apply_pending_ticks = 66;
  EXPECT_FALSE(supports());
  report.apply_pending_ticks = 0;
  EXPECT_TRUE(supports());
  report.stalled = true;
  EXPECT_FALSE(supports());
  // Its heartbeats no longer hold off the timer.
  for (int i = 0; i < 60 && cluster->status(one).role == Role::kFollower; ++i) {
    cluster->step(one, Receive{heartbeat});
    cluster->tick(one);
  }
  EXPECT_EQ(cluster->status(one).role, Role::kPreCandidate);
}

TEST_F(ProgressOfLeaders, WithoutBothReactionsAZombieLeads) {
  start([](Options& options) {
    options.step_down_on_stall = false;
    options.withdraw_support = false;
  });
  cluster->node(leader).hang_log = true;
  cluster->propose(leader, "value");
  EXPECT_EQ(until_another_leads(1000), 1000u);
}

TEST_F(ProgressOfLeaders, ALeaderWithoutSupportConfirmsNoRead) {
  start([](Options& options) { options.step_down_on_stall = false; });
  cluster->node(leader).hang_log = true;
  cluster->propose(leader, "value");
  cluster->run(66);
  ASSERT_EQ(cluster->leader(), leader);
  const std::uint64_t read = cluster->read(leader);
  cluster->settle();
  EXPECT_FALSE(cluster->node(leader).reads.contains(read));
}

TEST_F(ProgressOfLeaders, NobodyIsHandedOverToWhoIsWorse) {
  start();
  // `one` has the log that goes furthest, and is stalled itself.
  cluster->node(one).hang_apply = true;
  cluster->propose(leader, "value");
  cluster->run(40);
  cluster->isolate(leader);
  cluster->run(1);
  cluster->heal();
  cluster->run(30);
  ASSERT_TRUE(cluster->status(one).stalled);
  ASSERT_EQ(cluster->leader(), leader);
  cluster->step(leader, StepDown{"test"});
  EXPECT_FALSE(cluster->has_traced(leader, TraceKind::kHandedOver))
      << "the other alone is no quorum";
}

TEST_F(ProgressOfLeaders, CheckQuorum) {
  start();
  cluster->cut(one, leader);
  cluster->cut(other, leader);
  const std::uint64_t proposal = cluster->propose(leader, "value");
  const std::uint64_t read = cluster->read(leader);
  cluster->run(55);
  EXPECT_EQ(cluster->status(leader).role, Role::kLeader);
  cluster->run(6);
  EXPECT_NE(cluster->status(leader).role, Role::kLeader);
  EXPECT_EQ(cluster->node(leader).outcomes.back().id, proposal);
  EXPECT_EQ(cluster->node(leader).outcomes.back().code, base::Code::kLeadershipLost);
  EXPECT_EQ(cluster->node(leader).reads[read].code, base::Code::kNotLeader);
}

TEST_F(ProgressOfLeaders, OneFollowerIsEnoughOfThree) {
  start();
  cluster->isolate(one);
  cluster->run(300);
  EXPECT_EQ(cluster->leader(), leader);
}

/// Links that carry small messages only: heartbeats are answered, entries never are.
TEST_F(ProgressOfLeaders, FollowersThatTakeNoEntriesDoNotHoldUpALeader) {
  start();
  cluster->propose(leader, "value");
  bool led_on = true;
  for (int i = 0; i < 200 && led_on; ++i) {
    for (std::uint64_t id = 1; id <= 3; ++id) cluster->step(id, Tick{1});
    for (int round = 0; round < 4; ++round) {
      std::erase_if(cluster->network(),
                    [](const Message& message) { return lane_of(message) == Lane::kBulk; });
      cluster->deliver();
      for (std::uint64_t id = 1; id <= 3; ++id) cluster->persist(id);
    }
    led_on = cluster->status(leader).role == Role::kLeader;
  }
  EXPECT_FALSE(led_on);
}

TEST_F(ProgressOfLeaders, ReportsTravelBothWays) {
  start();
  cluster->node(one).hang_log = true;
  cluster->propose(leader, "value");
  cluster->run(30);
  const CoreStatus status = cluster->status(leader);
  for (const PeerStatus& peer : status.peers) {
    if (peer.id == MemberId(one)) {
      EXPECT_GE(peer.progress.log_pending_ticks, 20u);
      EXPECT_LT(peer.progress.durable, status.last);
      EXPECT_EQ(peer.progress.last, status.last);
    } else {
      EXPECT_EQ(peer.progress.log_pending_ticks, 0u);
      EXPECT_EQ(peer.progress.applied, status.last);
    }
  }
}

TEST_F(ProgressOfLeaders, AStalledFollowerGrantsNoPreVote) {
  start();
  cluster->node(one).hang_apply = true;
  cluster->propose(leader, "value");
  cluster->run(70);
  ASSERT_TRUE(cluster->status(one).stalled);
  EXPECT_EQ(cluster->leader(), leader) << "a stalled follower is no reason to change the leader";
  cluster->crash(leader);
  cluster->run(200);
  EXPECT_EQ(cluster->leader(), 0u);
}

}  // namespace
}  // namespace raft::testing
