#include "server/readiness.h"

#include <gtest/gtest.h>

#include "server/probe.h"

namespace server {
namespace {

constexpr std::uint64_t kNow = 100'000;

ReplicaStatus healthy_follower() {
  ReplicaStatus status;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    status.core.configuration.voters.push_back({base::MemberId(id), {}});
  }
  status.core.leader = base::MemberId(2);
  for (std::uint64_t id = 2; id <= 3; ++id) {
    raft::PeerStatus peer;
    peer.id = base::MemberId(id);
    peer.link_up = true;
    peer.silent_ticks = 1;
    status.core.peers.push_back(peer);
  }
  return status;
}

ReplicaStatus healthy_leader() {
  ReplicaStatus status = healthy_follower();
  status.core.role = raft::Role::kLeader;
  status.core.leader = base::MemberId(1);
  status.core.can_read = true;
  return status;
}

std::string reason(const ReplicaStatus& status, std::uint64_t loop_ms = kNow) {
  return first_reason(readiness(status, loop_ms, kNow, {}));
}

TEST(Readiness, HealthyMembersAreReady) {
  EXPECT_EQ(reason(healthy_follower()), "");
  EXPECT_EQ(reason(healthy_leader()), "");
  EXPECT_TRUE(all_ok(readiness(healthy_leader(), kNow, kNow, {})));
}

TEST(Readiness, EachCheckHasItsReason) {
  ReplicaStatus status = healthy_follower();
  status.draining = true;
  EXPECT_TRUE(reason(status).starts_with("draining:"));
  status = healthy_follower();
  status.core.quarantined = true;
  status.core.quarantine_reason = "lost entries 5 to 9";
  EXPECT_EQ(reason(status), "quarantine: lost entries 5 to 9");
  status = healthy_follower();
  status.core.failed = true;
  EXPECT_TRUE(reason(status).starts_with("log:"));
  status = healthy_follower();
  status.core.stalled = true;
  status.core.stall_reason = "log sync pending";
  EXPECT_EQ(reason(status), "progress: log sync pending");
  status = healthy_follower();
  status.core.leader = {};
  EXPECT_TRUE(reason(status).starts_with("leader:"));
  status = healthy_follower();
  status.core.peers[0].silent_ticks = 61;
  EXPECT_TRUE(reason(status).starts_with("leader: the leader has been silent for 610 ms"));
  status = healthy_leader();
  status.core.can_read = false;
  EXPECT_TRUE(reason(status).starts_with("leader:"));
  status = healthy_follower();
  status.core.commit = base::Index(20'000);
  EXPECT_TRUE(reason(status).starts_with("apply:"));
  EXPECT_TRUE(reason(healthy_follower(), kNow - 3000).starts_with("loop:"));
  EXPECT_TRUE(reason(healthy_follower(), 0).starts_with("loop:"));
}

TEST(Readiness, ALeaderNeedsAReachableMajority) {
  ReplicaStatus status = healthy_leader();
  status.core.peers[0].silent_ticks = 1000;
  EXPECT_EQ(reason(status), "");
  status.core.peers[1].link_up = false;
  EXPECT_TRUE(reason(status).starts_with("quorum: only 1 of 3")) << reason(status);
}

TEST(Readiness, LivenessNeedsNobodyElse) {
  EXPECT_TRUE(all_ok(liveness(kNow - 100, kNow, {})));
  EXPECT_TRUE(all_ok(liveness(kNow - 5000, kNow, {}))) << "a restart would not mend a busy machine";
  EXPECT_FALSE(all_ok(liveness(kNow - 11'000, kNow, {})));
}

TEST(Readiness, AStuckLoopCallsItselfNothingElse) {
  const ReplicaStatus status = healthy_leader();
  EXPECT_EQ(role_name(status.core, kNow - 250, kNow, {}), "leader");
  EXPECT_EQ(role_name(status.core, kNow - 350, kNow, {}), "stuck");
}

TEST(Readiness, EachPurposeHasItsChecks) {
  const std::vector<HealthCheck> checks = {{"loop", true, ""},
                                           {"progress", false, "stalled"},
                                           {"leader", false, "no"},
                                           {"disk", false, "full"},
                                           {"member", true, ""}};
  EXPECT_EQ(checks_for(checks, Purpose::kWrite).size(), 5u);
  EXPECT_EQ(first_reason(checks_for(checks, Purpose::kRead)), "leader: no");
  EXPECT_TRUE(all_ok(checks_for(checks, Purpose::kStale)));
  EXPECT_EQ(purpose_of("read"), Purpose::kRead);
  EXPECT_EQ(purpose_of("dance"), std::nullopt);
}

TEST(Probe, ComplainsAfterThreeFailuresUntilTwoWereGood) {
  ProbeBoard board;
  const auto complaint = [&](std::uint64_t now_ms) {
    return probe_complaint(board.read(), now_ms, {});
  };
  EXPECT_EQ(complaint(60'000), "") << "it has only just started";
  board.failed(1000, "a read: timeout");
  board.failed(2000, "a read: timeout");
  EXPECT_EQ(complaint(2000), "");
  board.failed(3000, "a read: timeout");
  EXPECT_EQ(complaint(3000), "3 probes in a row failed: a read: timeout");
  board.passed(4000, 0.1, std::nullopt, 1);
  EXPECT_NE(complaint(4000), "");
  board.passed(5000, 0.1, 2.0, 1);
  EXPECT_EQ(complaint(5000), "");
  EXPECT_EQ(complaint(10'001), "no probe has ended for 5001 ms");
  EXPECT_EQ(probe_complaint(board.read(), 90'000, {.every_ms = 0}), "");
}

TEST(Readiness, TextHasALineACheck) {
  EXPECT_EQ(to_text({{"a", true, ""}, {"b", false, "why"}}), "[+]a ok\n[-]b failed: why\n");
}

}  // namespace
}  // namespace server
