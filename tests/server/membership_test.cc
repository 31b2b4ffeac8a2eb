// What an operator asks of the membership, and what it comes to.
#include "server/membership.h"

#include <gtest/gtest.h>

namespace server {
namespace {

using base::Code;
using Kind = MemberChangeKind;

raft::Member member(std::uint64_t id) {
  raft::Member one{base::MemberId(id), base::Incarnation(100 + id)};
  one.name = "n" + std::to_string(id);
  one.peer_address = "127.0.0.1:" + std::to_string(7000 + id);
  return one;
}
raft::Configuration three() {
  return {{member(1), member(2), member(3)}, {}, {}};
}
MemberChange change(Kind kind, std::string name, std::string peer = "", std::string client = "") {
  MemberChange asked;
  asked.kind = kind;
  asked.name = std::move(name);
  asked.peer_address = std::move(peer);
  asked.client_address = std::move(client);
  return asked;
}

TEST(MemberChange, AddMakesALearnerThatIsToBePromoted) {
  MemberChange add = change(Kind::kAdd, "n4", "h:1", "h:2");
  add.id = base::MemberId(4);
  auto next = apply_change(three(), add);
  ASSERT_TRUE(next.is_ok()) << next.status().to_string();
  ASSERT_EQ(next->learners.size(), 1u);
  EXPECT_TRUE(next->learners[0].promote);
  EXPECT_FALSE(next->learners[0].incarnation) << "bound once it is heard from";
  EXPECT_EQ(next->learners[0].client_address, "h:2");
  EXPECT_EQ(next->voters, three().voters);
  EXPECT_EQ(apply_change(next.value(), add).value(), next.value()) << "asked again";
  add.learner = true;
  EXPECT_FALSE(apply_change(three(), add)->learners[0].promote);
  add.peer_address = "other:1";
  EXPECT_EQ(apply_change(next.value(), add).status().code(), Code::kInvalidArgument);
  add.peer_address = "";
  EXPECT_EQ(apply_change(three(), add).status().code(), Code::kInvalidArgument);
  add.peer_address = "no address";
  EXPECT_EQ(apply_change(three(), add).status().code(), Code::kInvalidArgument);
}

TEST(MemberChange, RemoveTakesNamesAndIdsAndIsDoneOnce) {
  auto next = apply_change(three(), change(Kind::kRemove, "n2"));
  ASSERT_TRUE(next.is_ok());
  EXPECT_EQ(next->ids(), (std::vector{base::MemberId(1), base::MemberId(3)}));
  EXPECT_EQ(apply_change(three(), change(Kind::kRemove, base::to_hex(2))).value(), next.value());
  EXPECT_EQ(apply_change(next.value(), change(Kind::kRemove, "n2")).value(), next.value());
  const raft::Configuration alone{{member(1)}, {}, {}};
  EXPECT_EQ(apply_change(alone, change(Kind::kRemove, "n1")).status().code(),
            Code::kInvalidArgument);
}

TEST(MemberChange, ReplaceMakesAVoterALearnerThatIsBoundAnew) {
  auto next = apply_change(three(), change(Kind::kReplace, "n2", "new:1"));
  ASSERT_TRUE(next.is_ok());
  EXPECT_EQ(next->voters.size(), 2u);
  ASSERT_EQ(next->learners.size(), 1u);
  EXPECT_FALSE(next->learners[0].incarnation);
  EXPECT_EQ(next->learners[0].replaced, base::Incarnation(102));
  EXPECT_TRUE(next->learners[0].promote);
  EXPECT_EQ(apply_change(next.value(), change(Kind::kReplace, "n2", "new:1")).value(), next.value())
      << "asked again before it was heard from";
  EXPECT_EQ(next->learners[0].peer_address, "new:1");
  EXPECT_EQ(next->learners[0].name, "n2");
  const raft::Configuration alone{{member(1)}, {}, {}};
  EXPECT_EQ(apply_change(alone, change(Kind::kReplace, "n1")).status().code(),
            Code::kInvalidArgument);
}

TEST(MemberChange, PromoteAndUpdate) {
  raft::Configuration now = three();
  now.learners = {member(4)};
  EXPECT_TRUE(apply_change(now, change(Kind::kPromote, "n4"))->learners[0].promote);
  EXPECT_EQ(apply_change(now, change(Kind::kPromote, "n1")).value(), now) << "it votes already";
  auto moved = apply_change(now, change(Kind::kUpdate, "n1", "", "c:1"));
  ASSERT_TRUE(moved.is_ok());
  EXPECT_EQ(moved->voters[0].client_address, "c:1");
  EXPECT_EQ(moved->voters[0].peer_address, now.voters[0].peer_address);
  EXPECT_EQ(apply_change(now, change(Kind::kUpdate, "n1")).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(apply_change(now, change(Kind::kUpdate, "n9", "h:1")).status().code(),
            Code::kInvalidArgument);
  EXPECT_EQ(apply_change(now, change(Kind::kList, "")).value(), now);
}

}  // namespace
}  // namespace server
