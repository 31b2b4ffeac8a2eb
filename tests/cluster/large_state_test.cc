// A large state reaches a new member while people write. Here it is small, so that it takes
// seconds; HOLDFAST_LARGE_STATE_MB=1024 is the real thing, and prints what writing costs meanwhile.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/cluster/nodes.h"

namespace cluster {
namespace {

constexpr int kSmallMb = 48;

int state_mb() {
  const char* text = std::getenv("HOLDFAST_LARGE_STATE_MB");
  return text == nullptr ? kSmallMb : std::max(1, std::atoi(text));
}

/// Before, and after; 2 s each.
constexpr int kUsualWindows = 3;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}
std::string describe(const std::vector<double>& values) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f, %.1f, %.1f ms",
                *std::min_element(values.begin(), values.end()), median(values),
                *std::max_element(values.begin(), values.end()));
  return text;
}

class LargeState : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(nodes_.wait_ready()); }

  nlohmann::json bench(std::vector<std::string> more, int seconds) {
    std::vector<std::string> words = {"bench", "put",        "-w",
                                      "json",  "--duration", std::to_string(seconds) + "s"};
    words.insert(words.end(), more.begin(), more.end());
    const Ended ended = nodes_.holdfast(words, static_cast<std::uint64_t>(seconds + 60) * 1000);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return nlohmann::json::parse(ended.out, nullptr, false);
  }
  /// Until the state, history and all, has so many bytes: each put stores its value twice.
  void fill(int mb) {
    std::uint64_t bytes = 0;
    for (int round = 0; bytes < static_cast<std::uint64_t>(mb) << 20 && round < 200; ++round) {
      const auto told = bench({"--value-size", "65536", "--clients", "16"}, 2);
      bytes += 2 * told["operations"].get<std::uint64_t>() * 65536;
      std::printf("[ state    ] about %llu MB\n", static_cast<unsigned long long>(bytes >> 20));
      std::fflush(stdout);
    }
  }
  std::vector<std::string> at_half_load() {
    const auto full = bench({}, 3);
    const auto half = full["throughput_per_second"].get<double>() / 2;
    return {"--rate", std::to_string(std::max(1, static_cast<int>(half)))};
  }

  double p99_ms(const std::vector<std::string>& half) {
    const auto told = bench(half, 2);
    EXPECT_TRUE(told["errors"].empty()) << told.dump();
    std::printf("[ window   ] p50 %.1f p99 %.1f max %.1f ms\n", told["p50_ms"].get<double>(),
                told["p99_ms"].get<double>(), told["max_ms"].get<double>());
    return told["p99_ms"].get<double>();
  }
  std::vector<double> windows(const std::vector<std::string>& half, int count) {
    std::vector<double> all;
    for (int i = 0; i < count; ++i) all.push_back(p99_ms(half));
    return all;
  }

  // The log is cut early, so that the new member needs the state.
  Nodes nodes_{3, {"--log-bytes-max", "1048576"}};
};

TEST_F(LargeState, ReachesANewMemberWhilePeopleWrite) {
  fill(state_mb());
  const auto half = at_half_load();
  std::vector<double> usual = windows(half, kUsualWindows);
  const std::size_t joined = nodes_.join();
  const Ended added = nodes_.holdfast({"member", "add", nodes_.name(joined), "--peer-address",
                                       nodes_.peer_address(joined), "--client-address",
                                       nodes_.client_address(joined)});
  ASSERT_EQ(added.exit_code, 0) << added.err;
  const std::uint64_t began = now_ms();
  std::vector<double> meanwhile;
  const auto installed = [&] {
    return nodes_.log(joined).find("snapshot-installed") != std::string::npos;
  };
  while (!installed() && now_ms() < began + 600'000) meanwhile.push_back(p99_ms(half));
  ASSERT_TRUE(installed()) << nodes_.last_words();
  const double seconds = static_cast<double>(now_ms() - began) / 1000;
  const auto same = [&] {
    const auto theirs = nodes_.status(joined);
    const auto leader = nodes_.leader();
    const auto ours = leader ? nodes_.status(*leader) : std::nullopt;
    return theirs && ours && theirs->header.applied == ours->header.applied &&
           theirs->header.hash == ours->header.hash && theirs->ready;
  };
  EXPECT_TRUE(wait_until(60000 * time_scale(), same)) << "it has the same state";
  for (const double after : windows(half, kUsualWindows)) usual.push_back(after);
  std::printf(
      "[ measured ] %d MB in %.0f s at %s writes/s, half of what was possible; p99 of 2 s, "
      "minimum, median and maximum: usual %s, meanwhile %s; medians %.2f\n",
      state_mb(), seconds, half[1].c_str(), describe(usual).c_str(), describe(meanwhile).c_str(),
      median(meanwhile) / median(usual));
}

}  // namespace
}  // namespace cluster
