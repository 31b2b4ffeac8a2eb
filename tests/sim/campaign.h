// Many seeds, several at a time: what they found, how far they are, and where to go on after a
// break. Threads of its own; each seed is one thread's.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "tests/sim/options.h"

namespace sim {

struct CampaignOptions {
  std::uint64_t first = 1;  // seeds, both included
  std::uint64_t last = 200;
  std::size_t nodes = 0;  // 0: by the seed, a quarter of them five and the others three
  Length length = Length::kWhole;
  unsigned jobs = 1;
  bool coverage = false;   // on stdout at the end
  bool trace = false;      // on stdout; one seed
  bool each = false;       // a line for each seed on stdout, with the hash of its trace
  bool shrinks = true;     // what fails
  bool fail_fast = false;  // ends with the first failure
  std::string resume;      // a file that is read, and written now and then; empty: none
  std::optional<std::set<std::uint64_t>> only_faults;
};

/// 3 or 5.
std::size_t nodes_of(const CampaignOptions& options, std::uint64_t seed);
/// The command line that runs the seed again.
std::string command_of(const CampaignOptions& options, std::uint64_t seed);

/// Runs them all. Returns the exit code: 0 if none failed, 1 if some did, 2 if the file to resume
/// from belongs to other seeds or cannot be read or written.
int run_campaign(const CampaignOptions& options);

/// What to say if a CHECK ends the process: the command line that runs this thread's seed again.
const char* last_words();

/// Makes one failing seed smaller, each run in a process of its own, so that a CHECK that ends it
/// counts as a failure. Requires: no other thread runs. Exit code 0 if the seed does not fail.
int shrink_seed(const CampaignOptions& options, std::uint64_t seed);

}  // namespace sim
