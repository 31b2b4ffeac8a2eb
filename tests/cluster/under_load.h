// A cluster of three under load, for tests that inject faults into it and compare in the end.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/cluster/nodes.h"
#include "tests/cluster/writers.h"

namespace cluster {

class UnderLoad : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(nodes_.wait_ready());
    const auto leader = nodes_.leader();
    ASSERT_TRUE(leader.has_value());
    leader_ = *leader;
    writers_ = std::make_unique<Writers>(WritersOptions{.endpoints = nodes_.endpoints()});
    ASSERT_TRUE(writing_goes_on());
  }
  /// `holdfast fault` at that member.
  Ended fault(std::size_t i, std::vector<std::string> words) {
    words.insert(words.begin(), {"--endpoints", nodes_.client_address(i), "fault"});
    return nodes_.holdfast(words);
  }
  bool writing_goes_on() {
    const std::uint64_t before = writers_->acknowledged();
    return wait_until(20000 * time_scale(),
                      [&] { return writers_->acknowledged() > before + 200; });
  }
  void heal_and_check() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) EXPECT_EQ(fault(i, {"clear"}).exit_code, 0);
    EXPECT_TRUE(nodes_.wait_ready());
    EXPECT_TRUE(writing_goes_on());
    writers_->stop();
    for (const auto& wrong : compare_with_cluster(writers_->history(), "w/", nodes_.endpoints()))
      ADD_FAILURE() << wrong;
  }

  Nodes nodes_{3};
  std::size_t leader_ = 0;  // before any fault
  std::unique_ptr<Writers> writers_;
};

}  // namespace cluster
