#include "client/ctl/cluster_status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace client::ctl {
namespace {

MemberStatus member(std::uint64_t id, const std::string& role, std::uint64_t term) {
  MemberStatus status;
  status.header.member = base::MemberId(id);
  status.header.term = base::Term(term);
  status.name = "n" + std::to_string(id);
  status.role = role;
  status.ready = true;
  for (std::uint64_t other = 1; other <= 3; ++other) {
    if (other == id) continue;
    PeerStatus peer;
    peer.member = base::MemberId(other);
    peer.name = "n" + std::to_string(other);
    peer.client_address = "h:" + std::to_string(other);
    status.peers.push_back(peer);
  }
  return status;
}

base::Status refused() {
  return {base::Code::kUnavailable, "connection refused"};
}

TEST(ClusterStatus, AllWell) {
  const ClusterStatus cluster = combine({{"h:1", member(1, "follower", 5)},
                                         {"h:2", member(2, "leader", 5)},
                                         {"h:3", member(3, "follower", 5)}});
  EXPECT_EQ(cluster.leader, "n2");
  EXPECT_TRUE(cluster.healthy());
  EXPECT_EQ(cluster.tolerates(), 1u);
  const auto json = nlohmann::json::parse(json_of(cluster));
  EXPECT_EQ(json["members"].size(), 3u);
  EXPECT_EQ(json["members"][1]["name"], "n2");
  EXPECT_EQ(json["members"][1]["leader"], true);
  EXPECT_EQ(json["members"][0]["leader"], false);
  EXPECT_EQ(json["healthy"], true);
  EXPECT_EQ(json["summary"], "healthy, tolerates 1 more failure, led by n2");
  EXPECT_EQ(json["tolerates"], 1);
}

TEST(ClusterStatus, AnUnreachableMemberIsARowWithItsName) {
  const ClusterStatus cluster = combine(
      {{"h:1", member(1, "leader", 5)}, {"h:2", member(2, "follower", 5)}, {"h:3", refused()}});
  ASSERT_EQ(cluster.members.size(), 3u);
  EXPECT_EQ(cluster.members[2].name, "n3");
  EXPECT_FALSE(cluster.members[2].reachable);
  EXPECT_EQ(cluster.members[2].error, "connection refused");
  EXPECT_TRUE(cluster.healthy());
  EXPECT_EQ(cluster.tolerates(), 0u);
  EXPECT_EQ(summary_of(cluster), "degraded, tolerates 0 more failures, led by n1: n3 unreachable");
}

TEST(ClusterStatus, TheFirstLineSaysWhatIsWrongWithWhomAndForHowLong) {
  MemberStatus sick = member(2, "follower", 5);
  sick.ready = false;
  sick.reason = "progress: log sync pending for 1200 ms";
  sick.unready_for_ms = 3400;
  EXPECT_EQ(
      summary_of(combine(
          {{"h:1", member(1, "leader", 5)}, {"h:2", sick}, {"h:3", member(3, "follower", 5)}})),
      "degraded, tolerates 0 more failures, led by n1: n2 not well for 3 s (progress: log sync "
      "pending for 1200 ms)");
  EXPECT_EQ(summary_of(combine({{"h:1", refused()}, {"h:2", refused()}})),
            "unavailable, nobody leads: h:1 unreachable; h:2 unreachable");
}

TEST(ClusterStatus, OfTwoLeadersTheHigherTermLeads) {
  const ClusterStatus cluster = combine(
      {{"h:1", member(1, "leader", 5)}, {"h:2", member(2, "leader", 6)}, {"h:3", refused()}});
  EXPECT_EQ(cluster.leader, "n2");
  EXPECT_FALSE(cluster.members[0].leader);
}

TEST(ClusterStatus, NoLeaderIsNotHealthy) {
  const ClusterStatus cluster =
      combine({{"h:1", member(1, "candidate", 9)}, {"h:2", refused()}, {"h:3", refused()}});
  EXPECT_EQ(cluster.leader, "");
  EXPECT_FALSE(cluster.healthy());
  EXPECT_EQ(cluster.tolerates(), 0u);
}

TEST(ClusterStatus, AStalledMemberIsNotWellAndSaysWhy) {
  MemberStatus stalled = member(1, "follower", 6);
  stalled.stalled = true;
  stalled.reason = "a log sync is pending for 1200 ms";
  const ClusterStatus cluster = combine(
      {{"h:1", stalled}, {"h:2", member(2, "leader", 6)}, {"h:3", member(3, "follower", 6)}});
  EXPECT_EQ(cluster.members[0].reason, "a log sync is pending for 1200 ms");
  EXPECT_EQ(cluster.well, 2u);
  EXPECT_EQ(cluster.tolerates(), 0u);
  EXPECT_NE(simple_of(cluster).find("a log sync is pending"), std::string::npos);
}

TEST(ClusterStatus, OneMemberUnderTwoAddressesCountsOnce) {
  const ClusterStatus cluster = combine({{"h:1", member(1, "leader", 5)},
                                         {"localhost:1", member(1, "leader", 5)},
                                         {"h:2", refused()},
                                         {"h:3", refused()}});
  EXPECT_EQ(cluster.well, 1u);
  EXPECT_EQ(cluster.size, 3u);
  EXPECT_FALSE(cluster.healthy());
}

}  // namespace
}  // namespace client::ctl
