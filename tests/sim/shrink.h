// Makes a failing run smaller: finds few of its planned faults that are enough for a failure (delta
// debugging, Zeller and Hildebrandt 2002). Simulator thread.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "tests/sim/options.h"
#include "tests/sim/schedule.h"

namespace sim {

struct Shrunk {
  std::vector<PlannedFault> faults;  // enough for a failure, in the order of time
  std::uint64_t runs = 0;            // that it took
  bool minimal = false;              // none of them can be left out
};

/// Whether a run with these faults only fails.
using Fails = std::function<bool(const std::set<std::uint64_t>& only)>;

/// Requires: fails(all of `planned`). Calls `fails` at most `limit` times.
Shrunk shrink(const std::vector<PlannedFault>& planned, const Fails& fails, std::uint64_t limit);

}  // namespace sim
