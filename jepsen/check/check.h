// All checkers over one history. Pure but for the clock that `expired` asks; any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "jepsen/check/availability.h"
#include "jepsen/check/finding.h"
#include "jepsen/check/outcomes.h"
#include "jepsen/history/history.h"

namespace jepsen {

struct CheckOptions {
  /// What a key holds at first: nothing; or a number, of histories of others.
  std::int64_t initial = kAbsent;
  std::size_t states_max = 32'000'000;
  std::function<bool()> expired;  // ends a search
  std::uint32_t time_scale = 1;   // of bounds
  /// Checkers that must have had something to check; "availability" where faults were planned.
  std::vector<std::string> required;
};

struct Judgement {
  Verdict verdict = Verdict::kEmpty;
  std::string why;                // of the finding that decided
  std::vector<Finding> findings;  // of all checkers that have something to say
  Outcomes outcomes;
  std::vector<Episode> episodes;
};

/// Ends unknown writes first where it can, in `history`. A checker that finds nothing to check is
/// kEmpty only if it is required; the whole is kEmpty if none had anything.
Judgement check(History& history, const CheckOptions& options = {});

/// Single keys by themselves, without revisions: by check_registers() where it applies, and by
/// search() elsewhere, but for large parts of histories with revisions. What is wrong is made
/// small: the shortest beginning that is wrong, without the reads that are not needed for it.
Finding check_linearizable(const History& history, const CheckOptions& options);

}  // namespace jepsen
