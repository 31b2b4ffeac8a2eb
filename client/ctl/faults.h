// holdfast fault: what is injected into one member.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/ctl/arguments.h"

namespace client::ctl {

/// Runs the verb and returns the exit code.
int run_fault(const Arguments& arguments);

/// On a loop of its own. Returns all faults of the member afterwards; errors as client::fault().
base::Result<std::vector<Fault>> change_faults(const std::string& endpoint,
                                               const FaultChange& change, std::uint32_t timeout_ms);

nlohmann::ordered_json json_of(const std::vector<Fault>& faults);

}  // namespace client::ctl
