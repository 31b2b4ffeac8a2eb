// Many seeds, and that a seed is a run.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "tests/sim/effort.h"
#include "tests/sim/simulation.h"

namespace sim {
namespace {

/// The last lines of a failed seed.
std::string explain(std::uint64_t seed, const Options& options) {
  Simulation again(seed, options);
  again.journal().keep(40);
  again.run();
  std::string text = "seed " + std::to_string(seed) + "\n";
  for (const std::string& line : again.journal().kept()) text += "  " + line + "\n";
  return text;
}

/// What must have been met in a thousand short seeds: each trace kind that is no violation, each
/// way to crash, each rare branch. A run that meets nothing proves nothing.
constexpr const char* kToMeet[] = {"answer leadership-lost",
                                   "answer no-leader",
                                   "answer not-leader",
                                   "answer overloaded",
                                   "answer quarantined",
                                   "answer unavailable",
                                   "became-candidate",
                                   "became-follower",
                                   "became-leader",
                                   "became-pre-candidate",
                                   "client gave up",
                                   "client time-out",
                                   "configuration truncated",
                                   "configuration-bound",
                                   "configuration-changing",
                                   "crash as candidate",
                                   "crash as follower",
                                   "crash as leader",
                                   "crash as pre-candidate",
                                   "crash in a joint configuration",
                                   "crash in quarantine",
                                   "crash with a learner",
                                   "crash within a truncation",
                                   "crash with entries that are not applied",
                                   "crash with entries that are not durable",
                                   "crash with unflushed state",
                                   "crash with unsynced log",
                                   "crash without a state",
                                   "directory replaced",
                                   "fault left out while a roll-back is unknown",
                                   "handed-over",
                                   "leader-changed",
                                   "load",
                                   "log cut",
                                   "fenced",
                                   "holder freezes",
                                   "lease ended by time",
                                   "lease renewed",
                                   "lock taken",
                                   "log restarted",
                                   "loss of synced data",
                                   "loss of the state",
                                   "message duplicated",
                                   "message held in a cut",
                                   "message lost",
                                   "message lost in a cut",
                                   "message lost in a reset",
                                   "message overtaken",
                                   "new leader felled",
                                   "no-member",
                                   "opened in quarantine",
                                   "operation left open",
                                   "operator's request done",
                                   "operator's request refused",
                                   "peer-probing",
                                   "peer-refused",
                                   "peer-replicating",
                                   "peer-reset",
                                   "promoted",
                                   "pulled",
                                   "quarantine-ended",
                                   "quarantined",
                                   "recovered",
                                   "roll-back of a directory",
                                   "snapshot-dropped",
                                   "snapshot-installed",
                                   "snapshot-receiving",
                                   "snapshot-sending",
                                   "snapshot-sent",
                                   "stalled",
                                   "stepped-down",
                                   "support-withdrawn",
                                   "transfer-aborted",
                                   "truncated",
                                   "vote-granted",
                                   "vote-refused",
                                   "watch goes on at another member",
                                   "watch overtaken by a compaction"};

TEST(Seeds, AThousandKeepEveryPromiseAndMeetEverything) {
  std::map<std::string, std::uint64_t, std::less<>> met;
  for (std::uint64_t seed = 1; seed <= effort(1000); ++seed) {
    const Options options = draw_options(seed, draw_nodes(seed));
    Simulation simulation(seed, options);
    simulation.run();
    ASSERT_FALSE(simulation.journal().violation().has_value()) << explain(seed, options);
    for (const auto& [what, times] : simulation.journal().counts()) met[what] += times;
  }
  if (!kFullEffort) return;
  for (std::size_t i = 0; i < kFaults; ++i) {
    const auto name = "fault " + std::string(name_of(static_cast<Fault>(i)));
    EXPECT_GE(met[name], 100u) << name;
  }
  for (const char* what : kToMeet) EXPECT_GE(met[what], 3u) << what;
  EXPECT_GE(met["operation done"], 500'000u);
}

TEST(Seeds, WholeOnesAreLongAndFull) {
  for (std::uint64_t seed = 1; seed <= effort(20); ++seed) {
    const Options options = draw_options(seed, draw_nodes(seed), Length::kWhole);
    Simulation simulation(seed, options);
    simulation.run();
    ASSERT_FALSE(simulation.journal().violation().has_value()) << explain(seed, options);
    EXPECT_GE(simulation.now(), 60 * kSecond) << seed;
    EXPECT_GE(simulation.journal().counts().at("fault"), 20u) << seed;
    EXPECT_GE(simulation.history().size(), 2000u) << seed;
  }
}

TEST(Seeds, GoAlikeEachTime) {
  std::uint64_t last = 0;
  for (std::uint64_t seed = 301; seed <= 300 + effort(12); ++seed) {
    Simulation first(seed, draw_options(seed, draw_nodes(seed)));
    Simulation second(seed, draw_options(seed, draw_nodes(seed)));
    second.journal().keep(10);
    first.run();
    second.run();
    EXPECT_EQ(first.journal().hash(), second.journal().hash()) << "seed " << seed;
    EXPECT_EQ(first.events(), second.events()) << "seed " << seed;
    EXPECT_NE(first.journal().hash(), last) << "seed " << seed;
    last = first.journal().hash();
  }
}

/// Crashes of every kind while leaders change and logs are truncated and cut, but no loss: nobody
/// may say that there was one. The journal fails the run at the first false alarm.
TEST(FalseAlarms, NoneInAThousandCrashesWithTruncations) {
  std::uint64_t crashes = 0;
  std::uint64_t truncations = 0;
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = 1; crashes < effort(1000) || truncations < effort(100); ++seed) {
    ASSERT_LE(seed, 200u) << "too few truncations";
    Options options = draw_options(seed, draw_nodes(seed));
    options.live = {};
    for (const Fault fault : {Fault::kCrashOne, Fault::kCrashSome, Fault::kCrashAll,
                              Fault::kIsolateLeader, Fault::kPartition, Fault::kSlowLog}) {
      options.set(fault);
    }
    options.log_bytes = 8 * 1024;
    options.fault_time = 10 * kSecond;
    options.fault_gap = {30 * kMillisecond, 400 * kMillisecond};
    Simulation simulation(seed, options);
    simulation.run();
    ASSERT_FALSE(simulation.journal().violation().has_value()) << explain(seed, options);
    const auto& counts = simulation.journal().counts();
    const auto count = [&counts](const char* what) {
      const auto at = counts.find(what);
      return at == counts.end() ? 0 : at->second;
    };
    EXPECT_EQ(count("opened in quarantine") + count("quarantined"), 0u) << "seed " << seed;
    crashes += count("crash");
    truncations += count("truncated");
    cuts += count("log cut");
  }
  EXPECT_GE(cuts, effort(50));
}

}  // namespace
}  // namespace sim
