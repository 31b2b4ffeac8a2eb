// A member whose directory was rolled back, so that its epoch came twice, was made whole by a
// leader that had not heard the first; then somebody who had refused its vote, and it fell into
// quarantine again, for ever. Found by simulator seed 514.
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

struct RolledBack {
  RolledBack() {
    leader = cluster.elect();
    cluster.run(10);
    one = leader % 3 + 1;
    other = one % 3 + 1;
    cluster.restart(one);
    cluster.run(10);
    copy = cluster.node(one).disk;
    cluster.restart(one);  // epoch 3
    cluster.propose(leader, "value");
    cluster.run(10);
  }
  Cluster cluster{3};
  std::uint64_t leader = 0, one = 0, other = 0;
  Disk copy;
};

TEST(RolledBackTwiceTold, WhoseEpochIsNotNewStaysInQuarantineUntilItIs) {
  RolledBack run;
  Cluster& cluster = run.cluster;
  cluster.roll_back(run.one, run.copy, 2);
  cluster.restart(run.one);  // epoch 3 again
  cluster.run(10);
  ASSERT_TRUE(cluster.status(run.one).quarantined) << "the leader remembers";
  // Now somebody leads who has never heard it, and could make it whole.
  cluster.restart(run.other);
  cluster.isolate(run.leader);
  cluster.cut(run.leader, run.one);
  for (int i = 0; i < 20; ++i) cluster.run(10);
  cluster.heal();
  cluster.step(run.leader, StepDown{"the test"});
  cluster.run(300);
  EXPECT_TRUE(cluster.status(run.one).quarantined);
  EXPECT_NE(cluster.status(run.one).quarantine_reason.find("epoch"), std::string::npos)
      << cluster.status(run.one).quarantine_reason;
  EXPECT_FALSE(cluster.has_traced(run.one, TraceKind::kQuarantineEnded)) << "in vain";
  EXPECT_EQ(cluster.node(run.one).quarantines.size(), 1u) << "said once";
  // An epoch that is new to all: from now on it is like any other loss.
  cluster.restart(run.one);
  cluster.run(100);
  EXPECT_FALSE(cluster.status(run.one).quarantined);
  EXPECT_EQ(cluster.status(run.one).commit, cluster.status(cluster.leader()).commit);
}

}  // namespace
}  // namespace raft::testing
