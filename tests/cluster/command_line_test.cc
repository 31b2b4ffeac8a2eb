// The command line against a real cluster: what is wrong is said plainly, with the right exit code;
// bytes come back as they went.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/cluster/nodes.h"

namespace cluster {
namespace {

class CommandLine : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    nodes_ = std::make_unique<Nodes>(3);
    ASSERT_TRUE(nodes_->wait_ready());
  }
  static void TearDownTestSuite() { nodes_.reset(); }

  static void expect_refusal(const Ended& ended, const std::string& word) {
    EXPECT_TRUE(ended.exit_code == 1 || ended.exit_code == 2) << ended.exit_code << ended.err;
    EXPECT_EQ(ended.out, "");
    EXPECT_NE(ended.err.find(word), std::string::npos) << ended.err;
  }
  static std::unique_ptr<Nodes> nodes_;
};
std::unique_ptr<Nodes> CommandLine::nodes_;

TEST_F(CommandLine, WhatIsWrongIsRefusedAndNamed) {
  expect_refusal(nodes_->holdfast({"put", "", "1"}), "key");
  expect_refusal(nodes_->holdfast({"get", std::string(5000, 'k')}), "key");
  expect_refusal(nodes_->holdfast({"put", std::string(5000, 'k'), "1"}), "key");
  expect_refusal(nodes_->holdfast({"put", "big"}, 30000, std::string((1536 << 10) + 1, 'v')),
                 "value");
  const Ended flag = nodes_->holdfast({"put", "a", "1", "--no-such-flag"});
  EXPECT_EQ(flag.exit_code, 2);
  expect_refusal(flag, "--no-such-flag");
  EXPECT_EQ(nodes_->holdfast({"frobnicate"}).exit_code, 2);
  EXPECT_EQ(nodes_->holdfast({}).exit_code, 2);
  EXPECT_EQ(run({holdfastd_path(), "--no-such-flag"}).exit_code, 2);
  EXPECT_EQ(run({holdfastd_path()}).exit_code, 2);
}

TEST_F(CommandLine, ValuesComeBackAsTheyWent) {
  std::string bytes;
  for (int i = 0; i < 256 * 6 * 1024; ++i) bytes.push_back(static_cast<char>(i * 7 + i / 256));
  ASSERT_EQ(bytes.size(), 1536u << 10) << "just the limit";
  const Ended put = nodes_->holdfast({"put", "bytes"}, 30000, bytes);
  ASSERT_EQ(put.exit_code, 0) << put.err;
  const Ended got = nodes_->holdfast({"get", "bytes"});
  EXPECT_EQ(got.exit_code, 0) << got.err;
  EXPECT_TRUE(got.out == bytes + "\n") << got.out.size();

  EXPECT_EQ(nodes_->holdfast({"--hex", "put", "\\x00\\xff", "\\x01"}).exit_code, 0);
  EXPECT_EQ(nodes_->holdfast({"--hex", "get", "\\x00\\xff"}).out, "\\x01\n");
  const Ended missing = nodes_->holdfast({"get", "missing"});
  EXPECT_EQ(missing.exit_code, 3);
  EXPECT_EQ(missing.out, "");
  EXPECT_EQ(nodes_->holdfast({"del", "missing"}).exit_code, 3);
}

TEST_F(CommandLine, TransactionsHoldOrDoNot) {
  ASSERT_EQ(nodes_->holdfast({"put", "t", "1"}).exit_code, 0);
  const std::string transaction = "value(\"t\") = \"1\"\n\nput t 2\n\nget t\n";
  EXPECT_EQ(nodes_->holdfast({"txn"}, 30000, transaction).exit_code, 0);
  EXPECT_EQ(nodes_->holdfast({"get", "t"}).out, "2\n");
  EXPECT_EQ(nodes_->holdfast({"txn"}, 30000, transaction).exit_code, 3) << "the compare fails now";
}

TEST_F(CommandLine, NobodyThereIsUnavailable) {
  const Ended got = run({holdfast_path(), "--endpoints", "127.0.0.1:1", "put", "a", "1"});
  EXPECT_EQ(got.exit_code, 4) << got.err;
  EXPECT_EQ(got.out, "");
}

TEST_F(CommandLine, BenchMeasures) {
  const Ended bench = nodes_->holdfast(
      {"bench", "put", "--clients", "16", "--duration", "1s", "--value-size", "256", "-w", "json"});
  ASSERT_EQ(bench.exit_code, 0) << bench.err;
  const auto told = nlohmann::json::parse(bench.out);
  EXPECT_GT(told["throughput_per_second"].get<double>(), 10.0);
  const double p50 = told["p50_ms"].get<double>(), p99 = told["p99_ms"].get<double>();
  EXPECT_GT(p50, 0.0);
  EXPECT_LE(p50, p99);
  EXPECT_LE(told["p99_9_ms"].get<double>(), told["max_ms"].get<double>());
  EXPECT_TRUE(told["errors"].empty()) << bench.out;
  // Each member syncs each batch: at least a batch was synced on each of them.
  EXPECT_GE(told["log_syncs"].get<int>(), 3);
  EXPECT_GT(told["syncs_per_operation"].get<double>(), 0.0);
}

TEST_F(CommandLine, BenchAtARateCallsSoOften) {
  const Ended bench =
      nodes_->holdfast({"bench", "put", "--rate", "200", "--duration", "2s", "-w", "json"});
  ASSERT_EQ(bench.exit_code, 0) << bench.err;
  const auto told = nlohmann::json::parse(bench.out);
  EXPECT_EQ(told["operations"].get<int>(), 400) << "no more, and those that came late too";
  EXPECT_GE(told["duration_seconds"].get<double>(), 1.9);
}

TEST_F(CommandLine, ASecondServerOnTheSameDataIsRefused) {
  const Ended second =
      run({holdfastd_path(), "--name", "n1", "--data-dir", nodes_->data_dir(0), "--cluster-token",
           "x", "--initial-cluster", "n1=127.0.0.1:1", "--listen-client", "127.0.0.1:0",
           "--listen-peer", "127.0.0.1:0", "--listen-http", "127.0.0.1:0"});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_NE(second.err.find("LOCK"), std::string::npos) << second.err;
  EXPECT_EQ(nodes_->holdfast({"put", "still", "here"}).exit_code, 0);
}

}  // namespace
}  // namespace cluster
