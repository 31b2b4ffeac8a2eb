// kill -9 of one node or of all, at random moments, while clients write: every acknowledged write
// is there, no refused one is, each once.
//
// HOLDFAST_ROUNDS=1000 HOLDFAST_ROUNDS_FILE=rounds.txt cluster_test --gtest_filter=Kill.Rounds
// runs many rounds, says how far it is, and goes on from the file when it is started again.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "base/random.h"
#include "tests/cluster/nodes.h"
#include "tests/cluster/writers.h"

namespace cluster {
namespace {

constexpr std::uint32_t kRoundsACluster = 20;

std::uint32_t number_from_environment(const char* name, std::uint32_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise
                          : static_cast<std::uint32_t>(std::strtoul(value, nullptr, 10));
}

/// Rounds done so far, over all runs.
class Progress {
 public:
  Progress() {
    const char* path = std::getenv("HOLDFAST_ROUNDS_FILE");
    if (path != nullptr) path_ = path;
    std::ifstream(path_) >> done_ >> writes_;
  }
  std::uint32_t done() const { return done_; }
  std::uint64_t writes() const { return writes_; }
  void add(std::uint32_t rounds, std::uint64_t writes) {
    done_ += rounds;
    writes_ += writes;
    if (!path_.empty()) std::ofstream(path_) << done_ << " " << writes_ << "\n";
  }

 private:
  std::string path_;
  std::uint32_t done_ = 0;
  std::uint64_t writes_ = 0;
};

void pass(std::uint64_t ms) {
  const std::uint64_t end = now_ms() + ms;
  (void)wait_until(ms + 1000, [&] { return now_ms() >= end; });
}

/// A random node, or all of them, dies at a random moment and comes back after another.
void kill_and_restart(Nodes& nodes, base::Random& random) {
  pass(random.between(20, 400));
  const bool all = random.below(4) == 0;
  const std::size_t chosen = random.below(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (all || i == chosen) nodes.signal(i, SIGKILL);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (all || i == chosen) nodes.kill(i);
  pass(random.below(3) == 0 ? random.between(100, 600) : 0);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (!nodes.runs(i)) nodes.start(i);
}

/// Some rounds on one cluster, then the comparison. Returns the writes that were acknowledged.
std::uint64_t rounds_on_one_cluster(std::uint32_t rounds, std::uint64_t seed) {
  Nodes nodes(3);
  if (!nodes.wait_ready()) {
    ADD_FAILURE() << "not ready";
    return 0;
  }
  base::Random random(seed);
  Writers writers({.endpoints = nodes.endpoints()});
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const std::uint64_t before = writers.acknowledged();
    kill_and_restart(nodes, random);
    const bool ready = nodes.wait_ready();
    EXPECT_TRUE(ready) << "seed " << seed << ", round " << round;
    // Writing goes on before the next round begins.
    const bool writes =
        wait_until(15000 * time_scale(), [&] { return writers.acknowledged() > before + 10; });
    EXPECT_TRUE(writes) << "seed " << seed << ", round " << round;
    if (!ready || !writes) break;
  }
  writers.stop();
  EXPECT_TRUE(nodes.wait_ready());
  for (const auto& wrong : compare_with_cluster(writers.history(), "w/", nodes.endpoints()))
    ADD_FAILURE() << "seed " << seed << ": " << wrong;
  std::printf("seed %llu: %u rounds, %llu writes acknowledged, %llu refused, %llu unknown\n",
              static_cast<unsigned long long>(seed), rounds,
              static_cast<unsigned long long>(writers.acknowledged()),
              static_cast<unsigned long long>(writers.refused()),
              static_cast<unsigned long long>(writers.unknown()));
  std::fflush(stdout);
  return writers.acknowledged();
}

TEST(Kill, Rounds) {
  const std::uint32_t wanted =
      number_from_environment("HOLDFAST_ROUNDS", time_scale() > 1 ? 5 : 20);
  Progress progress;
  while (progress.done() < wanted && !HasFailure()) {
    const std::uint32_t rounds = std::min(kRoundsACluster, wanted - progress.done());
    const std::uint64_t acknowledged = rounds_on_one_cluster(rounds, progress.done() + 1);
    if (HasFailure()) break;
    progress.add(rounds, acknowledged);
    std::printf("%u of %u rounds, %llu writes\n", progress.done(), wanted,
                static_cast<unsigned long long>(progress.writes()));
    std::fflush(stdout);
  }
  EXPECT_GE(progress.done(), wanted);
}

TEST(Kill, TheComparisonSeesLossRepetitionAndWhatWasRefused) {
  Nodes nodes(1);
  ASSERT_TRUE(nodes.wait_ready());
  Writers writers({.endpoints = nodes.endpoints()});
  ASSERT_TRUE(wait_until(10000 * time_scale(), [&] { return writers.acknowledged() > 20; }));
  writers.stop();
  History history = writers.history();
  ASSERT_TRUE(compare_with_cluster(history, "w/", nodes.endpoints()).empty());

  auto key = history.begin();
  ASSERT_EQ(nodes.holdfast({"put", key->first, key->second.value}).exit_code, 0);  // again
  (++key)->second.fate = Fate::kRefused;
  ASSERT_EQ(nodes.holdfast({"del", (++key)->first}).exit_code, 0);
  ASSERT_EQ(nodes.holdfast({"put", "w/x", "1"}).exit_code, 0);
  (++key)->second.value += "!";
  ++(++key)->second.revision;
  EXPECT_EQ(compare_with_cluster(history, "w/", nodes.endpoints()).size(), 6u);
}

}  // namespace
}  // namespace cluster
