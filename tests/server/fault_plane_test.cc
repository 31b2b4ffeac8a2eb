// Faults by name: what can be set, how strong, how long, and what is said when it cannot.
#include "server/fault_plane.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace server {
namespace {

constexpr std::uint64_t kForever = base::FaultSwitch::kForever;

FaultState find(const FaultPlane& plane, std::string_view name) {
  const auto states = plane.list();
  const auto at = std::find_if(states.begin(), states.end(),
                               [&](const FaultState& each) { return each.name == name; });
  return at == states.end() ? FaultState() : *at;
}

TEST(FaultPlane, EachIsSetListedAndCleared) {
  FaultPlane plane;
  for (const FaultState& each : plane.list()) {
    EXPECT_FALSE(each.on);
    EXPECT_FALSE(each.what.empty());
    ASSERT_TRUE(plane.set(each.name, {}, kForever).is_ok()) << each.name;
    EXPECT_TRUE(find(plane, each.name).on) << each.name;
    for (const FaultState& other : plane.list()) EXPECT_EQ(other.on, other.name == each.name);
    ASSERT_TRUE(plane.clear(each.name).is_ok());
    EXPECT_FALSE(find(plane, each.name).on);
  }
}

TEST(FaultPlane, ClearWithoutANameEndsAll) {
  FaultPlane plane;
  for (const FaultState& each : plane.list()) (void)plane.set(each.name, {}, kForever);
  ASSERT_TRUE(plane.clear("").is_ok());
  for (const FaultState& each : plane.list()) EXPECT_FALSE(each.on) << each.name;
}

TEST(FaultPlane, AStrengthHasADefaultAndBounds) {
  FaultPlane plane;
  EXPECT_EQ(find(plane, "slow-log-sync").parameter, "delay=100ms");
  ASSERT_TRUE(plane.set("slow-log-sync", {{"delay", "2s"}}, kForever).is_ok());
  EXPECT_EQ(find(plane, "slow-log-sync").parameter, "delay=2000ms");
  EXPECT_EQ(plane.storage().log.slow_sync.strength(), 2000u);
  for (const char* wrong : {"", "5", "0ms", "61s", "-5ms", "1h", "99999999999999999999ms", "ms"}) {
    const base::Status status = plane.set("slow-log-sync", {{"delay", wrong}}, kForever);
    EXPECT_EQ(status.code(), base::Code::kInvalidArgument) << wrong;
    EXPECT_NE(status.detail().find("from 1ms to 60000ms"), std::string::npos) << status.detail();
  }
  EXPECT_EQ(plane.storage().log.slow_sync.strength(), 2000u) << "as it was";
}

TEST(FaultPlane, WhatIsNotThereIsNamed) {
  FaultPlane plane;
  const base::Status name = plane.set("hang-everything", {}, kForever);
  EXPECT_EQ(name.code(), base::Code::kInvalidArgument);
  EXPECT_NE(name.detail().find("hang-log-sync"), std::string::npos) << "says what there is";
  EXPECT_EQ(plane.clear("hang-everything").code(), base::Code::kInvalidArgument);
  EXPECT_NE(plane.set("hang-log-sync", {{"delay", "1s"}}, kForever).detail().find("'delay'"),
            std::string::npos);
  EXPECT_NE(plane.set("slow-log-sync", {{"lag", "1s"}}, kForever).detail().find("but delay"),
            std::string::npos);
  for (const FaultState& each : plane.list()) EXPECT_FALSE(each.on) << each.name;
}

TEST(FaultPlane, EndsByItself) {
  FaultPlane plane;
  ASSERT_TRUE(plane.set("hang-log-sync", {}, 60'000).is_ok());
  EXPECT_TRUE(find(plane, "hang-log-sync").on);
  EXPECT_GT(find(plane, "hang-log-sync").left_ms, 50'000u);
  ASSERT_TRUE(plane.set("hang-log-sync", {}, 0).is_ok());
  EXPECT_FALSE(find(plane, "hang-log-sync").on);
  EXPECT_EQ(find(plane, "hang-log-sync").left_ms, 0u);
}

}  // namespace
}  // namespace server
