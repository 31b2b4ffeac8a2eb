// The acceptance table on real processes (reference failures.md section 4; the results are in
// docs/failures.md). By default each row of a short selection runs once with three members.
// HOLDFAST_ACCEPTANCE_RUNS=5 runs every row so often with three and with five, and
// HOLDFAST_ACCEPTANCE_STATE=FILE remembers what was run, so that it can go on later;
// HOLDFAST_ACCEPTANCE_ROW=NAME takes one row, HOLDFAST_ACCEPTANCE_SECONDS=S lets its fault last S.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "tests/cluster/acceptance.h"

namespace cluster {
namespace {

using nlohmann::json;

/// Those that take a few seconds and whose reactions differ.
constexpr const char* kShort[] = {
    "leader-stopped",     "one-way-all-to-leader", "large-packets-lost-leader",
    "loop-thread-stuck",  "partial-partition-3",   "partial-partition-5",
    "slow-link-follower", "corrupt-frames"};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// Every run that is known, by row and number of members; kept in a file if one is named.
class Results {
 public:
  Results() : path_(environment("HOLDFAST_ACCEPTANCE_STATE")) {
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) {
      const json each = json::parse(line, nullptr, false);
      if (each.is_object()) runs_[{each["row"], each["nodes"]}].push_back(each);
    }
  }
  std::size_t count(const std::string& row, std::size_t nodes) {
    return runs_[{row, nodes}].size();
  }
  void add(const std::string& row, std::size_t nodes, const AcceptanceRun& run) {
    const json each = {{"row", row},
                       {"nodes", nodes},
                       {"detected", run.detected_ms},
                       {"leader", run.leader_ms},
                       {"gap", run.gap_ms},
                       {"changes", run.changes},
                       {"writes", run.writes},
                       {"unknown", run.unknown}};
    runs_[{row, nodes}].push_back(each);
    if (!path_.empty()) std::ofstream(path_, std::ios::app) << each.dump() << std::endl;
  }
  /// "row n: detected min/median/max, …".
  std::string line(const std::string& row, std::size_t nodes) {
    std::string text = row + ", " + std::to_string(nodes) + " members, " +
                       std::to_string(count(row, nodes)) + " runs:";
    for (const char* what : {"detected", "leader", "gap", "changes", "writes", "unknown"}) {
      std::vector<std::int64_t> values;
      for (const json& each : runs_[{row, nodes}]) values.push_back(each.value(what, -1));
      std::sort(values.begin(), values.end());
      text += std::string(" ") + what + " " + std::to_string(values.front()) + "/" +
              std::to_string(values[values.size() / 2]) + "/" + std::to_string(values.back());
    }
    return text;
  }

 private:
  const std::string path_;
  std::map<std::pair<std::string, std::size_t>, std::vector<json>> runs_;
};

/// Generous, so that a busy machine passes and a missing reaction does not.
void check(const AcceptanceRow& row, const AcceptanceRun& run) {
  for (const auto& wrong : run.wrong) ADD_FAILURE() << row.name << ": " << wrong;
  if (row.scenario.leadership == Leadership::kUnsaid) return;  // TCP may stall for seconds
  if (row.scenario.leadership == Leadership::kStays) {
    EXPECT_EQ(run.leader_ms, -1) << row.name << ": the leader changed";
    EXPECT_LT(run.gap_ms, 2000u * time_scale()) << row.name;
    return;
  }
  EXPECT_GE(run.leader_ms, 0) << row.name << ": nobody else leads";
  EXPECT_LT(run.leader_ms, (3 * row.scenario.within_ms + 1000) * time_scale()) << row.name;
  EXPECT_LE(run.changes, 2u) << row.name;
  EXPECT_GE(run.detected_ms, 0) << row.name << ": nobody wrote it down";
}

/// The last step comes so long after the first.
void stretch(Scenario& scenario, std::uint32_t seconds) {
  scenario.steps.back().at_ms = scenario.steps.front().at_ms + seconds * 1000;
  scenario.end_ms = scenario.steps.back().at_ms;
}

std::vector<AcceptanceRow> chosen_rows(std::size_t nodes_count, bool all) {
  const std::string only = environment("HOLDFAST_ACCEPTANCE_ROW");
  const std::string seconds = environment("HOLDFAST_ACCEPTANCE_SECONDS");
  std::vector<AcceptanceRow> rows = acceptance_rows();
  std::erase_if(rows, [&](const AcceptanceRow& row) {
    const bool is_short = std::count(std::begin(kShort), std::end(kShort), row.name) > 0;
    const bool chosen = only.empty() ? all || is_short : row.name == only;
    return !chosen || !row.scenario.fits(nodes_count);
  });
  for (AcceptanceRow& row : rows) {
    if (!seconds.empty()) stretch(row.scenario, static_cast<std::uint32_t>(std::stoul(seconds)));
  }
  return rows;
}

/// Round after round, so that a series that was ended has some of everything. In a series each run
/// has a cluster of its own: one moves its leader for slowness three times in ten minutes at most.
void run_rows(std::size_t nodes_count, std::size_t runs, bool series) {
  Results results;
  const std::vector<AcceptanceRow> rows = chosen_rows(nodes_count, series);
  std::unique_ptr<Nodes> nodes;
  std::uint64_t number = 0;
  bool told = false;  // what the members said, with the first failure
  for (std::size_t round = 0; round < runs; ++round) {
    for (const AcceptanceRow& row : rows) {
      if (results.count(row.name, nodes_count) > round) continue;
      if (series || nodes == nullptr) {
        nodes.reset();
        nodes = std::make_unique<Nodes>(nodes_count, std::vector<std::string>{},
                                        [](Nodes& before) { before.use_names(); });
      }
      ASSERT_TRUE(nodes->wait_ready());
      const AcceptanceRun run = run_acceptance(*nodes, row, ++number);
      check(row, run);
      results.add(row.name, nodes_count, run);
      if (!testing::Test::HasFailure() || told) continue;
      told = true;
      std::cout << nodes->last_words() << std::endl;
    }
  }
  for (const AcceptanceRow& row : rows)
    std::cout << results.line(row.name, nodes_count) << std::endl;
}

std::size_t runs() {
  const std::string text = environment("HOLDFAST_ACCEPTANCE_RUNS");
  return text.empty() ? 0 : static_cast<std::size_t>(std::max(1, std::atoi(text.c_str())));
}

TEST(Acceptance, OfThreeMembers) {
  run_rows(3, std::max<std::size_t>(1, runs()), runs() > 0);
}

TEST(Acceptance, OfFiveMembers) {
  run_rows(5, std::max<std::size_t>(1, runs()), runs() > 0);
}

}  // namespace
}  // namespace cluster
