// kill -9 of one node, of a majority or of all, at random moments, while clients write: every
// acknowledged write is there, no refused one is, each once. Each round is compared by itself, and
// all rounds of a cluster at its end.
//
// HOLDFAST_KILL_ROUNDS=1000 HOLDFAST_KILL_STATE=rounds.txt cluster_test --gtest_filter=Kill.Rounds
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

/// Rounds done so far, over all runs, and the seed of them all.
class Progress {
 public:
  Progress() {
    const char* path = std::getenv("HOLDFAST_KILL_STATE");
    if (path != nullptr) path_ = path;
    std::ifstream(path_) >> done_ >> writes_ >> seed_;
    if (seed_ == 0) seed_ = number_from_environment("HOLDFAST_KILL_SEED", 1);
  }
  std::uint32_t done() const { return done_; }
  std::uint64_t seed() const { return seed_; }
  std::uint64_t writes() const { return writes_; }
  void add(std::uint32_t rounds, std::uint64_t writes) {
    done_ += rounds;
    writes_ += writes;
    if (!path_.empty()) std::ofstream(path_) << done_ << " " << writes_ << " " << seed_ << "\n";
  }

 private:
  std::string path_;
  std::uint32_t done_ = 0;
  std::uint64_t writes_ = 0;
  std::uint64_t seed_ = 0;
};

void pass(std::uint64_t ms) {
  const std::uint64_t end = now_ms() + ms;
  (void)wait_until(ms + 1000, [&] { return now_ms() >= end; });
}

/// Random nodes die at a random moment and come back after another. Returns how many.
std::size_t kill_and_restart(Nodes& nodes, base::Random& random) {
  pass(random.between(20, 400));
  const std::uint64_t kind = random.below(4);
  const std::size_t count = kind == 0 ? nodes.size() : kind == 1 ? nodes.size() / 2 + 1 : 1;
  const std::size_t first = random.below(nodes.size());
  for (std::size_t n = 0; n < count; ++n) nodes.signal((first + n) % nodes.size(), SIGKILL);
  for (std::size_t n = 0; n < count; ++n) nodes.kill((first + n) % nodes.size());
  // Sometimes for so long that clients give up: those writes are refused, or unknown.
  const std::uint64_t wait = random.below(count > 1 ? 6 : 3);
  pass(wait == 0   ? random.between(100, 600)
       : wait == 5 ? random.between(1600, 2200) * time_scale()
                   : 0);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (!nodes.runs(i)) nodes.start(i);
  return count;
}

/// A kill is no loss: nobody may raise the alarm.
void expect_no_quarantine(Nodes& nodes) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto status = nodes.status(i);
    ASSERT_TRUE(status.has_value()) << nodes.name(i);
    EXPECT_FALSE(status->quarantined) << nodes.name(i) << ": " << status->reason;
  }
}

/// Rounds on one cluster.
class Rounds {
 public:
  explicit Rounds(std::uint64_t seed) : seed_(seed), random_(seed) {}

  /// Returns the writes that were acknowledged.
  std::uint64_t run(std::uint32_t rounds) {
    if (!nodes_.wait_ready()) ADD_FAILURE() << "not ready";
    for (std::uint32_t i = 0; i < rounds && !testing::Test::HasFailure(); ++i) round(i);
    if (testing::Test::HasFailure()) return acknowledged_;
    for (const auto& wrong : compare_with_cluster(history_, "w", nodes_.endpoints()))
      ADD_FAILURE() << "seed " << seed_ << ", at the end: " << wrong;
    return acknowledged_;
  }

 private:
  void round(std::uint32_t number) {
    SCOPED_TRACE("seed " + std::to_string(seed_) + ", round " + std::to_string(number));
    const std::uint64_t began_ms = now_ms();
    const std::string prefix = "w" + std::to_string(number) + "/";
    Writers writers({.endpoints = nodes_.endpoints(), .prefix = prefix});
    const std::size_t killed = kill_and_restart(nodes_, random_);
    const std::uint64_t before = writers.acknowledged();
    ASSERT_TRUE(nodes_.wait_ready());
    ASSERT_TRUE(
        wait_until(15000 * time_scale(), [&] { return writers.acknowledged() > before + 10; }));
    writers.stop();
    for (const auto& wrong : compare_with_cluster(writers.history(), prefix, nodes_.endpoints()))
      ADD_FAILURE() << wrong;
    for (const auto& wrong : compare_registers(writers.registers(), prefix, nodes_.endpoints()))
      ADD_FAILURE() << wrong;
    ASSERT_NO_FATAL_FAILURE(expect_no_quarantine(nodes_));
    history_.insert(writers.history().begin(), writers.history().end());
    acknowledged_ += writers.acknowledged();
    std::fprintf(stderr,
                 "seed %llu, round %u: %zu killed, %llu writes acknowledged, %llu refused, "
                 "%llu unknown, %llu ms\n",
                 static_cast<unsigned long long>(seed_), number, killed,
                 static_cast<unsigned long long>(writers.acknowledged()),
                 static_cast<unsigned long long>(writers.refused()),
                 static_cast<unsigned long long>(writers.unknown()),
                 static_cast<unsigned long long>(now_ms() - began_ms));
  }

  const std::uint64_t seed_;
  base::Random random_;
  Nodes nodes_{3};
  History history_;
  std::uint64_t acknowledged_ = 0;
};

TEST(Kill, Rounds) {
  const std::uint32_t wanted =
      number_from_environment("HOLDFAST_KILL_ROUNDS", time_scale() > 1 ? 5 : 20);
  Progress progress;
  while (progress.done() < wanted && !HasFailure()) {
    const std::uint32_t rounds = std::min(kRoundsACluster, wanted - progress.done());
    const std::uint64_t acknowledged = Rounds(progress.seed() + progress.done()).run(rounds);
    if (HasFailure()) break;
    progress.add(rounds, acknowledged);
    std::fprintf(stderr, "%u of %u rounds, %llu writes\n", progress.done(), wanted,
                 static_cast<unsigned long long>(progress.writes()));
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

  Registers registers = writers.registers();
  ASSERT_EQ(registers.size(), 4u);
  ASSERT_TRUE(compare_registers(registers, "w/", nodes.endpoints()).empty());
  auto overwritten = registers.begin();
  ASSERT_EQ(nodes.holdfast({"put", overwritten->first, "0"}).exit_code, 0);  // an old value
  (++overwritten)->second.pop_back();                                        // one time too many
  ASSERT_EQ(nodes.holdfast({"del", (++overwritten)->first}).exit_code, 0);
  (++overwritten)->second.back().fate = Fate::kRefused;
  EXPECT_EQ(compare_registers(registers, "w/", nodes.endpoints()).size(), 4u);
}

}  // namespace
}  // namespace cluster
