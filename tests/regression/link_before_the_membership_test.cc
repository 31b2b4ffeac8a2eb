// Links are dialled by addresses that a member was told when it started; it learns later who the
// members are. A link that stood before that was forgotten, so that whoever had joined, and led
// later, called itself unready: "only 1 of 3 members can be reached". Found by holdfast-jepsen
// (append x transfer+membership+compact+lag, seed 1034).
#include <gtest/gtest.h>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

class LinkBeforeTheMembership : public ::testing::Test {
 protected:
  void SetUp() override {
    leader_ = cluster_.elect();
    cluster_.run(10);
  }
  void change(const Configuration& next) {
    cluster_.change(leader_, next);
    cluster_.run(100);
  }
  Configuration with_fourth() {
    Configuration next = cluster_.status(leader_).configuration;
    Member member{MemberId(4)};
    member.promote = true;
    next.learners.push_back(member);
    return next;
  }
  bool up(std::uint64_t at, std::uint64_t to) {
    const CoreStatus status = cluster_.status(at);
    for (const PeerStatus& peer : status.peers)
      if (peer.id == MemberId(to)) return peer.link_up;
    ADD_FAILURE() << to << " is no peer of " << at;
    return false;
  }

  Cluster cluster_{3};
  std::uint64_t leader_ = 0;
};

TEST_F(LinkBeforeTheMembership, StandsForWhoJoined) {
  cluster_.join(4);
  for (const std::uint64_t id : {1, 2}) cluster_.step(4, LinkUp{MemberId(id)});
  change(with_fourth());
  EXPECT_TRUE(up(4, 1));
  EXPECT_TRUE(up(4, 2));
  EXPECT_FALSE(up(4, 3)) << "that one never was";
}

TEST_F(LinkBeforeTheMembership, StandsForWhoLeftAndCameBack) {
  cluster_.join(4);
  change(with_fourth());
  Configuration without = cluster_.status(leader_).configuration;
  std::erase_if(without.voters, [](const Member& each) { return each.id == MemberId(4); });
  change(without);
  cluster_.step(leader_, LinkUp{MemberId(4)});
  change(with_fourth());
  EXPECT_TRUE(up(leader_, 4)) << "it stood while that one was no member";
  cluster_.step(leader_, LinkDown{MemberId(4)});
  EXPECT_FALSE(up(leader_, 4));
}

}  // namespace
}  // namespace raft::testing
