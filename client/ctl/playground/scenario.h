// A file that says what is to happen to a cluster, when, and what must follow: one language for the
// playground, the tests on real processes and the simulator. Pure.
//
//   # The log's disk of the leader hangs.      the first comment says what it is about
//   nodes 3 5                                  sizes of cluster that it is meant for; default any
//   500ms  hang-disk leader                    from the begin of the load on: a verb of
//   `playground` 3.5s   heal 5s     end                                 default: with the last step
//   expect leader moves within 900ms           or: expect leader stays
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "client/ctl/arguments.h"

namespace client::ctl::playground {

struct Step {
  std::uint32_t at_ms = 0;
  PlaygroundArguments how;
  std::string text;  // as it was written, without the time
};

/// What a scenario must do to leadership; a time counts from its first step.
enum class Leadership : std::uint8_t { kUnsaid, kMoves, kStays };

/// Invariants: there is a step; times do not fall; end_ms is not before the last.
struct Scenario {
  std::string about;
  std::vector<std::uint32_t> nodes;  // empty: any
  std::vector<Step> steps;
  std::uint32_t end_ms = 0;
  Leadership leadership = Leadership::kUnsaid;
  std::uint32_t within_ms = 0;  // of kMoves
  bool fits(std::size_t size) const;
  /// From the first step to the first `heal` after it, or to the end.
  std::uint32_t lasts_ms() const;
};

/// Whether an event of this name, of a journal or a trace, says that a member noticed something.
bool tells_of_a_fault(std::string_view event);

/// Errors: kInvalidArgument, naming the line.
base::Result<Scenario> parse_scenario(const std::string& text);
/// Errors: kIo, and those of parse_scenario(), naming the file.
base::Result<Scenario> read_scenario(const std::string& path);

}  // namespace client::ctl::playground
