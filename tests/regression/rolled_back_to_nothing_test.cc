// A member that joined later and whose directory is back at the empty one that it began with knows
// nobody, and so it did not listen to those who told it: it went on voting and was counted by
// whoever had not heard it before. Found by simulator seed 467 (5 nodes).
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

TEST(RolledBackToNothing, WhoKnowsNobodyListensToARefusal) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  constexpr std::uint64_t kJoined = 4;
  cluster.join(kJoined);
  const Disk empty = cluster.node(kJoined).disk;
  Configuration next = cluster.status(leader).configuration;
  next.learners = {{MemberId(kJoined), {}, "", "", "", true}};
  cluster.change(leader, next);
  cluster.run(100);
  ASSERT_NE(cluster.status(leader).configuration.find_voter(MemberId(kJoined)), nullptr);
  cluster.propose(leader, "value");
  cluster.run(10);

  cluster.roll_back(kJoined, empty, 0);
  cluster.restart(kJoined);  // epoch 1 again
  cluster.run(10);
  EXPECT_TRUE(cluster.status(kJoined).quarantined);
  EXPECT_EQ(cluster.status(kJoined).last, Index()) << "it gets nothing from who remembers it";
}

}  // namespace
}  // namespace raft::testing
