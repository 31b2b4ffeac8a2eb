#include "client/ctl/member.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace client::ctl {
namespace {

Member member(std::uint64_t id, std::string name) {
  Member one;
  one.id = base::MemberId(id);
  one.incarnation = base::Incarnation(5);
  one.name = std::move(name);
  one.peer_address = "127.0.0.1:1";
  return one;
}

TEST(MemberText, SaysWhoVotesAndWhoWillDo) {
  Member one = member(1, "n1");
  EXPECT_EQ(role_of(one), "learner");
  one.promote = true;
  EXPECT_EQ(role_of(one), "learner, to be promoted");
  one.incarnation = {};
  EXPECT_EQ(role_of(one), "learner, not heard from yet");
  one.outgoing = true;
  EXPECT_EQ(role_of(one), "voter until the change is done");
  one.voter = true;
  EXPECT_EQ(role_of(one), "voter");
}

TEST(MemberText, IsATableByName) {
  Member first = member(2, "n1"), second = member(1, "n2");
  first.voter = true;
  EXPECT_EQ(simple_members({second, first}),
            "ID                NAME  ROLE     PEER         CLIENT\n"
            "0000000000000002  n1    voter    127.0.0.1:1  -\n"
            "0000000000000001  n2    learner  127.0.0.1:1  -\n");
}

TEST(MemberText, JsonHasEveryField) {
  Member one = member(7, "n1");
  one.voter = true;
  one.client_address = "h:2";
  const auto json = nlohmann::json::parse(json_members({one}));
  ASSERT_EQ(json["members"].size(), 1u);
  EXPECT_EQ(json["members"][0]["id"], "0000000000000007");
  EXPECT_EQ(json["members"][0]["incarnation"], "0000000000000005");
  EXPECT_EQ(json["members"][0]["client_address"], "h:2");
  EXPECT_TRUE(json["members"][0]["voter"].get<bool>());
}

}  // namespace
}  // namespace client::ctl
