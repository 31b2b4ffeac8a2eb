// Scenarios with many seeds, and what they took: a line each on stdout.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/campaign.h"
#include "tests/sim/scenario.h"

namespace sim {

/// What the run shows against what the scenario expects; empty if nothing.
std::string unmet(const client::ctl::playground::Scenario& scenario, const ScenarioRun& run);

/// Every file with every seed of `options`, with three and five nodes or with as many as it says.
/// Returns the exit code: 0 if all was as expected, 1 if not, 2 if a file makes no sense.
int run_scenarios(const std::vector<std::string>& paths, const CampaignOptions& options);

}  // namespace sim
