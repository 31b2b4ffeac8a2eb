// Two bugs of the first membership changes, found by random walks and by a real cluster.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

struct Three {
  Three() : leader(cluster.elect()) { cluster.run(10); }
  Configuration configuration() { return cluster.status(leader).configuration; }
  Cluster cluster{3};
  std::uint64_t leader;
};

/// The acknowledgement that commits the joint configuration comes from the member that it leaves
/// out: the leader appended the last configuration, forgot the member, and went on to send to it.
TEST(MembersThatGo, TheirLastAcknowledgementMayBeTheOneThatCounts) {
  Cluster cluster(5);
  const std::uint64_t leader = cluster.elect();
  cluster.run(10);
  const auto at = [&](std::uint64_t steps) { return (leader - 1 + steps) % 5 + 1; };
  Configuration next = cluster.status(leader).configuration;
  std::erase_if(next.voters, [&](const Member& each) {
    return each.id.value == at(1) || each.id.value == at(2);
  });
  cluster.change(leader, next);
  // Two of three new voters have it, and two of the five old ones; the third of those goes.
  cluster.persist(leader);
  cluster.deliver();
  for (const std::uint64_t id : {at(3), at(1)}) {
    EXPECT_TRUE(cluster.status(leader).configuration.joint());
    cluster.persist(id);
    cluster.deliver();
  }
  EXPECT_EQ(cluster.status(leader).configuration, next);
  cluster.run(30);
  EXPECT_EQ(cluster.leader(), leader);
}

/// A member that has missed its promotion is needed to elect whoever knows of it.
TEST(MembersThatGo, AVoterThatDoesNotKnowThatItIsOneVotesAllTheSame) {
  Three three;
  Cluster& cluster = three.cluster;
  cluster.join(4);
  Configuration next = three.configuration();
  next.learners.push_back(Member{MemberId(4)});
  cluster.change(three.leader, next);
  cluster.run(60);
  const std::uint64_t first = three.leader % 3 + 1, second = first % 3 + 1;
  // Its promotion commits without it, and then the leader ends: three of four are needed.
  cluster.isolate(4);
  next = three.configuration();
  Member voter = next.learners.at(0);
  next.learners.clear();
  next.voters.push_back(voter);
  cluster.change(three.leader, next);
  cluster.run(30);
  ASSERT_EQ(three.configuration(), next);
  ASSERT_EQ(cluster.status(4).configuration.find_voter(MemberId(4)), nullptr);
  cluster.crash(three.leader);
  cluster.heal();
  const std::uint64_t elected = cluster.elect();
  EXPECT_TRUE(elected == first || elected == second);
  EXPECT_NE(cluster.status(4).configuration.find_voter(MemberId(4)), nullptr);
}

}  // namespace
}  // namespace raft::testing
