// Scenarios with one fault at a known moment, and what must follow from it (DESIGN promise 5).
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>

#include "tests/sim/effort.h"
#include "tests/sim/scenario.h"

namespace sim {
namespace {

constexpr Time kBound = 1500 * kMillisecond;

struct Reactions {
  bool step_down = true;
  bool withdraw = true;
};

enum class Hung { kLog, kDisk };  // its syncs; those and the state's writes

struct Outcome {
  Time gap = 0;              // the longest without an acknowledged write in 5 s of the fault
  bool leads_still = false;  // who led when it began
  std::string violation;
};

/// The leader's disk hangs under load while its network lives; healed after 5 s.
Outcome hang_the_leader(std::uint64_t seed, Hung hung, Reactions reactions, std::size_t nodes = 3) {
  Options options;
  options.nodes = nodes;
  options.clients = 8;
  options.raft.step_down_on_stall = reactions.step_down;
  options.raft.withdraw_support = reactions.withdraw;
  Simulation simulation(seed, options);
  simulation.start();
  simulation.run_until(2 * kSecond);
  const auto leader = simulation.cluster().leader();
  if (!leader) return {0, false, "nobody led after two seconds of calm"};
  Node& node = simulation.cluster().node(*leader);
  node.disk().hangs = true;
  node.engine().hangs = hung == Hung::kDisk;
  simulation.run_until(7 * kSecond);
  Outcome outcome;
  outcome.gap = longest_gap(simulation.history(), 2 * kSecond, 7 * kSecond);
  outcome.leads_still = simulation.cluster().leader() == leader;
  simulation.cluster().heal();
  simulation.finish();
  outcome.violation = simulation.journal().violation().value_or("");
  return outcome;
}

TEST(HungLeaderDisk, WritesGoOnWithinTheBoundInEverySeed) {
  for (std::uint64_t seed = 1; seed <= effort(20); ++seed) {
    const Outcome outcome = hang_the_leader(seed, Hung::kDisk, {}, seed % 4 == 0 ? 5 : 3);
    EXPECT_LE(outcome.gap, kBound) << "seed " << seed;
    EXPECT_FALSE(outcome.leads_still) << "seed " << seed;
    EXPECT_EQ(outcome.violation, "") << "seed " << seed;
  }
}

TEST(HungLeaderDisk, WritesStopForAsLongAsItHangsWithoutTheReactions) {
  for (std::uint64_t seed = 1; seed <= effort(20); ++seed) {
    const Outcome outcome = hang_the_leader(seed, Hung::kDisk, {false, false});
    EXPECT_GT(outcome.gap, 3 * kBound) << "seed " << seed;
    EXPECT_TRUE(outcome.leads_still) << "seed " << seed;
    EXPECT_EQ(outcome.violation, "") << "once healed it goes on, seed " << seed;
  }
}

TEST(HungLeaderDisk, EitherReactionAloneIsEnough) {
  for (std::uint64_t seed = 1; seed <= effort(10); ++seed) {
    for (const Reactions reactions : {Reactions{true, false}, Reactions{false, true}}) {
      const Outcome outcome = hang_the_leader(seed, Hung::kDisk, reactions);
      EXPECT_LE(outcome.gap, kBound) << "seed " << seed << " step down " << reactions.step_down;
      EXPECT_FALSE(outcome.leads_still) << "seed " << seed;
      EXPECT_EQ(outcome.violation, "") << "seed " << seed;
    }
  }
}

/// With only its log hung a leader can still commit on its followers' disks; it must not stay.
TEST(HungLeaderLog, TheLeaderGivesUpAndWritesGoOn) {
  for (std::uint64_t seed = 1; seed <= effort(20); ++seed) {
    const Outcome outcome = hang_the_leader(seed, Hung::kLog, {});
    EXPECT_LE(outcome.gap, kBound) << "seed " << seed;
    EXPECT_FALSE(outcome.leads_still) << "seed " << seed;
    EXPECT_EQ(outcome.violation, "") << "seed " << seed;
    EXPECT_TRUE(hang_the_leader(seed, Hung::kLog, {false, false}).leads_still) << "seed " << seed;
  }
}

/// A power cut may take the watermark's newest writes with it; then the peers remember.
TEST(LostData, IsToldByPeersWhereTheNodeCannotNotice) {
  std::size_t told = 0;
  for (std::uint64_t seed = 1; seed <= 60 && told < effort(5); ++seed) {
    Simulation simulation(seed, Options());
    simulation.start();
    simulation.run_until(2 * kSecond);
    const auto leader = simulation.cluster().leader();
    ASSERT_TRUE(leader.has_value());
    const std::size_t victim = (*leader + 1) % 3;
    simulation.cluster().crash(victim, Crash::kPowerCut, 10 * kSecond);
    ASSERT_TRUE(simulation.cluster().node(victim).lose_data(Loss::kUnmarked));
    simulation.cluster().start(victim);
    if (simulation.cluster().node(victim).status().core.quarantined) continue;
    ++told;
    simulation.run_until(3 * kSecond);
    EXPECT_EQ(simulation.journal().counts().contains("quarantined"), true) << "seed " << seed;
    simulation.finish();
    // A leader makes it whole again.
    EXPECT_EQ(simulation.journal().counts().contains("quarantine-ended"), true) << "seed " << seed;
    EXPECT_FALSE(simulation.cluster().node(victim).status().core.quarantined) << "seed " << seed;
    EXPECT_EQ(simulation.journal().violation().value_or(""), "") << "seed " << seed;
  }
  EXPECT_GE(told, effort(5)) << "too few openings that noticed nothing: the test shows nothing";
}

TEST(Minority, TwoOfThreeDownRefusesEverythingAndComesBack) {
  for (std::uint64_t seed = 1; seed <= effort(5); ++seed) {
    Simulation simulation(seed, Options());
    simulation.start();
    simulation.run_until(2 * kSecond);
    const auto leader = simulation.cluster().leader();
    ASSERT_TRUE(leader.has_value());
    for (std::size_t i = 0; i < 3; ++i) {
      if (i != *leader) simulation.cluster().crash(i, Crash::kKill, 60 * kSecond);
    }
    simulation.run_until(3 * kSecond);
    // Linearizable operations only: a stale read is what it says.
    const std::size_t before = simulation.history().size();
    simulation.run_until(6 * kSecond);
    for (std::size_t i = before; i < simulation.history().size(); ++i) {
      const Operation& operation = simulation.history()[i];
      if (operation.verb == Verb::kStaleGet) continue;
      EXPECT_TRUE(operation.open()) << to_string(operation);
    }
    EXPECT_FALSE(simulation.cluster().leader().has_value());
    simulation.cluster().heal();
    simulation.run_until(8 * kSecond);
    EXPECT_NE(simulation.first_write_after(6 * kSecond), kOpen);
    simulation.finish();
    EXPECT_EQ(simulation.journal().violation().value_or(""), "") << "seed " << seed;
  }
}

}  // namespace
}  // namespace sim
