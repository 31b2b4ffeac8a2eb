// A power cut, on real processes: the fault plane keeps in the process what was not synced, so that
// SIGKILL loses it, or tears the last write in its middle (DESIGN promise 2).
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/cluster/nodes.h"
#include "tests/cluster/writers.h"

namespace cluster {
namespace {

class PowerCut : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(nodes_.wait_ready()); }

  void inject(std::size_t i, const std::string& fault) {
    const Ended ended = set(i, fault);
    EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  }
  Ended set(std::size_t i, const std::string& fault) {
    return nodes_.holdfast({"--endpoints", nodes_.client_address(i), "fault", fault});
  }
  std::size_t leader() {
    std::optional<std::size_t> leader;
    EXPECT_TRUE(wait_until(20'000, [&] { return (leader = nodes_.leader()).has_value(); }));
    return leader.value_or(0);
  }
  /// It ends by itself, by SIGKILL, and comes back.
  void expect_torn(std::size_t i) {
    (void)set(i, "tear-log-sync");  // it may be gone before it answers
    EXPECT_TRUE(wait_until(20'000, [&] { return !nodes_.runs(i); })) << "no sync was torn";
    nodes_.start(i);
  }
  void expect_that_nothing_is_lost(Writers& writers) {
    EXPECT_TRUE(nodes_.wait_ready());
    const std::uint64_t before = writers.acknowledged();
    EXPECT_TRUE(wait_until(20'000, [&] { return writers.acknowledged() > before + 100; }));
    writers.stop();
    for (const auto& wrong : compare_with_cluster(writers.history(), "w/", nodes_.endpoints()))
      ADD_FAILURE() << wrong;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const auto status = nodes_.status(i);
      ASSERT_TRUE(status.has_value());
      EXPECT_FALSE(status->quarantined) << nodes_.name(i) << ": " << status->reason;
    }
  }

  Nodes nodes_{3};
};

TEST_F(PowerCut, OfAllAtOnceLosesNothingThatWasAcknowledged) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) inject(i, "lose-log-unsynced");
  Writers writers({.endpoints = nodes_.endpoints()});
  ASSERT_TRUE(wait_until(20'000, [&] { return writers.acknowledged() > 300; }));
  for (std::size_t i = 0; i < nodes_.size(); ++i) nodes_.signal(i, SIGKILL);
  for (std::size_t i = 0; i < nodes_.size(); ++i) nodes_.kill(i);
  for (std::size_t i = 0; i < nodes_.size(); ++i) nodes_.start(i);
  expect_that_nothing_is_lost(writers);
}

/// What waits for a sync that does not return is not acknowledged, and is gone afterwards.
TEST_F(PowerCut, OfAHungLeaderLosesOnlyWhatItNeverSynced) {
  Writers writers({.endpoints = nodes_.endpoints()});
  ASSERT_TRUE(wait_until(20'000, [&] { return writers.acknowledged() > 300; }));
  const std::size_t hung = leader();
  inject(hung, "lose-log-unsynced");
  inject(hung, "hang-log-sync");
  ASSERT_TRUE(wait_until(20'000, [&] {
    const auto now = nodes_.leader();
    return now && *now != hung;
  }));
  nodes_.kill(hung);
  nodes_.start(hung);
  expect_that_nothing_is_lost(writers);
}

TEST_F(PowerCut, InTheMiddleOfAWriteTearsItAndNothingElse) {
  Writers writers({.endpoints = nodes_.endpoints()});
  ASSERT_TRUE(wait_until(20'000, [&] { return writers.acknowledged() > 300; }));
  for (int round = 0; round < 3; ++round) {
    const std::size_t first = leader();
    expect_torn(first);
    ASSERT_TRUE(nodes_.wait_ready());
    expect_torn((leader() + 1) % nodes_.size());
    ASSERT_TRUE(nodes_.wait_ready());
  }
  expect_that_nothing_is_lost(writers);
}

}  // namespace
}  // namespace cluster
