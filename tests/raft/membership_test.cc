// Membership: Raft paper section 6, thesis chapter 4, DESIGN sections 5.2 and 7.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

class Membership : public ::testing::Test {
 protected:
  void start(std::uint64_t size) {
    cluster_ = std::make_unique<Cluster>(size);
    leader_ = cluster_->elect();
    cluster_->run(10);
  }
  Configuration configuration() { return cluster_->status(leader_).configuration; }
  static Member learner(std::uint64_t id, bool promote) {
    Member member{MemberId(id)};
    member.promote = promote;
    return member;
  }
  static void insert(std::vector<Member>& members, const Member& member) {
    members.push_back(member);
    std::sort(members.begin(), members.end(),
              [](const Member& a, const Member& b) { return a.id < b.id; });
  }
  static void erase(std::vector<Member>& members, std::uint64_t id) {
    std::erase_if(members, [&](const Member& each) { return each.id.value == id; });
  }
  Configuration with_learner(std::uint64_t id, bool promote) {
    Configuration next = configuration();
    insert(next.learners, learner(id, promote));
    return next;
  }
  Configuration without(std::uint64_t id) {
    Configuration next = configuration();
    erase(next.voters, id);
    erase(next.learners, id);
    return next;
  }
  ProposalOutcome outcome_of(std::uint64_t proposal, std::uint64_t id) {
    const auto& outcomes = cluster_->node(id).outcomes;
    const auto at = std::find_if(outcomes.begin(), outcomes.end(),
                                 [&](const ProposalOutcome& each) { return each.id == proposal; });
    if (at == outcomes.end()) return {proposal, base::Code::kInternal, Term(), Index()};
    return *at;
  }
  base::Code change(const Configuration& next) {
    return outcome_of(cluster_->change(leader_, next), leader_).code;
  }
  bool votes(std::uint64_t id) {
    const Configuration now = configuration();
    return std::any_of(now.voters.begin(), now.voters.end(),
                       [&](const Member& each) { return each.id.value == id; });
  }
  void expect_commits() {
    cluster_->propose(leader_, "value");
    cluster_->run(20);
    EXPECT_EQ(cluster_->status(leader_).commit, cluster_->status(leader_).last);
  }

  std::unique_ptr<Cluster> cluster_;
  std::uint64_t leader_ = 0;
};

TEST_F(Membership, ANewMemberLearnsIsBoundCatchesUpAndVotes) {
  start(3);
  for (int i = 0; i < 20; ++i) cluster_->propose(leader_, "value");
  cluster_->run(10);
  cluster_->join(4);
  cluster_->run(100);
  EXPECT_EQ(cluster_->status(4).role, Role::kFollower) << "it waits, and never campaigns";
  EXPECT_EQ(cluster_->status(4).term, Term());
  EXPECT_EQ(change(with_learner(4, true)), base::Code::kOk);
  cluster_->run(100);
  EXPECT_TRUE(votes(4));
  EXPECT_TRUE(configuration().learners.empty());
  EXPECT_FALSE(configuration().joint());
  EXPECT_EQ(configuration().find(MemberId(4))->incarnation, Incarnation(104));
  EXPECT_EQ(cluster_->status(4).applied, cluster_->status(leader_).last);
  EXPECT_EQ(cluster_->status(4).configuration, configuration());
  // Four voters: three are needed, and it is one of them.
  const std::uint64_t other = leader_ % 3 + 1;
  cluster_->crash(other);
  expect_commits();
}

TEST_F(Membership, ALearnerWithoutPromotionStaysOneAndCountsForNothing) {
  start(3);
  cluster_->join(4);
  EXPECT_EQ(change(with_learner(4, false)), base::Code::kOk);
  cluster_->run(100);
  EXPECT_FALSE(votes(4));
  ASSERT_EQ(configuration().learners.size(), 1u);
  EXPECT_TRUE(bool(configuration().learners[0].incarnation)) << "bound all the same";
  EXPECT_EQ(cluster_->status(4).applied, cluster_->status(leader_).last);
  // One voter of three and the learner are no majority.
  for (std::uint64_t id = 1; id <= 3; ++id) {
    if (id != leader_) cluster_->crash(id);
  }
  const Index before = cluster_->status(leader_).commit;
  cluster_->propose(leader_, "value");
  cluster_->run(20);
  EXPECT_EQ(cluster_->status(leader_).commit, before);
  cluster_->run(200);
  EXPECT_EQ(cluster_->leader(), 0u);
  EXPECT_EQ(cluster_->status(4).role, Role::kFollower) << "it does not campaign";
}

TEST_F(Membership, ALearnerWhoseLogWasCutAwayGetsASnapshot) {
  start(3);
  for (int i = 0; i < 20; ++i) cluster_->propose(leader_, "value");
  cluster_->run(10);
  cluster_->cut_log(leader_, cluster_->status(leader_).commit.previous());
  cluster_->join(4);
  change(with_learner(4, true));
  cluster_->run(150);
  EXPECT_TRUE(cluster_->has_traced(4, TraceKind::kSnapshotInstalled));
  EXPECT_TRUE(votes(4));
}

TEST_F(Membership, ThreeGrowToFiveAndShrinkBack) {
  start(3);
  for (const std::uint64_t id : {4u, 5u}) {
    cluster_->join(id);
    EXPECT_EQ(change(with_learner(id, true)), base::Code::kOk);
    cluster_->run(100);
    EXPECT_TRUE(votes(id));
  }
  expect_commits();
  for (const std::uint64_t id : {5u, 4u}) {
    EXPECT_EQ(change(without(id)), base::Code::kOk);
    cluster_->run(30);
    EXPECT_FALSE(votes(id));
  }
  expect_commits();
  EXPECT_EQ(configuration().voters.size(), 3u);
  // Who was removed disturbs nobody.
  const Term term = cluster_->status(leader_).term;
  cluster_->run(300);
  EXPECT_EQ(cluster_->leader(), leader_);
  EXPECT_EQ(cluster_->status(leader_).term, term);
}

TEST_F(Membership, ALeaderThatIsRemovedHandsOverAndGoes) {
  start(3);
  const std::uint64_t gone = leader_;
  EXPECT_EQ(change(without(gone)), base::Code::kOk);
  cluster_->run(60);
  leader_ = cluster_->leader();
  ASSERT_NE(leader_, 0u);
  EXPECT_NE(leader_, gone);
  EXPECT_FALSE(votes(gone));
  expect_commits();
  cluster_->run(300);
  EXPECT_EQ(cluster_->leader(), leader_);
}

TEST_F(Membership, OnlyOneChangeAtATimeAndNoneByANewLeader) {
  start(3);
  cluster_->join(4);
  const std::uint64_t other = leader_ % 3 + 1, third = other % 3 + 1;
  cluster_->isolate(other);
  cluster_->isolate(third);
  EXPECT_EQ(change(with_learner(4, true)), base::Code::kOk);
  EXPECT_EQ(change(with_learner(5, true)), base::Code::kUnavailable)
      << "the first is not committed";
  cluster_->heal();
  cluster_->run(60);
  // A leader whose own first entry is not committed does not know what is in force.
  cluster_->step(leader_, StepDown{"asked to"});
  for (int i = 0; i < 200 && (cluster_->leader() == 0 || cluster_->leader() == leader_); ++i) {
    for (std::uint64_t id = 1; id <= 4; ++id) cluster_->tick(id);
    cluster_->deliver();
    for (std::uint64_t id = 1; id <= 4; ++id) cluster_->persist(id);
  }
  const std::uint64_t fresh = cluster_->leader();
  ASSERT_NE(fresh, 0u);
  ASSERT_FALSE(cluster_->status(fresh).can_read);
  Configuration next = cluster_->status(fresh).configuration;
  erase(next.voters, leader_);
  EXPECT_EQ(outcome_of(cluster_->change(fresh, next), fresh).code, base::Code::kUnavailable);
}

TEST_F(Membership, WhatCannotBeIsRefusedAndSaysWhy) {
  start(3);
  Configuration nobody = configuration();
  nobody.voters.clear();
  const std::uint64_t proposal = cluster_->change(leader_, nobody);
  EXPECT_EQ(outcome_of(proposal, leader_).code, base::Code::kInvalidArgument);
  EXPECT_NE(outcome_of(proposal, leader_).detail, "");
  Configuration unbound = configuration();
  insert(unbound.voters, learner(4, false));
  EXPECT_EQ(change(unbound), base::Code::kInvalidArgument);
  const std::uint64_t follower = leader_ % 3 + 1;
  EXPECT_EQ(outcome_of(cluster_->change(follower, without(1)), follower).code,
            base::Code::kNotLeader);
  // Asked on the ground of a membership that is another by now.
  Configuration before = configuration();
  cluster_->join(4);
  EXPECT_EQ(change(with_learner(4, false)), base::Code::kOk);
  cluster_->run(20);
  Configuration next = before;
  erase(next.voters, follower);
  cluster_->step(leader_, ChangeMembership{7777, before, next});
  EXPECT_EQ(outcome_of(7777, leader_).code, base::Code::kUnavailable);
}

/// Section 6: while the change is under way a majority of the old and of the new voters is needed.
TEST_F(Membership, AJointConfigurationNeedsBothMajorities) {
  start(3);
  for (const std::uint64_t id : {4u, 5u}) {
    cluster_->join(id);
    change(with_learner(id, false));
    cluster_->run(60);
  }
  // From 1, 2, 3 to the leader, 4 and 5: at once, with the two others of the old set cut off.
  Configuration next = configuration();
  for (std::uint64_t id = 1; id <= 3; ++id) {
    if (id == leader_) continue;
    erase(next.voters, id);
    cluster_->isolate(id);
  }
  for (const Member& each : next.learners) insert(next.voters, each);
  next.learners.clear();
  const Index before = cluster_->status(leader_).commit;
  EXPECT_EQ(change(next), base::Code::kOk);
  EXPECT_TRUE(configuration().joint()) << "in force from its append";
  for (int i = 0; i < 5; ++i) cluster_->run(10);
  EXPECT_EQ(cluster_->status(leader_).commit, before) << "the new majority alone decides nothing";
  cluster_->heal();
  cluster_->run(200);
  leader_ = cluster_->leader();
  ASSERT_NE(leader_, 0u);
  expect_commits();
}

TEST_F(Membership, AnyLeaderFinishesWhatAnotherBegan) {
  start(5);
  const std::uint64_t first = leader_;
  // The joint entry reaches a majority, and its leader ends before it can leave it.
  change(without(first % 5 + 1));
  ASSERT_TRUE(configuration().joint());
  cluster_->deliver();
  for (std::uint64_t id = 1; id <= 5; ++id) {
    if (id != first) cluster_->persist(id);
  }
  cluster_->crash(first);
  leader_ = cluster_->elect();
  ASSERT_NE(leader_, 0u);
  cluster_->run(60);
  EXPECT_FALSE(configuration().joint());
  EXPECT_EQ(configuration().voters.size(), 4u);
  expect_commits();
}

TEST_F(Membership, AnotherDataDirectoryUnderAnOldIdIsNoMemberUntilItReplacesTheOld) {
  start(3);
  const std::uint64_t victim = leader_ % 3 + 1;
  cluster_->wipe(victim);
  cluster_->node(victim).disk.first_configuration = Configuration();
  cluster_->restart(victim);
  cluster_->run(100);
  EXPECT_EQ(cluster_->status(victim).last, Index()) << "it gets nothing under the old identity";
  EXPECT_TRUE(cluster_->has_traced(leader_, TraceKind::kPeerRefused));
  // Replaced: out as a voter, in as a learner that is bound anew and promoted.
  Configuration next = without(victim);
  Member replacement = learner(victim, true);
  replacement.replaced = configuration().find(MemberId(victim))->incarnation;
  insert(next.learners, replacement);
  EXPECT_EQ(change(next), base::Code::kOk);
  cluster_->run(150);
  EXPECT_TRUE(votes(victim));
  EXPECT_EQ(configuration().find(MemberId(victim))->incarnation,
            cluster_->node(victim).options.incarnation);
  const std::uint64_t other = victim % 3 + 1 == leader_ ? leader_ % 3 + 1 : victim % 3 + 1;
  ASSERT_NE(other, leader_);
  cluster_->crash(other == victim ? other % 3 + 1 : other);
  expect_commits();
}

/// The leader still remembers the old directory when its replacement is asked for.
TEST_F(Membership, TheDirectoryThatIsReplacedIsNotBoundAgain) {
  start(3);
  const std::uint64_t victim = leader_ % 3 + 1;
  Configuration next = without(victim);
  Member replacement = learner(victim, true);
  replacement.replaced = configuration().find(MemberId(victim))->incarnation;
  insert(next.learners, replacement);
  EXPECT_EQ(change(next), base::Code::kOk);
  cluster_->run(150);
  EXPECT_FALSE(votes(victim)) << "it is the old one that still speaks";
  EXPECT_FALSE(configuration().find(MemberId(victim))->incarnation);
  cluster_->wipe(victim);
  cluster_->restart(victim);
  cluster_->run(150);
  EXPECT_TRUE(votes(victim));
  EXPECT_EQ(configuration().find(MemberId(victim))->incarnation,
            cluster_->node(victim).options.incarnation);
}

/// A member that was removed comes back under its name with another directory.
TEST_F(Membership, AMemberThatIsAddedAgainIsBoundAnew) {
  start(3);
  const std::uint64_t victim = leader_ % 3 + 1;
  EXPECT_EQ(change(without(victim)), base::Code::kOk);
  cluster_->run(60);
  cluster_->wipe(victim);
  EXPECT_EQ(change(with_learner(victim, true)), base::Code::kOk);
  cluster_->run(30);
  EXPECT_FALSE(configuration().find(MemberId(victim))->incarnation) << "not heard from yet";
  cluster_->restart(victim);
  cluster_->run(150);
  EXPECT_TRUE(votes(victim));
}

TEST_F(Membership, ARemovedMemberIsToldAndLeadsNobodyAstray) {
  start(3);
  const std::uint64_t gone = leader_ % 3 + 1;
  cluster_->isolate(gone);
  EXPECT_EQ(change(without(gone)), base::Code::kOk);
  cluster_->run(60);
  ASSERT_FALSE(votes(gone));
  cluster_->heal();
  cluster_->run(300);
  EXPECT_TRUE(cluster_->has_traced(gone, TraceKind::kNoMember));
  EXPECT_TRUE(cluster_->status(gone).no_member);
  EXPECT_EQ(cluster_->leader(), leader_);
  expect_commits();
}

/// Thesis section 4.1: a leader is followed though the own configuration does not know it, and a
/// candidate is voted for.
TEST_F(Membership, WhoIsOfANewerConfigurationIsFollowed) {
  start(3);
  const std::uint64_t behind = leader_ % 3 + 1, other = behind % 3 + 1;
  cluster_->isolate(behind);
  cluster_->join(4);
  change(with_learner(4, true));
  cluster_->run(150);
  ASSERT_TRUE(votes(4));
  // Only 4 and the one that has never heard of it are left of the four, with one more.
  cluster_->heal();
  cluster_->crash(leader_);
  cluster_->cut(other, behind);  // so that 4 must win with the vote of the one that is behind
  cluster_->cut(behind, other);
  cluster_->run(300);
  leader_ = cluster_->leader();
  ASSERT_EQ(leader_, 4u);
  EXPECT_EQ(cluster_->status(behind).leader, MemberId(4));
  expect_commits();
  EXPECT_EQ(cluster_->status(behind).configuration.find(MemberId(4))->id, MemberId(4));
}

/// Thesis section 3.10.
TEST_F(Membership, LeadershipGoesToWhomItIsAskedToGo) {
  start(5);
  for (const std::uint64_t to : {leader_ % 5 + 1, (leader_ + 2) % 5 + 1}) {
    if (to == leader_) continue;
    cluster_->propose(leader_, "value");
    cluster_->step(leader_, TransferLeadership{9000 + to, MemberId(to)});
    EXPECT_EQ(outcome_of(9000 + to, leader_).code, base::Code::kOk);
    cluster_->run(10);
    EXPECT_EQ(cluster_->leader(), to);
    leader_ = to;
    expect_commits();
  }
}

TEST_F(Membership, ATransferThatDoesNotComeAboutEndsAndTheLeaderGoesOn) {
  start(3);
  const std::uint64_t to = leader_ % 3 + 1, other = to % 3 + 1;
  cluster_->node(to).hang_log = true;
  cluster_->propose(leader_, "value");
  cluster_->run(1);
  cluster_->step(leader_, TransferLeadership{9001, MemberId(to)});
  const std::uint64_t refused = cluster_->propose(leader_, "meanwhile");
  EXPECT_EQ(outcome_of(refused, leader_).code, base::Code::kNotLeader);
  cluster_->run(35);
  EXPECT_EQ(cluster_->leader(), leader_);
  EXPECT_TRUE(cluster_->has_traced(leader_, TraceKind::kTransferAborted));
  expect_commits();
  cluster_->run(60);  // by now it says itself that it is stalled
  cluster_->step(leader_, TransferLeadership{9002, MemberId(to)});
  EXPECT_EQ(outcome_of(9002, leader_).code, base::Code::kUnavailable);
  cluster_->step(leader_, TransferLeadership{9003, MemberId(leader_)});
  EXPECT_EQ(outcome_of(9003, leader_).code, base::Code::kInvalidArgument);
  cluster_->step(other, TransferLeadership{9004, MemberId(to)});
  EXPECT_EQ(outcome_of(9004, other).code, base::Code::kNotLeader);
}

TEST_F(Membership, FollowersReadByTheirLeadersWord) {
  start(3);
  const std::uint64_t follower = leader_ % 3 + 1;
  cluster_->propose(leader_, "value");
  cluster_->settle();
  const std::uint64_t read = cluster_->read(follower);
  cluster_->settle();
  ASSERT_TRUE(cluster_->node(follower).reads.contains(read));
  EXPECT_EQ(cluster_->node(follower).reads[read].code, base::Code::kOk);
  EXPECT_EQ(cluster_->node(follower).reads[read].index, cluster_->status(leader_).commit);
  // A leader that cannot reach a majority answers nobody.
  const std::uint64_t other = follower % 3 + 1;
  cluster_->crash(other);
  cluster_->cut(follower, leader_);
  const std::uint64_t lost = cluster_->read(follower);
  cluster_->run(29);
  EXPECT_FALSE(cluster_->node(follower).reads.contains(lost));
  cluster_->run(2);
  ASSERT_TRUE(cluster_->node(follower).reads.contains(lost));
  EXPECT_NE(cluster_->node(follower).reads[lost].code, base::Code::kOk);
}

}  // namespace
}  // namespace raft::testing
