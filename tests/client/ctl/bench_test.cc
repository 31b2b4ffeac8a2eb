#include "client/ctl/bench.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace client::ctl {
namespace {

TEST(BenchReport, ComputesRatesAndQuantiles) {
  BenchReport report;
  for (std::uint64_t us = 1000; us <= 100000; us += 1000) {
    ++report.operations;
    report.latency_us.record(us);
  }
  report.seconds = 2;
  report.log_syncs = 25;
  report.log_syncs_known = true;
  report.errors["timeout"] = 3;
  EXPECT_DOUBLE_EQ(report.throughput_per_second(), 50);
  EXPECT_DOUBLE_EQ(report.syncs_per_operation(), 0.25);
  const auto json = nlohmann::json::parse(json_of(report, BenchArguments{}));
  EXPECT_DOUBLE_EQ(json["throughput_per_second"], 50);
  EXPECT_NEAR(json["p50_ms"], 50, 1.5);
  EXPECT_NEAR(json["p99_ms"], 99, 2);
  EXPECT_DOUBLE_EQ(json["max_ms"], 100);
  EXPECT_EQ(json["errors"]["timeout"], 3);
  EXPECT_DOUBLE_EQ(json["syncs_per_operation"], 0.25);
}

TEST(BenchReport, AnEmptyRunDividesByNothing) {
  const auto json = nlohmann::json::parse(json_of(BenchReport{}, BenchArguments{}));
  EXPECT_EQ(json["throughput_per_second"], 0.0);
  EXPECT_EQ(json["operations"], 0);
  EXPECT_TRUE(json["syncs_per_operation"].is_null());
}

}  // namespace
}  // namespace client::ctl
