// Elections: Raft paper section 5.2, thesis chapters 3.10, 4.2.3 and 9.6, DESIGN sections 5.2
// and 7.
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

Message envelope(std::uint64_t from, std::uint64_t to, Term term, MessageBody body) {
  Message message;
  message.from = MemberId(from);
  message.to = MemberId(to);
  message.incarnation = Incarnation(100 + from);
  message.opening = Opening{1, from * 1000 + 1};
  message.term = term;
  message.body = std::move(body);
  return message;
}

RequestVote question(Cluster& cluster, std::uint64_t like, bool pre_vote) {
  RequestVote body;
  body.pre_vote = pre_vote;
  body.last_index = cluster.status(like).last;
  body.last_term = cluster.status(like).term;
  return body;
}

bool granted(const Output& output) {
  for (const Message& message : output.send) {
    const auto* reply = std::get_if<RequestVoteReply>(&message.body);
    if (reply != nullptr && reply->granted) return true;
  }
  for (const DeferredMessage& deferred : output.send_once_persisted) {
    const auto* reply = std::get_if<RequestVoteReply>(&deferred.message.body);
    if (reply != nullptr && reply->granted) return true;
  }
  return false;
}

TEST(Election, TimersAreUniformBetweenTAndTwiceT) {
  std::set<std::uint32_t> seen;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Cluster cluster(3, seed);
    std::uint32_t ticks = 0;
    while (!cluster.has_traced(1, TraceKind::kBecamePreCandidate)) {
      cluster.tick(1);
      ++ticks;
    }
    EXPECT_GE(ticks, 30u);
    EXPECT_LT(ticks, 60u);
    seen.insert(ticks);
  }
  EXPECT_GT(seen.size(), 25u);
}

TEST(Election, AnUnboundClusterNeedsEveryVoter) {
  Cluster cluster(5);
  cluster.crash(4);
  cluster.run(400);
  EXPECT_EQ(cluster.leader(), 0u);
  EXPECT_EQ(cluster.status(1).term, Term(0)) << "pre-votes raise no term";
  cluster.restart(4);
  const std::uint64_t leader = cluster.elect();
  const Configuration bound = cluster.status(leader).configuration;
  EXPECT_FALSE(bound.unbound());
  for (const Member& voter : bound.voters) {
    EXPECT_EQ(voter.incarnation, Incarnation(100 + voter.id.value));
  }
  // From now on a majority is enough.
  cluster.run(10);
  cluster.crash(leader);
  cluster.crash(leader % 5 + 1);
  EXPECT_NE(cluster.elect(), 0u);
}

TEST(Election, LaterLeadersBeginWithAnEmptyEntry) {
  Cluster cluster(3);
  const std::uint64_t first = cluster.elect();
  cluster.run(10);
  cluster.crash(first);
  const std::uint64_t second = cluster.elect();
  EXPECT_EQ(cluster.node(second).applied_entries[0]->kind, EntryKind::kConfiguration);
  EXPECT_EQ(cluster.node(second).applied_entries[1]->kind, EntryKind::kEmpty);
}

TEST(Election, VotesAndRequestsWaitForTheirOwnDurability) {
  Cluster cluster(3);
  cluster.elect();
  cluster.run(10);
  const std::uint64_t leader = cluster.leader();
  const std::uint64_t voter = leader % 3 + 1;
  const std::uint64_t candidate = 6 - leader - voter;
  cluster.tick(voter, 30);
  const Term term = cluster.status(voter).term.next();
  const Output output = cluster.step(
      voter, Receive{envelope(candidate, voter, term, question(cluster, voter, false))});
  EXPECT_TRUE(output.send.empty()) << "nothing leaves in a term that is not durable";
  ASSERT_EQ(output.send_once_persisted.size(), 1u);
  ASSERT_EQ(output.persist.size(), 1u);
  EXPECT_EQ(output.send_once_persisted[0].after, output.persist[0].ordinal);
  EXPECT_EQ(output.persist[0].hard_state->vote, MemberId(candidate));
}

TEST(Election, AVoteIsRepeatedOnlyToTheSameOpening) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.run(10);
  const std::uint64_t voter = leader % 3 + 1;
  const std::uint64_t candidate = 6 - leader - voter;
  cluster.tick(voter, 30);
  const Term term = cluster.status(voter).term.next();
  Message asked = envelope(candidate, voter, term, question(cluster, voter, false));
  EXPECT_TRUE(granted(cluster.step(voter, Receive{asked})));
  EXPECT_TRUE(granted(cluster.step(voter, Receive{asked}))) << "the same opening asks again";
  asked.opening = Opening{2, 77};
  asked.recovered = cluster.node(candidate).disk.ordinal;
  EXPECT_FALSE(granted(cluster.step(voter, Receive{asked}))) << "another opening of the candidate";
  Message other = envelope(leader, voter, term, question(cluster, voter, false));
  EXPECT_FALSE(granted(cluster.step(voter, Receive{other}))) << "another candidate";
}

TEST(Election, AVoteSurvivesACrash) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.run(10);
  const std::uint64_t voter = leader % 3 + 1;
  const std::uint64_t candidate = 6 - leader - voter;
  cluster.tick(voter, 30);
  const Term term = cluster.status(voter).term.next();
  const RequestVote body = question(cluster, voter, false);
  cluster.step(voter, Receive{envelope(candidate, voter, term, body)});
  cluster.persist(voter);
  cluster.restart(voter);
  EXPECT_FALSE(granted(cluster.step(voter, Receive{envelope(leader, voter, term, body)})));
  EXPECT_TRUE(granted(cluster.step(voter, Receive{envelope(candidate, voter, term, body)})));
}

TEST(Election, ALiveLeaderMakesVotersSticky) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.run(10);
  const std::uint64_t voter = leader % 3 + 1;
  const std::uint64_t candidate = 6 - leader - voter;
  const Term term = cluster.status(voter).term;
  for (const std::uint64_t asked : {voter, leader}) {
    RequestVote body = question(cluster, voter, true);
    EXPECT_FALSE(
        granted(cluster.step(asked, Receive{envelope(candidate, asked, term.next(), body)})));
    body.pre_vote = false;
    EXPECT_FALSE(
        granted(cluster.step(asked, Receive{envelope(candidate, asked, term.next(), body)})));
    EXPECT_EQ(cluster.status(asked).term, term) << "the term of a refused candidate is not taken";
  }
  RequestVote body = question(cluster, voter, false);
  body.transfer = true;
  EXPECT_TRUE(granted(cluster.step(voter, Receive{envelope(candidate, voter, term.next(), body)})))
      << "unless the leader itself asked for it";
}

TEST(Election, AShorterLogGetsNoVote) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.propose(leader, "more");
  cluster.run(10);
  const std::uint64_t voter = leader % 3 + 1;
  const std::uint64_t candidate = 6 - leader - voter;
  cluster.tick(voter, 30);
  const Term term = cluster.status(voter).term;
  for (const bool pre_vote : {true, false}) {
    RequestVote body = question(cluster, voter, pre_vote);
    body.last_index = body.last_index.previous();
    EXPECT_FALSE(
        granted(cluster.step(voter, Receive{envelope(candidate, voter, term.next(), body)})));
    // A higher last term outweighs any length.
    body.last_index = Index(1);
    body.last_term = term.next();
    EXPECT_TRUE(granted(cluster.step(voter, Receive{envelope(candidate, voter, term + 2, body)})));
  }
}

TEST(Election, StrangersAreIgnored) {
  Cluster cluster(3);
  cluster.elect();
  const Term term = cluster.status(1).term;
  const Output output =
      cluster.step(1, Receive{envelope(9, 1, term + 5, question(cluster, 1, false))});
  EXPECT_TRUE(output.send.empty());
  EXPECT_EQ(cluster.status(1).term, term);
  // And what is for somebody else.
  const Message astray = envelope(2, 3, term + 5, Heartbeat());
  cluster.step(1, Receive{astray});
  EXPECT_EQ(cluster.status(1).term, term);
}

TEST(Election, ABrokenLinkToTheLeaderIsFasterThanSilence) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(3, seed);
    const std::uint64_t leader = cluster.elect();
    cluster.run(10);
    cluster.crash(leader);
    for (std::uint64_t id = 1; id <= 3; ++id) {
      if (id != leader) cluster.step(id, LinkDown{MemberId(leader)});
    }
    std::uint32_t ticks = 0;
    while (cluster.leader() == 0 && ticks < 100) {
      cluster.run(1);
      ++ticks;
    }
    EXPECT_LE(ticks, 12u) << "seed " << seed;
  }
}

TEST(Election, ABrokenLinkToAnotherFollowerChangesNothing) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.run(10);
  const std::uint64_t one = leader % 3 + 1;
  const std::uint64_t other = 6 - leader - one;
  const Term term = cluster.status(leader).term;
  cluster.step(one, LinkDown{MemberId(other)});
  cluster.run(100);
  EXPECT_EQ(cluster.status(leader).term, term);
  EXPECT_EQ(cluster.leader(), leader);
}

TEST(Election, ALeaderThatSleptStepsDownBeforeAnythingElse) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.run(10);
  const std::uint64_t read = cluster.read(leader);
  const Output output = cluster.step(leader, Tick{31});
  EXPECT_EQ(cluster.status(leader).role, Role::kFollower);
  EXPECT_TRUE(output.send.empty());
  EXPECT_EQ(cluster.node(leader).reads[read].code, base::Code::kNotLeader);
  EXPECT_EQ(cluster.status(leader).step_down_reason, "slept for 310 ms");
}

TEST(Election, AFollowerThatSleptBeginsItsTimerAnew) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.run(10);
  const std::uint64_t follower = leader % 3 + 1;
  cluster.step(follower, Tick{500});
  cluster.tick(follower, 29);
  EXPECT_EQ(cluster.status(follower).role, Role::kFollower);
}

TEST(Election, AnOrderlyStepDownHandsOver) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.run(10);
  cluster.step(leader, StepDown{"shutdown"});
  EXPECT_EQ(cluster.status(leader).role, Role::kFollower);
  cluster.settle();
  const std::uint64_t next = cluster.leader();
  EXPECT_NE(next, leader);
  EXPECT_NE(next, 0u) << "without a single tick";
  cluster.propose(leader, "too late");
  EXPECT_EQ(cluster.node(leader).outcomes.back().code, base::Code::kNotLeader);
}

TEST(Election, AnOrderlyStepDownLeavesNothingUnknown) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.run(10);
  cluster.propose(leader, "under way");
  cluster.step(leader, StepDown{"shutdown"});
  EXPECT_EQ(cluster.status(leader).role, Role::kLeader) << "until a successor has it";
  cluster.propose(leader, "too late");
  EXPECT_EQ(cluster.node(leader).outcomes.back().code, base::Code::kNotLeader);
  cluster.settle();
  EXPECT_NE(cluster.leader(), leader);
  EXPECT_NE(cluster.leader(), 0u);
  for (const ProposalOutcome& outcome : cluster.node(leader).outcomes) {
    EXPECT_NE(outcome.code, base::Code::kLeadershipLost);
  }
}

TEST(Election, AnOrderlyStepDownDoesNotWaitForEver) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.run(10);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    if (id != leader) cluster.node(id).hang_log = true;
  }
  cluster.propose(leader, "acknowledged by nobody");
  cluster.step(leader, StepDown{"shutdown"});
  cluster.run(31);
  EXPECT_NE(cluster.status(leader).role, Role::kLeader);
  EXPECT_EQ(cluster.node(leader).outcomes.back().code, base::Code::kLeadershipLost);
}

TEST(Election, ACandidateAsksAgainThoseWhoDidNotAnswer) {
  Cluster cluster(3);
  while (cluster.network().empty()) cluster.tick(1);
  EXPECT_EQ(cluster.network().size(), 2u);
  cluster.network().pop_back();
  cluster.deliver();
  cluster.deliver();
  cluster.tick(1, 5);
  ASSERT_EQ(cluster.network().size(), 1u);
  EXPECT_EQ(cluster.network().front().to, MemberId(3));
}

}  // namespace
}  // namespace raft::testing
