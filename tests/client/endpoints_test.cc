#include "client/endpoints.h"

#include <gtest/gtest.h>

namespace client {
namespace {

TEST(Endpoints, LearnsEachAddressOnce) {
  Endpoints endpoints({"a:1", "b:1"});
  endpoints.learn("b:1");
  endpoints.learn("c:1");
  endpoints.learn("");
  EXPECT_EQ(endpoints.addresses(), (std::vector<std::string>{"a:1", "b:1", "c:1"}));
}

TEST(Endpoints, BelievesWhoClaimsAndForgetsWhoDenies) {
  Endpoints endpoints({"a:1", "b:1"});
  EXPECT_FALSE(endpoints.leader().has_value());
  endpoints.claims("a:1", base::Term(3), 10);
  EXPECT_EQ(endpoints.leader(), "a:1");
  EXPECT_TRUE(endpoints.confirmed());
  endpoints.denies("b:1", "follower", 11);
  EXPECT_EQ(endpoints.leader(), "a:1");
  endpoints.denies("a:1", "follower", 12);
  EXPECT_FALSE(endpoints.leader().has_value());
}

TEST(Endpoints, HigherTermWinsAndAStaleLeaderDoesNot) {
  Endpoints endpoints({"a:1", "b:1"});
  endpoints.claims("a:1", base::Term(3), 10);
  endpoints.claims("b:1", base::Term(2), 11);
  EXPECT_EQ(endpoints.leader(), "a:1");
  endpoints.claims("b:1", base::Term(4), 12);
  EXPECT_EQ(endpoints.leader(), "b:1");
  endpoints.claims("a:1", base::Term(3), 13);
  EXPECT_EQ(endpoints.leader(), "b:1");
}

TEST(Endpoints, AHintIsBelievedUnconfirmedUntilItFails) {
  Endpoints endpoints({"a:1"});
  EXPECT_TRUE(endpoints.hint("b:1"));
  EXPECT_EQ(endpoints.leader(), "b:1");
  EXPECT_FALSE(endpoints.confirmed());
  EXPECT_FALSE(endpoints.hint("a:1")) << "one hint at a time";
  endpoints.failed("b:1", "refused", 100);
  EXPECT_FALSE(endpoints.leader().has_value());
  EXPECT_FALSE(endpoints.hint("b:1")) << "followers name a dead leader for a while";
  endpoints.heard("b:1", 200);
  EXPECT_TRUE(endpoints.hint("b:1"));
}

TEST(Endpoints, AFailedLeaderIsPutAsideAndAskedAgainInBoundedTime) {
  Endpoints endpoints({"a:1"});
  endpoints.claims("a:1", base::Term(1), 0);
  std::uint64_t now = 1000;
  for (int i = 0; i < 20; ++i) {
    endpoints.failed("a:1", "silent", now);
    EXPECT_FALSE(endpoints.leader().has_value());
    EXPECT_TRUE(endpoints.due(now).empty());
    EXPECT_EQ(endpoints.due(now + Endpoints::kAsideMaxMs).size(), 1u);
    now += 10'000;
  }
}

TEST(Endpoints, AsksEachAgainOnlyAfterAPause) {
  Endpoints endpoints({"a:1", "b:1"});
  EXPECT_EQ(endpoints.due(100).size(), 2u);
  EXPECT_TRUE(endpoints.due(100 + Endpoints::kAskAgainMs - 1).empty());
  EXPECT_EQ(endpoints.due(100 + Endpoints::kAskAgainMs).size(), 2u);
}

TEST(Endpoints, AnyIsOneThatAnsweredAndIsNotAside) {
  Endpoints endpoints({"a:1", "b:1"});
  EXPECT_FALSE(endpoints.any(0).has_value());
  endpoints.denies("b:1", "follower", 5);
  EXPECT_EQ(endpoints.any(6), "b:1");
  endpoints.claims("a:1", base::Term(1), 7);
  endpoints.denies("b:1", "follower", 8);
  EXPECT_EQ(endpoints.any(9), "a:1") << "the leader has the newest state";
  endpoints.failed("a:1", "silent", 10);
  EXPECT_EQ(endpoints.any(11), "b:1");
  endpoints.failed("b:1", "silent", 12);
  EXPECT_FALSE(endpoints.any(13).has_value());
}

TEST(Endpoints, RemembersWhenALeaderWasSeen) {
  Endpoints endpoints({"a:1"});
  EXPECT_FALSE(endpoints.leader_seen_since(0));
  endpoints.claims("a:1", base::Term(1), 500);
  endpoints.failed("a:1", "silent", 600);
  EXPECT_TRUE(endpoints.leader_seen_since(500));
  EXPECT_FALSE(endpoints.leader_seen_since(501));
  EXPECT_TRUE(endpoints.heard_since(500));
  EXPECT_FALSE(endpoints.heard_since(501)) << "a failure is no answer";
}

TEST(Endpoints, DescribesEachWithItsLastWord) {
  Endpoints endpoints({"a:1", "b:1"});
  endpoints.failed("a:1", "connection refused", 1);
  endpoints.denies("b:1", "candidate", 1);
  EXPECT_EQ(endpoints.describe(), "a:1: connection refused; b:1: candidate");
}

}  // namespace
}  // namespace client
