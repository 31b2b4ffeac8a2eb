// The acceptance table (tests/scenarios) in the simulator: every file with three and with five
// members. docs/failures.md has thirty seeds of each.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/sim/effort.h"
#include "tests/sim/scenario_table.h"

namespace sim {
namespace {

using client::ctl::playground::read_scenario;
using client::ctl::playground::Scenario;

/// The table has 64; the reactions are the same.
constexpr std::size_t kClients = 16;

Scenario scenario(const std::string& name) {
  auto read = read_scenario(std::string(HOLDFAST_SCENARIOS) + "/" + name + ".scenario");
  CHECK(read.is_ok(), read.status().to_string());
  return std::move(read).value();
}

class ScenarioFiles : public ::testing::TestWithParam<std::string> {};

TEST_P(ScenarioFiles, DoesWhatItExpects) {
  const Scenario what = scenario(GetParam());
  if (!not_simulated(what).empty()) return;  // named below
  for (const std::size_t nodes : {std::size_t{3}, std::size_t{5}}) {
    if (!what.fits(nodes)) continue;
    const ScenarioRun run = run_scenario(what, nodes, 1, {.clients = kClients});
    EXPECT_EQ(unmet(what, run), "") << nodes << " members, seed 1";
    if (what.leadership == client::ctl::playground::Leadership::kMoves) {
      EXPECT_GE(run.detected_ms, 0);
      EXPECT_FALSE(run.verdicts.empty());
    }
  }
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& file : std::filesystem::directory_iterator(HOLDFAST_SCENARIOS))
    all.push_back(file.path().stem());
  std::sort(all.begin(), all.end());
  // Sanitizers take ten times as long: one that needs elections, lost messages and entries.
  if (!kFullEffort) all = {"large-packets-lost-leader"};
  return all;
}

INSTANTIATE_TEST_SUITE_P(Files, ScenarioFiles, ::testing::ValuesIn(names()), [](const auto& name) {
  std::string text = name.param;
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
});

TEST(ScenariosThatAreNotSimulated, AreThoseWithoutACounterpart) {
  std::vector<std::string> left_out;
  for (const auto& file : std::filesystem::directory_iterator(HOLDFAST_SCENARIOS)) {
    const std::string name = file.path().stem();
    if (!not_simulated(scenario(name)).empty()) left_out.push_back(name);
  }
  std::sort(left_out.begin(), left_out.end());
  EXPECT_EQ(left_out, (std::vector<std::string>{"log-lines-blocked", "names-do-not-resolve"}));
}

// ---- Each reaction, switched off ----

void no_step_down_nor_withdrawal(Options& options) {
  options.raft.step_down_on_stall = false;
  options.raft.withdraw_support = false;
}
[[maybe_unused]] void no_observers(Options& options) {
  options.observers = false;
}

/// The scenario must be met with the reaction, and not without it.
void needs(const std::string& name, void (*without)(Options& options)) {
  const Scenario what = scenario(name);
  EXPECT_EQ(unmet(what, run_scenario(what, 3, 1, {.clients = kClients})), "") << name;
  EXPECT_NE(unmet(what, run_scenario(what, 3, 1, {.clients = kClients, .tune = without})), "")
      << name << " needs no reaction";
}

TEST(WithoutItsReaction, AStalledLeaderStays) {
  needs("log-sync-never-returns", no_step_down_nor_withdrawal);
}
// Under a sanitizer, where each takes ten times as long, the one above stands for these.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(WithoutItsReaction, ALeaderWhoseApplyStandsStillStays) {
  needs("apply-thread-stuck", no_step_down_nor_withdrawal);
}
TEST(WithoutItsReaction, ASlowLeaderStays) {
  needs("slow-sync-leader", no_observers);
}
TEST(WithoutItsReaction, ALeaderWhoseClockIsFarOffStays) {
  needs("clock-jumps-leader", no_observers);
}
TEST(WithoutItsReaction, AStarvedLeaderStays) {
  needs("leader-cpu-5-percent", no_observers);
}
TEST(WithoutItsReaction, ALeaderWithAFullDiskStays) {
  needs("disk-full-leader", no_observers);
}
#endif

}  // namespace
}  // namespace sim
