// The ordinary course of things: a first election, replication, reads.
#include "raft/core.h"

#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

TEST(Core, ElectsReplicatesAndReads) {
  for (const std::uint64_t size : {1u, 3u, 5u}) {
    Cluster cluster(size);
    const std::uint64_t leader = cluster.elect();
    ASSERT_NE(leader, 0u);
    EXPECT_FALSE(cluster.status(leader).configuration.unbound());
    for (int i = 0; i < 20; ++i) cluster.propose(leader, "write " + std::to_string(i));
    cluster.run(10);
    const std::uint64_t read = cluster.read(leader);
    cluster.settle();
    ASSERT_TRUE(cluster.node(leader).reads.contains(read));
    EXPECT_EQ(cluster.node(leader).reads[read].code, base::Code::kOk);
    EXPECT_EQ(cluster.node(leader).reads[read].index, Index(21));
    for (std::uint64_t id = 1; id <= size; ++id) {
      ASSERT_EQ(cluster.node(id).applied_entries.size(), 21u) << "member " << id << " of " << size;
      EXPECT_EQ(cluster.node(id).applied_entries[20]->payload, "write 19");
      EXPECT_EQ(cluster.status(id).leader, MemberId(leader));
      EXPECT_EQ(cluster.status(id).cut_floor, Index(21));
    }
  }
}

TEST(Core, AHundredProposalsAreOneWriteAndOneMessageAFollower) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.run(5);
  Propose propose;
  for (std::uint64_t i = 0; i < 100; ++i) propose.proposals.push_back({1000 + i, {}, "value"});
  const Output output = cluster.step(leader, propose);
  ASSERT_EQ(output.persist.size(), 1u);
  EXPECT_EQ(output.persist[0].entries.size(), 100u);
  EXPECT_EQ(output.send.size(), 2u);
  EXPECT_EQ(output.outcomes.size(), 100u);
}

TEST(Core, SurvivesTheCrashOfEveryMember) {
  Cluster cluster(3);
  std::uint64_t leader = cluster.elect();
  cluster.propose(leader, "kept");
  cluster.settle();
  for (std::uint64_t id = 1; id <= 3; ++id) cluster.restart(id);
  leader = cluster.elect();
  cluster.run(10);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    ASSERT_GE(cluster.node(id).applied_entries.size(), 3u);
    EXPECT_EQ(cluster.node(id).applied_entries[1]->payload, "kept");
  }
}

}  // namespace
}  // namespace raft::testing
