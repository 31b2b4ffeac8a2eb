// Raft paper, section 6, and thesis chapter 4: changes of the membership by joint consensus. New
// members begin as learners here, and are promoted once they have caught up.
#include <gtest/gtest.h>

#include "tests/paper/one_member.h"
#include "tests/raft/cluster.h"

namespace raft::paper {
namespace {

using testing::Cluster;

/// Leads, with an entry of its own term committed: it may change the membership.
void lead_and_commit(OneMember& member, const std::vector<std::uint64_t>& with) {
  member.lead(with);
  for (const std::uint64_t id : with) member.acknowledge(id, member.status().last.value);
  ASSERT_EQ(member.status().commit, member.status().last);
}
base::Code change(OneMember& member, const Configuration& next) {
  member.step(ChangeMembership{900, member.status().configuration, next});
  return member.outcomes().back().code;
}

/// A configuration is used as soon as it is in the log, committed or not.
TEST(Membership, AConfigurationIsInForceFromItsAppend) {
  OneMember member({.log = {1}, .size = 3});
  auto log = make_log({1});
  auto entry = std::make_shared<Entry>(*make_log({1, 1})[1]);
  entry->kind = EntryKind::kConfiguration;
  entry->payload = encode(voters(5));
  entry->hash = chain_hash(log[0]->hash, *entry);
  log.push_back(entry);
  member.append_from(2, 1, log, 1, 2);
  EXPECT_EQ(member.status().configuration, voters(5));
  EXPECT_LT(member.status().commit, Index(2));
  // And it is gone with its entry.
  member.append_from(3, 2, make_log({1, 2}), 1, 2);
  EXPECT_EQ(member.status().configuration, voters(3));
}

/// In a joint configuration entries need a majority of both sets of voters.
TEST(Membership, AJointConfigurationCommitsByBothMajorities) {
  OneMember member({.log = {1}, .size = 3});
  lead_and_commit(member, {2, 3});
  ASSERT_EQ(change(member, voters({1, 4, 5})), base::Code::kOk);
  ASSERT_TRUE(member.status().configuration.joint());
  const std::uint64_t joint = member.status().last.value;
  member.persist();
  member.acknowledge(4, joint);
  member.acknowledge(5, joint);
  EXPECT_LT(member.status().commit.value, joint) << "all of the new, one of the old";
  member.acknowledge(2, joint);
  EXPECT_GE(member.status().commit.value, joint);
}

TEST(Membership, AJointConfigurationNeedsTheNewMajorityToo) {
  OneMember member({.log = {1}, .size = 3});
  lead_and_commit(member, {2, 3});
  ASSERT_EQ(change(member, voters({1, 4, 5})), base::Code::kOk);
  const std::uint64_t joint = member.status().last.value;
  member.persist();
  member.acknowledge(2, joint);
  member.acknowledge(3, joint);
  EXPECT_LT(member.status().commit.value, joint) << "all of the old, one of the new";
  member.acknowledge(4, joint);
  EXPECT_GE(member.status().commit.value, joint);
}

/// Elections in a joint configuration need both majorities as well.
TEST(Membership, AJointConfigurationElectsByBothMajorities) {
  Configuration joint = voters({1, 4, 5});
  joint.outgoing = voters(3).voters;
  OneMember member({.log = {1}, .configuration = joint});
  ASSERT_TRUE(member.tick_until(Role::kPreCandidate));
  for (const std::uint64_t id : {4, 5}) member.tell(id, 2, RequestVoteReply{true, true, {}, {}});
  EXPECT_EQ(member.status().role, Role::kPreCandidate) << "all of the new, one of the old";
  member.tell(3, 2, RequestVoteReply{true, true, {}, {}});
  ASSERT_EQ(member.status().role, Role::kCandidate);
  for (const std::uint64_t id : {2, 3}) member.tell(id, 2, RequestVoteReply{false, true, {}, {}});
  EXPECT_EQ(member.status().role, Role::kCandidate) << "all of the old, one of the new";
  member.tell(5, 2, RequestVoteReply{false, true, {}, {}});
  EXPECT_EQ(member.status().role, Role::kLeader);
}

/// Once the joint configuration is committed the leader appends the new one.
TEST(Membership, AfterTheJointConfigurationComesTheNewOne) {
  OneMember member({.log = {1}, .size = 3});
  lead_and_commit(member, {2, 3});
  ASSERT_EQ(change(member, voters(2)), base::Code::kOk);
  member.persist();
  member.acknowledge(2, member.status().last.value);
  EXPECT_EQ(member.status().configuration, voters(2));
  EXPECT_FALSE(member.status().configuration.joint());
}

/// A leader that the new configuration leaves out manages it until it is committed, then goes.
TEST(Membership, ALeaderThatIsLeftOutGoesOnceThatIsCommitted) {
  OneMember member({.log = {1}, .size = 3});
  lead_and_commit(member, {2, 3});
  ASSERT_EQ(change(member, voters({2, 3})), base::Code::kOk);
  member.persist();
  const std::uint64_t joint = member.status().last.value;
  member.acknowledge(2, joint);
  member.acknowledge(3, joint);
  ASSERT_EQ(member.status().configuration, voters({2, 3}));
  EXPECT_EQ(member.status().role, Role::kLeader) << "the new configuration is not committed yet";
  const std::uint64_t last = member.status().last.value;
  member.acknowledge(2, last);
  EXPECT_EQ(member.status().role, Role::kLeader) << "its own log does not count any more";
  member.acknowledge(3, last);
  EXPECT_EQ(member.status().commit, Index(last));
  member.tick(31);
  EXPECT_EQ(member.status().role, Role::kFollower);
}

/// One change at a time (thesis section 4.1).
TEST(Membership, OneChangeAtATime) {
  OneMember member({.log = {1}, .size = 3});
  lead_and_commit(member, {2, 3});
  ASSERT_EQ(change(member, voters(2)), base::Code::kOk);
  EXPECT_EQ(change(member, voters(3)), base::Code::kUnavailable);
}

/// Not before an entry of the own term is committed (the correction to the thesis).
TEST(Membership, NoChangeBeforeAnOwnCommit) {
  OneMember member({.log = {1}, .size = 3});
  member.lead();
  EXPECT_EQ(change(member, voters(2)), base::Code::kUnavailable);
  member.acknowledge(2, member.status().last.value);
  EXPECT_EQ(change(member, voters(2)), base::Code::kOk);
}

/// New servers catch up before they vote: a learner counts for nothing.
TEST(Membership, ALearnerCountsForNothing) {
  Configuration configuration = voters(3);
  configuration.learners = voters({4}).voters;
  OneMember member({.log = {1}, .configuration = configuration});
  member.lead({2});
  const std::uint64_t last = member.status().last.value;
  member.acknowledge(4, last);
  EXPECT_LT(member.status().commit.value, last);
  member.acknowledge(3, last);
  EXPECT_EQ(member.status().commit.value, last);
}

/// Whoever was removed and keeps asking does not depose a leader that is heard (thesis 4.2.3).
TEST(Membership, WhoWasRemovedDisruptsNobody) {
  OneMember follower({.log = {1}, .size = 3});
  follower.append_from(2, 1, make_log({1}), 1, 1);
  for (std::uint64_t term = 2; term < 20; ++term) {
    follower.tell(3, term, RequestVote{false, false, Index(9), Term(1)});
    EXPECT_EQ(follower.status().term, Term(1));
  }
  EXPECT_TRUE(follower.sent<RequestVoteReply>(3).empty() ||
              !follower.sent<RequestVoteReply>(3).back().granted);
  // Once the leader has been silent for the shortest timeout it is heard.
  follower.tick(30);
  follower.tell(3, 20, RequestVote{false, false, Index(9), Term(1)});
  EXPECT_TRUE(follower.sent<RequestVoteReply>(3).back().granted);
}

/// The whole of it: a cluster goes from members 1 to 3 to 3 to 5, and serves all the while.
TEST(Membership, AClusterMovesToOtherServers) {
  Cluster cluster(3);
  std::uint64_t leader = cluster.elect();
  cluster.run(10);
  for (const std::uint64_t id : {4, 5}) {
    cluster.join(id);
    Configuration next = cluster.status(leader).configuration;
    Member added{MemberId(id)};
    added.promote = true;
    next.learners.push_back(added);
    cluster.change(leader, next);
    cluster.run(200);
    EXPECT_NE(cluster.status(leader).configuration.find_voter(MemberId(id)), nullptr);
  }
  for (const std::uint64_t id : {1, 2}) {
    leader = cluster.elect();
    cluster.run(10);
    Configuration next = cluster.status(leader).configuration;
    std::erase_if(next.voters, [&](const Member& each) { return each.id == MemberId(id); });
    cluster.change(leader, next);
    cluster.propose(leader, "x");
    cluster.run(200);
  }
  cluster.crash(1);
  cluster.crash(2);
  leader = cluster.elect();
  EXPECT_GE(leader, 3u);
  EXPECT_EQ(cluster.status(leader).configuration.voters.size(), 3u);
}

}  // namespace
}  // namespace raft::paper
