// Faults by name: what can be set, how strong, how long, and what is said when it cannot.
#include "server/fault_plane.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace server {
namespace {

constexpr std::uint64_t kForever = base::FaultSwitch::kForever;
using net::Direction;

class FaultPlaneTest : public ::testing::Test {
 protected:
  base::Status set(std::string_view name, const std::vector<FaultParameter>& parameters = {},
                   std::uint64_t for_ms = kForever) {
    return plane_.set(name, parameters, for_ms, peers_);
  }
  std::vector<FaultState> all(std::string_view name) const {
    std::vector<FaultState> found;
    for (const FaultState& each : plane_.list(peers_)) {
      if (each.name == name) found.push_back(each);
    }
    return found;
  }
  FaultState one(std::string_view name) const { return all(name).at(0); }
  static bool of_links(std::string_view name) {
    return name.ends_with("-link") || name == "drop-large";
  }

  const FaultPeers peers_ = {
      {"n2", base::MemberId(2)}, {"n3", base::MemberId(3)}, {"clients", net::kClients}};
  FaultPlane plane_;
};

TEST_F(FaultPlaneTest, EachIsSetListedAndCleared) {
  for (const FaultState& each : plane_.list(peers_)) {
    EXPECT_FALSE(each.on);
    EXPECT_FALSE(each.what.empty());
    std::vector<FaultParameter> parameters;
    if (of_links(each.name)) parameters = {{"peer", "n2"}, {"direction", "out"}};
    ASSERT_TRUE(set(each.name, parameters).is_ok()) << each.name;
    for (const FaultState& other : plane_.list(peers_))
      EXPECT_EQ(other.on, other.name == each.name);
    ASSERT_TRUE(plane_.clear(each.name).is_ok());
    EXPECT_FALSE(one(each.name).on);
  }
}

TEST_F(FaultPlaneTest, ClearWithoutANameEndsAll) {
  for (const FaultState& each : plane_.list(peers_)) (void)set(each.name, {});
  ASSERT_TRUE(set("cut-link", {{"peer", "all"}}).is_ok());
  EXPECT_TRUE(plane_.links().any());
  ASSERT_TRUE(plane_.clear("").is_ok());
  for (const FaultState& each : plane_.list(peers_)) EXPECT_FALSE(each.on) << each.name;
  EXPECT_FALSE(plane_.links().any());
}

TEST_F(FaultPlaneTest, AStrengthHasADefaultAndBounds) {
  EXPECT_EQ(one("slow-log-sync").parameter, "delay=100ms");
  ASSERT_TRUE(set("slow-log-sync", {{"delay", "2s"}}).is_ok());
  EXPECT_EQ(one("slow-log-sync").parameter, "delay=2000ms");
  EXPECT_EQ(plane_.storage().log.slow_sync.strength(), 2000u);
  for (const char* wrong : {"", "5", "0ms", "61s", "-5ms", "1h", "99999999999999999999ms", "ms"}) {
    const base::Status status = set("slow-log-sync", {{"delay", wrong}});
    EXPECT_EQ(status.code(), base::Code::kInvalidArgument) << wrong;
    EXPECT_NE(status.detail().find("1ms and delay=60000ms"), std::string::npos) << status.detail();
  }
  EXPECT_EQ(plane_.storage().log.slow_sync.strength(), 2000u) << "as it was";
}

TEST_F(FaultPlaneTest, ALinkIsOfAPeerAndADirection) {
  ASSERT_TRUE(set("slow-link", {{"peer", "n3"}, {"direction", "in"}, {"delay", "50ms"}}).is_ok());
  EXPECT_EQ(plane_.links().on(base::MemberId(3), Direction::kIn).delay_ms, 50u);
  EXPECT_FALSE(plane_.links().on(base::MemberId(3), Direction::kOut).any());
  EXPECT_FALSE(plane_.links().on(base::MemberId(2), Direction::kIn).any());
  ASSERT_EQ(all("slow-link").size(), 1u);
  EXPECT_EQ(one("slow-link").parameter, "peer=n3 direction=in delay=50ms");
  ASSERT_TRUE(set("lossy-link", {{"peer", "all"}, {"loss", "5%"}}).is_ok());
  EXPECT_EQ(all("lossy-link").size(), 4u) << "two peers, both directions";
  ASSERT_TRUE(set("narrow-link", {{"peer", "n2"}, {"rate", "20kB/s"}}).is_ok());
  EXPECT_EQ(plane_.links().on(base::MemberId(2), Direction::kOut).rate_bytes_s, 20'000u);
  EXPECT_EQ(plane_.links().on(base::MemberId(2), Direction::kOut).loss_percent, 5u) << "both";
}

TEST_F(FaultPlaneTest, WhatIsNotThereIsNamed) {
  const auto detail = [&](std::string_view name, const std::vector<FaultParameter>& parameters) {
    const base::Status status = set(name, parameters);
    EXPECT_EQ(status.code(), base::Code::kInvalidArgument);
    return status.detail();
  };
  EXPECT_NE(detail("hang-everything", {}).find("hang-log-sync"), std::string::npos);
  EXPECT_EQ(plane_.clear("hang-everything").code(), base::Code::kInvalidArgument);
  EXPECT_NE(detail("hang-log-sync", {{"delay", "1s"}}).find("'delay'"), std::string::npos);
  EXPECT_NE(detail("hang-log-sync", {{"peer", "n2"}}).find("'peer'"), std::string::npos);
  EXPECT_NE(detail("slow-log-sync", {{"lag", "1s"}}).find("it has delay"), std::string::npos);
  EXPECT_NE(detail("cut-link", {}).find("peer=NAME"), std::string::npos);
  EXPECT_NE(detail("cut-link", {{"peer", "n9"}}).find("all n2 n3 clients"), std::string::npos);
  EXPECT_NE(detail("cut-link", {{"peer", "n2"}, {"direction", "up"}}).find("out, in or both"),
            std::string::npos);
  for (const FaultState& each : plane_.list(peers_)) EXPECT_FALSE(each.on) << each.name;
}

TEST_F(FaultPlaneTest, EndsByItself) {
  ASSERT_TRUE(set("hang-log-sync", {}, 60'000).is_ok());
  EXPECT_TRUE(one("hang-log-sync").on);
  EXPECT_GT(one("hang-log-sync").left_ms, 50'000u);
  ASSERT_TRUE(set("hang-log-sync", {}, 0).is_ok());
  EXPECT_FALSE(one("hang-log-sync").on);
  EXPECT_EQ(one("hang-log-sync").left_ms, 0u);
  ASSERT_TRUE(set("cut-link", {{"peer", "n2"}}, 0).is_ok());
  EXPECT_FALSE(plane_.links().on(base::MemberId(2), Direction::kOut).any());
  EXPECT_FALSE(plane_.links().any());
}

}  // namespace
}  // namespace server
