#include "tests/sim/scenario_table.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <set>

namespace sim {
namespace {

using client::ctl::playground::Leadership;
using client::ctl::playground::Scenario;

std::string spread(std::vector<std::int64_t> values) {
  std::sort(values.begin(), values.end());
  return std::to_string(values.front()) + "/" + std::to_string(values[values.size() / 2]) + "/" +
         std::to_string(values.back());
}

/// Returns how many seeds were not as expected.
std::size_t run_row(const std::string& name, const Scenario& scenario, std::size_t nodes,
                    const CampaignOptions& options) {
  std::vector<std::int64_t> detected, leader, gap, changes;
  std::map<std::string, std::uint64_t> verdicts;
  std::size_t failed = 0;
  for (std::uint64_t seed = options.first; seed <= options.last; ++seed) {
    const ScenarioRun run = run_scenario(scenario, nodes, seed, {.trace = options.trace});
    detected.push_back(run.detected_ms);
    leader.push_back(run.leader_ms);
    gap.push_back(run.gap_ms);
    changes.push_back(static_cast<std::int64_t>(run.changes));
    for (const auto& [kind, count] : run.verdicts) ++verdicts[kind];
    const std::string why = unmet(scenario, run);
    if (why.empty()) continue;
    ++failed;
    std::printf("  seed %llu: %s\n", static_cast<unsigned long long>(seed), why.c_str());
  }
  std::string found;
  for (const auto& [kind, runs] : verdicts) found += " " + kind + ":" + std::to_string(runs);
  std::printf("%s, %zu members, %zu runs: detected %s leader %s gap %s changes %s; verdicts%s\n",
              name.c_str(), nodes, detected.size(), spread(detected).c_str(),
              spread(leader).c_str(), spread(gap).c_str(), spread(changes).c_str(),
              found.empty() ? " none" : found.c_str());
  std::fflush(stdout);
  return failed;
}

}  // namespace

std::string unmet(const Scenario& scenario, const ScenarioRun& run) {
  if (!run.wrong.empty()) return run.wrong;
  const std::string after = std::to_string(run.leader_ms) + " ms";
  if (scenario.leadership == Leadership::kStays && run.leader_ms >= 0)
    return "another leads after " + after;
  if (scenario.leadership != Leadership::kMoves) return "";
  if (run.leader_ms < 0) return "nobody else leads";
  if (run.leader_ms > scenario.within_ms) return "another leads only after " + after;
  return "";
}

int run_scenarios(const std::vector<std::string>& paths, const CampaignOptions& options) {
  std::size_t failed = 0;
  for (const std::string& path : paths) {
    const auto scenario = client::ctl::playground::read_scenario(path);
    if (!scenario.is_ok()) {
      std::fprintf(stderr, "holdfast-sim: %s\n", scenario.status().detail().c_str());
      return 2;
    }
    const std::string name = std::filesystem::path(path).stem();
    const std::string foreign = not_simulated(scenario.value());
    if (!foreign.empty()) {
      std::printf("%s: not simulated: %s\n", name.c_str(), foreign.c_str());
      continue;
    }
    for (const std::size_t nodes : {std::size_t{3}, std::size_t{5}}) {
      const bool wanted = options.nodes == 0 || options.nodes == nodes;
      if (wanted && scenario.value().fits(nodes))
        failed += run_row(name, scenario.value(), nodes, options);
    }
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace sim
