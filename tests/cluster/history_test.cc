// Versions and compaction on real processes, by the command line: the past is the same after every
// process was killed, an idle cluster still lets time pass, and what was compacted says so.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include <nlohmann/json.hpp>

#include "tests/cluster/nodes.h"

namespace cluster {
namespace {

using namespace std::chrono_literals;

std::uint64_t now_ms() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

class HistoryOfAKey : public testing::Test {
 protected:
  HistoryOfAKey() : nodes_(3) {}
  std::uint64_t put(const std::string& value) {
    const Ended put = nodes_.holdfast({"put", "k", value, "-w", "json"});
    EXPECT_EQ(put.exit_code, 0) << put.err;
    return nlohmann::json::parse(put.out).at("revision");
  }
  std::string at(std::uint64_t revision) {
    return nodes_.holdfast({"get", "k", "--rev", std::to_string(revision)}).out;
  }
  std::size_t versions() {
    const Ended history = nodes_.holdfast({"history", "k", "-w", "json"});
    EXPECT_EQ(history.exit_code, 0) << history.err;
    return nlohmann::json::parse(history.out).at("events").size();
  }

  Nodes nodes_;
};

TEST_F(HistoryOfAKey, OutlivesKillsUntilItIsCompacted) {
  ASSERT_TRUE(nodes_.wait_ready());
  const std::uint64_t first = put("one");
  std::this_thread::sleep_for(20ms);
  const std::uint64_t between_ms = now_ms();
  std::this_thread::sleep_for(20ms);
  const std::uint64_t second = put("two");
  ASSERT_EQ(nodes_.holdfast({"del", "k"}).exit_code, 0);
  const std::uint64_t last = put("four");
  for (std::size_t i = 0; i < 3; ++i) nodes_.kill(i);
  for (std::size_t i = 0; i < 3; ++i) nodes_.start(i);
  ASSERT_TRUE(nodes_.wait_ready());

  EXPECT_EQ(at(first), "one\n");
  EXPECT_EQ(at(second), "two\n");
  EXPECT_EQ(at(second + 1), "") << "it was deleted then";
  EXPECT_EQ(nodes_.holdfast({"get", "k", "--at-time", std::to_string(between_ms)}).out, "one\n");
  EXPECT_EQ(versions(), 4u);
  // Nobody writes, and this moment is later than any entry.
  const Ended now = nodes_.holdfast({"get", "k", "--at-time", std::to_string(now_ms())});
  EXPECT_EQ(now.out, "four\n") << now.err;
  // Any member can be asked, and waits until that moment has passed there.
  for (std::size_t i = 0; i < 3; ++i) {
    const Ended here = run({holdfast_path(), "--endpoints", nodes_.client_address(i), "get", "k",
                            "--consistency", "s", "--at-time", std::to_string(now_ms())});
    EXPECT_EQ(here.out, "four\n") << here.err;
  }
  const Ended ahead = nodes_.holdfast({"get", "k", "--at-time", std::to_string(now_ms() + 60'000)});
  EXPECT_EQ(ahead.exit_code, 1);
  EXPECT_NE(ahead.err.find("ahead"), std::string::npos) << ahead.err;

  const Ended compacted = nodes_.holdfast({"compact", std::to_string(second)});
  EXPECT_EQ(compacted.exit_code, 0) << compacted.err;
  EXPECT_EQ(at(second), "two\n");
  EXPECT_EQ(versions(), 3u);
  const Ended gone = nodes_.holdfast({"get", "k", "--rev", std::to_string(first)});
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_NE(gone.err.find("can be read is " + std::to_string(second)), std::string::npos)
      << gone.err;
  EXPECT_EQ(nodes_.holdfast({"compact", std::to_string(second)}).exit_code, 1) << "it was, before";
  const Ended future = nodes_.holdfast({"get", "k", "--rev", std::to_string(last + 9)});
  EXPECT_EQ(future.exit_code, 1);
  EXPECT_NE(future.err.find("newest revision is " + std::to_string(last)), std::string::npos);
}

TEST_F(HistoryOfAKey, GoesByItselfByCount) {
  ASSERT_TRUE(nodes_.wait_ready());
  ASSERT_EQ(nodes_.holdfast({"compact", "--keep-revisions", "50"}).exit_code, 0);
  const Ended bench =
      nodes_.holdfast({"bench", "put", "--clients", "16", "--duration", "1s", "--key-space", "5"});
  ASSERT_EQ(bench.exit_code, 0) << bench.err;
  const std::uint64_t last = put("x");
  EXPECT_EQ(nodes_.holdfast({"get", "k", "--rev", std::to_string(last - 40)}).exit_code, 3);
  const Ended gone = nodes_.holdfast({"get", "k", "--rev", std::to_string(last - 300)});
  EXPECT_EQ(gone.exit_code, 1) << "50, and a slack of 106";
  const Ended status = nodes_.holdfast({"status", "-w", "json"});
  const auto told = nlohmann::json::parse(status.out).at("members").at(0);
  EXPECT_EQ(told.at("keep_revisions"), 50);
}

}  // namespace
}  // namespace cluster
