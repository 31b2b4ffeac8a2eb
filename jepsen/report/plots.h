// Drawings of a run over its time: rates, latencies, who led, what was broken. SVG. Any thread.
#pragma once

#include <string>
#include <vector>

#include "jepsen/check/availability.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// How many calls ended each quarter of a second, by their ends.
std::string draw_rate(const History& history, const std::vector<Episode>& episodes);
/// How long each took, on a scale of powers of ten; at most some thousand points, evenly chosen.
std::string draw_latency(const History& history, const std::vector<Episode>& episodes);
/// Who led in which term, as far as the harness asked.
std::string draw_leaders(const History& history, const std::vector<Episode>& episodes);
/// The operations of a contradiction, a row a process; places instead of time, so that idle time
/// takes no room; unknown ends fade away.
std::string draw_witness(const History& history, const std::vector<std::uint32_t>& witness);

}  // namespace jepsen
