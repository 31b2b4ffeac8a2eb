// A new leader knows nothing of a member until its first answer. When the link to it broke before
// that, the leader began again at index 1: it sent the whole log anew, one load after another, or,
// where that was cut, a whole snapshot, to a member that lacked one entry. Found by simulator seed
// 1199 (5 nodes), where the next change of the membership waited for that member for seconds.
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

constexpr int kEntries = 50;

class LinkBeforeTheFirstAnswer : public ::testing::Test {
 protected:
  /// Another member leads, and `third_` has not heard of it.
  void SetUp() override {
    const std::uint64_t first = cluster_.elect();
    for (int i = 0; i < kEntries; ++i) cluster_.propose(first, "value");
    cluster_.run(20);
    leader_ = first % 3 + 1;
    third_ = leader_ % 3 + 1;
    cluster_.cut(leader_, third_);
    cluster_.cut(third_, leader_);
    cluster_.step(first, TransferLeadership{1, MemberId(leader_)});
    for (int i = 0; i < 40 && cluster_.leader() != leader_; ++i) cluster_.run(1);
    ASSERT_EQ(cluster_.leader(), leader_);
  }
  /// What the leader tries first on the link that stands again.
  Index first_previous() {
    cluster_.heal();
    cluster_.network().clear();
    cluster_.step(leader_, LinkUp{MemberId(third_)});
    for (const Message& message : cluster_.network()) {
      const auto* append = std::get_if<AppendEntries>(&message.body);
      if (append != nullptr && message.to == MemberId(third_)) return append->previous_index;
    }
    ADD_FAILURE() << "nothing was sent";
    return Index();
  }

  Cluster cluster_{3};
  std::uint64_t leader_ = 0, third_ = 0;
};

TEST_F(LinkBeforeTheFirstAnswer, ALinkThatBreaksMakesNobodyBeginAgain) {
  cluster_.step(leader_, LinkDown{MemberId(third_)});
  EXPECT_GE(first_previous(), Index(kEntries));
  cluster_.run(20);
  EXPECT_EQ(cluster_.status(third_).commit, cluster_.status(leader_).commit);
}

TEST_F(LinkBeforeTheFirstAnswer, NorDoesOneThatComes) {
  EXPECT_GE(first_previous(), Index(kEntries));
}

}  // namespace
}  // namespace raft::testing
