// The checks can fail: known mistakes, made on purpose, are found, each within a few seeds and by
// the check that is there for it.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/sim/effort.h"
#include "tests/sim/simulation.h"

namespace sim {
namespace {

/// The first violation in up to `seeds` runs; empty if there is none.
std::string find_violation(const Options& options, std::uint64_t seeds) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Simulation simulation(seed, options);
    simulation.run();
    if (simulation.journal().violation()) return *simulation.journal().violation();
  }
  return "";
}

/// That the options are sound but for the mistake.
void expect_sound_without(Options options, std::uint64_t seeds) {
  options.mistakes = Mistakes();
  EXPECT_EQ(find_violation(options, effort(seeds)), "");
}

TEST(Mistakes, AcknowledgingBeforeTheSyncIsFound) {
  Options options;
  options.set(Fault::kCrashAll);
  options.mistakes.acknowledge_before_sync = true;
  const std::string found = find_violation(options, 5);
  EXPECT_NE(found.find("is committed, but not synced on"), std::string::npos) << found;
  expect_sound_without(options, 5);
}

/// The same without looking into the disks: only from what was committed and told to clients.
TEST(Mistakes, AcknowledgingBeforeTheSyncIsFoundFromOutside) {
  Options options;
  options.set(Fault::kCrashAll);
  options.sync_delay = {5 * kMillisecond, 40 * kMillisecond};
  options.mistakes.acknowledge_before_sync = true;
  options.mistakes.ignore_quarantine = true;  // the guard notices, too
  options.look_into_disks = false;
  const std::string found = find_violation(options, 20);
  const bool lost = found.find("log matching") != std::string::npos ||
                    found.find("leader completeness") != std::string::npos ||
                    found.find("another chain hash") != std::string::npos;
  EXPECT_TRUE(lost) << found;
  expect_sound_without(options, 10);
}

TEST(Mistakes, ReadsOfADeposedLeaderAreFound) {
  Options options;
  options.set(Fault::kIsolateLeader);
  options.fault_gap = {100 * kMillisecond, 800 * kMillisecond};
  options.keys = 2;
  options.raft.check_quorum_ticks = 150;  // it stays for longer
  options.mistakes.read_without_barrier = true;
  const std::string found = find_violation(options, 20);
  EXPECT_NE(found.find("returned before one that stands before it began"), std::string::npos)
      << found;
  expect_sound_without(options, 20);
}

TEST(Mistakes, ADivergingStateIsFound) {
  Options options;
  options.mistakes.skip_entry = true;
  const std::string found = find_violation(options, 3);
  EXPECT_TRUE(found.find("another digest") != std::string::npos ||
              found.find("the model") != std::string::npos)
      << found;
}

TEST(Mistakes, RetriesThatCountTwiceAreFound) {
  Options options;
  options.set(Fault::kCrashOne);
  options.set(Fault::kIsolateLeader);
  options.mistakes.retry_as_new = true;
  const std::string found = find_violation(options, 10);
  // Twice, under a number that the log does not have, or with another's revision: whichever comes
  // first.
  EXPECT_TRUE(found.find("exactly once") != std::string::npos ||
              found.find("but it was never committed") != std::string::npos ||
              found.find("acknowledged: session") != std::string::npos)
      << found;
  expect_sound_without(options, 10);
}

TEST(Mistakes, LostDataThatIsPassedOverIsFound) {
  Options options;
  options.set(Fault::kLoseData);
  options.mistakes.ignore_quarantine = true;
  const std::string found = find_violation(options, 5);
  EXPECT_NE(found.find("unnoticed"), std::string::npos) << found;
  expect_sound_without(options, 5);
}

}  // namespace
}  // namespace sim
