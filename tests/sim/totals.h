// What the seeds of a campaign have found so far, and the file that it is kept in. Plain data; its
// owner guards it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/status.h"

namespace sim {

class Journal;

/// Invariant: every seed below `floor`, from the first on, and every one in `above` is done.
struct Totals {
  std::uint64_t floor = 0;
  std::set<std::uint64_t> above;
  std::set<std::uint64_t> failed;
  std::map<std::string, std::uint64_t> counts;      // how often each thing was met
  std::map<std::string, std::uint64_t> seeds_with;  // and in how many seeds
  std::uint64_t simulated_us = 0;
  std::uint64_t cpu_us = 0;

  bool done(std::uint64_t seed) const { return seed < floor || above.contains(seed); }
  void add(std::uint64_t seed, const Journal& journal, std::uint64_t simulated, std::uint64_t cpu);
};

/// Writes everything, and `what` as its first line, so that the file is never half of one.
/// Errors: kIo.
base::Status save(const Totals& totals, const std::string& what, const std::string& path);
/// nullopt: there is no such file. Errors: kInvalidArgument: it is of something else than `what`,
/// or it is none of ours.
base::Result<std::optional<Totals>> load(const std::string& what, const std::string& path);

}  // namespace sim
