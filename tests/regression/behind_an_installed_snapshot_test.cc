// A log that is far too large is cut, whoever lacks what, but for what follows a snapshot that is
// on its way. Once the snapshot had arrived, what was written meanwhile was cut before the member
// could have it: it was sent another snapshot, and another, and never caught up. Found by
// holdfast-jepsen (append x power-loss+torn-write+power-loss-all, seed 1031): for a minute a member
// installed one snapshot after the other, and fell further behind each time.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

constexpr std::uint32_t kElectionTicks = 30;

/// An entry a message, and a message a round trip.
void one_at_a_time(Options& options) {
  options.window_messages = 1;
  options.append_bytes = 1;
}

class BehindAnInstalledSnapshot : public ::testing::Test {
 protected:
  /// One of three lacks what the others have cut, and gets a snapshot; twenty entries are written
  /// meanwhile.
  void SetUp() override {
    leader_ = cluster_.elect();
    cluster_.run(10);
    behind_ = leader_ % 3 + 1;
    cluster_.isolate(behind_);
    write(10);
    cluster_.run(10);
    cut();
    cluster_.heal_and_tell(behind_);
    for (int i = 0; i < 2000 && snapshots() == 0; ++i) cluster_.creep(i);
    write(20);
    for (int i = 0; i < 2000 && !cluster_.has_traced(leader_, TraceKind::kSnapshotSent); ++i)
      cluster_.creep(i);
    ASSERT_TRUE(cluster_.has_traced(leader_, TraceKind::kSnapshotSent));
  }
  void write(int count) {
    for (int i = 0; i < count; ++i) cluster_.propose(leader_, "value");
  }
  /// As of a log that is far too large.
  void cut() {
    for (std::uint64_t id = 1; id <= 3; ++id) {
      if (id == behind_) continue;
      const CoreStatus status = cluster_.status(id);
      const Index through = std::min(status.cut_limit, status.commit.previous());
      if (through >= status.first) cluster_.cut_log(id, through);
    }
  }
  long snapshots() {
    const auto& trace = cluster_.node(leader_).trace;
    return std::count_if(trace.begin(), trace.end(), [](const TraceEvent& event) {
      return event.kind == TraceKind::kSnapshotSending;
    });
  }
  Index behind_last() { return cluster_.status(behind_).last; }

  Cluster cluster_{3, 1, one_at_a_time};
  std::uint64_t leader_ = 0, behind_ = 0;
};

TEST_F(BehindAnInstalledSnapshot, TheMemberGetsWhatCameSinceAndNoOther) {
  ASSERT_LT(behind_last() + 10, cluster_.status(leader_).last) << "there is something to lose";
  for (int i = 0; i < 3000 && behind_last() < cluster_.status(leader_).last; ++i) {
    cut();
    cluster_.creep(i);
  }
  EXPECT_EQ(behind_last(), cluster_.status(leader_).last);
  EXPECT_EQ(snapshots(), 1);
  cluster_.run(5);
  EXPECT_EQ(cluster_.status(leader_).cut_limit, cluster_.status(leader_).commit) << "it is whole";
}

TEST_F(BehindAnInstalledSnapshot, ALogDoesNotWaitForWhoTakesInNothing) {
  cluster_.isolate(behind_);
  EXPECT_LT(cluster_.status(leader_).cut_limit, cluster_.status(leader_).commit);
  cluster_.run(5 * kElectionTicks);
  EXPECT_EQ(cluster_.status(leader_).cut_limit, cluster_.status(leader_).commit);
}

}  // namespace
}  // namespace raft::testing
