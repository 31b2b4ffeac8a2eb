// Whether a run looked closely enough for its verdict to mean anything (shared reference jepsen.md
// section 8). Pure; any thread.
#pragma once

#include "jepsen/check/availability.h"
#include "jepsen/check/finding.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// kUnknown if: fewer than half of the calls that were asked for went well before the first fault;
/// a fifth or more of all have an unknown end at first (`unknown`); some member answered nobody;
/// fewer than a twentieth of the writes met another one of their key, so that nobody was in
/// anybody's way; a fault that was named never happened; in one that
/// leaves a majority nothing was written. Only of histories that say
/// what was asked for. kEmpty: of others.
Finding check_coverage(const History& history, const std::vector<Episode>& episodes,
                       std::uint64_t unknown);

}  // namespace jepsen
