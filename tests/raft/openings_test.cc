// Openings, incarnations, quarantine in whole clusters: DESIGN sections 5.2, 5.3; 6, rules 4 and 5.
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

struct Openings : ::testing::Test {
  void start(std::uint64_t size = 3) {
    cluster = std::make_unique<Cluster>(size);
    leader = cluster->elect();
    cluster->run(10);
    one = leader % size + 1;
    other = one % size + 1;
  }
  Index match_of(std::uint64_t id) {
    for (const PeerStatus& peer : cluster->status(leader).peers) {
      if (peer.id == MemberId(id)) return peer.match;
    }
    return Index();
  }
  std::unique_ptr<Cluster> cluster;
  std::uint64_t leader = 0, one = 0, other = 0;
};

TEST_F(Openings, ANewOpeningResetsWhatTheLeaderBelieved) {
  start();
  EXPECT_EQ(match_of(one), Index(1));
  cluster->restart(one);
  cluster->tick(leader, 5);
  cluster->deliver();
  cluster->deliver();
  EXPECT_EQ(match_of(one), Index(0));
  EXPECT_TRUE(cluster->has_traced(leader, TraceKind::kPeerReset));
  cluster->settle();
  EXPECT_EQ(match_of(one), Index(1));
}

TEST_F(Openings, RepliesToAnEarlierOpeningAreDropped) {
  start();
  cluster->restart(leader);
  const Term term = cluster->status(leader).term;
  Message reply;
  reply.from = MemberId(one);
  reply.to = MemberId(leader);
  reply.incarnation = Incarnation(100 + one);
  reply.opening = cluster->node(one).options.opening;
  reply.to_opening = Opening{1, leader * 1000 + 1};
  reply.term = term + 5;
  reply.body = HeartbeatReply();
  cluster->step(leader, Receive{reply});
  EXPECT_EQ(cluster->status(leader).term, term);
  reply.to_opening = cluster->node(leader).options.opening;
  cluster->step(leader, Receive{reply});
  EXPECT_EQ(cluster->status(leader).term, term + 5);
}

TEST_F(Openings, ARolledBackMemberIsToldAndCountsForNothing) {
  start();
  const Disk old = cluster->node(one).disk;
  cluster->propose(leader, "value");
  cluster->run(10);
  cluster->restart(one);
  cluster->run(10);
  cluster->crash(one);
  cluster->node(one).disk = old;
  cluster->restart(one);
  cluster->cut(one, other);  // or it would be made whole again
  cluster->run(20);
  ASSERT_EQ(cluster->node(one).quarantines.size(), 1u) << "said once";
  EXPECT_TRUE(cluster->status(one).quarantined);
  EXPECT_EQ(cluster->status(one).commit, cluster->status(leader).commit) << "it still takes part";
  // Neither its acknowledgement nor its support nor its vote counts.
  cluster->crash(other);
  const Index before = cluster->status(leader).commit;
  cluster->propose(leader, "uncommitted");
  const std::uint64_t read = cluster->read(leader);
  cluster->settle();
  EXPECT_EQ(cluster->status(one).durable, cluster->status(leader).last);
  EXPECT_EQ(cluster->status(leader).commit, before);
  EXPECT_FALSE(cluster->node(leader).reads.contains(read));
  cluster->run(70);
  EXPECT_NE(cluster->status(leader).role, Role::kLeader);
  cluster->run(300);
  EXPECT_EQ(cluster->leader(), 0u);
  EXPECT_EQ(cluster->status(one).role, Role::kFollower) << "it never campaigns";
  cluster->restart(other);
  EXPECT_NE(cluster->elect(), 0u);
  cluster->run(20);
  EXPECT_TRUE(cluster->status(one).quarantined) << "it knows the term of one other only";
  cluster->heal();
  cluster->run(20);
  EXPECT_FALSE(cluster->status(one).quarantined);
  EXPECT_FALSE(cluster->node(one).disk.quarantined) << "and that is written down";
  cluster->restart(one);
  cluster->run(20);
  EXPECT_EQ(cluster->node(one).quarantines.size(), 1u)
      << "nobody holds the old ordinals against it";
}

/// What a leader said before it heard this opening may be from before what the earlier one
/// acknowledged (reference recovery.md, hole 7).
TEST_F(Openings, AStatementFromBeforeThisOpeningEndsNoQuarantine) {
  start();
  cluster->tick(leader, 5);
  std::optional<Message> early;
  for (const Message& message : cluster->network()) {
    const bool to_one = message.to == MemberId(one) && message.from == MemberId(leader);
    if (to_one && std::holds_alternative<Heartbeat>(message.body)) early = message;
  }
  ASSERT_TRUE(early.has_value());
  cluster->settle();
  const Index before = cluster->status(leader).last;
  ASSERT_EQ(std::get<Heartbeat>(early->body).progress.last, before);
  cluster->propose(leader, "acknowledged");
  cluster->settle();
  ASSERT_EQ(match_of(one), before.next());

  cluster->crash(one);
  Disk& disk = cluster->node(one).disk;
  disk.entries.pop_back();
  disk.quarantined = true;
  disk.quarantine_reason = "lost synced data";
  cluster->restart(one);
  cluster->cut(leader, one);
  cluster->cut(one, leader);
  cluster->tick(one, 10);
  cluster->settle();  // the other one has said its term
  AppendEntries matches;
  matches.previous_index = before;
  matches.previous_term = disk.entries.back()->term;
  matches.previous_hash = disk.entries.back()->hash;
  Message late = *early;
  late.body = matches;
  cluster->inject(*early);
  cluster->inject(late);
  cluster->persist(one);
  EXPECT_TRUE(cluster->status(one).quarantined) << "it had acknowledged more";
  cluster->heal();
  cluster->run(20);
  EXPECT_FALSE(cluster->status(one).quarantined);
  EXPECT_EQ(cluster->status(one).last, cluster->status(leader).last);
}

TEST_F(Openings, TheSameEpochTwiceIsARollback) {
  start();
  Message message;
  message.from = MemberId(one);
  message.to = MemberId(leader);
  message.incarnation = Incarnation(100 + one);
  message.opening = Opening{1, 999};
  message.recovered = cluster->node(one).disk.ordinal;
  message.term = cluster->status(leader).term + 5;
  message.body = RequestVote{false, true, Index(9), Term(9)};
  const Output output = cluster->step(leader, Receive{message});
  ASSERT_EQ(output.send.size(), 1u);
  const auto* refusal = std::get_if<Refusal>(&output.send[0].body);
  ASSERT_NE(refusal, nullptr);
  EXPECT_EQ(refusal->reason, RefusalReason::kRolledBack);
  EXPECT_EQ(output.send[0].to_opening, message.opening);
  EXPECT_EQ(cluster->leader(), leader);
}

TEST_F(Openings, ALateMessageOfAnEarlierOpeningQuarantinesNobody) {
  start();
  cluster->tick(leader, 5);
  std::deque<Message> late = cluster->network();
  cluster->settle();
  cluster->tick(one, 70);
  late.insert(late.end(), cluster->network().begin(), cluster->network().end());
  cluster->network().clear();
  for (std::uint64_t id = 1; id <= 3; ++id) {
    cluster->restart(id);
  }
  cluster->elect();
  for (const Message& message : late) cluster->inject(message);
  cluster->run(50);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    EXPECT_TRUE(cluster->node(id).quarantines.empty());
    EXPECT_FALSE(cluster->status(id).quarantined);
  }
}

TEST_F(Openings, AnotherDirectoryUnderABoundIdIsRefused) {
  start();
  cluster->wipe(one);
  cluster->restart(one);
  cluster->run(10);
  EXPECT_FALSE(cluster->status(one).quarantined);
  EXPECT_TRUE(cluster->has_traced(leader, TraceKind::kPeerRefused));
  cluster->crash(other);
  const Index before = cluster->status(leader).commit;
  cluster->propose(leader, "uncommitted");
  cluster->run(50);
  EXPECT_EQ(cluster->status(leader).commit, before);
  cluster->run(300);
  EXPECT_EQ(cluster->leader(), 0u);
}

TEST_F(Openings, BeforeTheFirstEntryAMemberMayBeginAnew) {
  cluster = std::make_unique<Cluster>(3);
  cluster->crash(3);
  cluster->run(100);
  cluster->wipe(2);
  cluster->restart(2);
  cluster->restart(3);
  leader = cluster->elect();
  ASSERT_NE(leader, 0u);
  EXPECT_EQ(cluster->status(leader).configuration.find(MemberId(2))->incarnation,
            Incarnation(1102));
}

TEST_F(Openings, ARefusalForAnotherOpeningOrFromAStrangerIsNoReasonToPanic) {
  start();
  Message refusal;
  refusal.from = MemberId(other);
  refusal.to = MemberId(one);
  refusal.incarnation = Incarnation(100 + other);
  refusal.opening = cluster->node(other).options.opening;
  refusal.to_opening = Opening{1, 5};
  refusal.body = Refusal{RefusalReason::kRolledBack, Ordinal{9, 9}};
  cluster->step(one, Receive{refusal});
  EXPECT_FALSE(cluster->status(one).quarantined);
  refusal.to_opening = cluster->node(one).options.opening;
  refusal.incarnation = Incarnation(5);
  cluster->step(one, Receive{refusal});
  EXPECT_FALSE(cluster->status(one).quarantined);
  refusal.incarnation = Incarnation(100 + other);
  cluster->step(one, Receive{refusal});
  EXPECT_TRUE(cluster->status(one).quarantined);
}

TEST_F(Openings, ALeaderThatIsToldStepsDown) {
  start();
  Message refusal;
  refusal.from = MemberId(other);
  refusal.to = MemberId(leader);
  refusal.incarnation = Incarnation(100 + other);
  refusal.opening = cluster->node(other).options.opening;
  refusal.to_opening = cluster->node(leader).options.opening;
  refusal.body = Refusal{RefusalReason::kRolledBack, Ordinal{9, 9}};
  const Output output = cluster->step(leader, Receive{refusal});
  EXPECT_TRUE(output.quarantine.has_value());
  EXPECT_EQ(cluster->status(leader).role, Role::kFollower);
  const std::uint64_t was = leader;
  leader = cluster->elect();
  EXPECT_NE(leader, was);
}

}  // namespace
}  // namespace raft::testing
