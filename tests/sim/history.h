// What clients did and saw: the only thing that the consistency checks look at. Simulator thread.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "tests/sim/event_queue.h"

namespace sim {

inline constexpr Time kOpen = std::numeric_limits<Time>::max();

/// kPastRange: at an earlier revision. kCompact: up to one.
enum class Verb : std::uint8_t {
  kPut,
  kGet,
  kDelete,
  kCas,
  kRange,
  kStaleGet,
  kPastRange,
  kCompact
};

/// What was seen of one key; no value: it was absent.
struct Seen {
  std::string key;
  std::optional<std::string> value;
  base::Revision modified;  // of the value
};

/// One logical operation with all its retries. Invariants:
/// - returned == kOpen: its outcome was never learned, and it may take effect for ever;
/// - values that are written are unique in the history.
struct Operation {
  std::uint64_t client = 0;
  Verb verb = Verb::kGet;
  std::string key;                        // of a range: its begin
  std::string end;                        // of a range
  std::string value;                      // kPut, kCas: what it writes
  std::optional<std::string> expected{};  // kCas; nullopt: the key must be absent
  base::Revision at{};                    // kPastRange, kCompact
  Time invoked = 0;
  Time returned = kOpen;
  // Once returned:
  bool wrote = false;  // it changed something, at `revision`
  base::Revision revision{};
  base::Revision shown{};   // the header's revision
  base::HybridTime time{};  // the header's time, of that state
  /// kGet, kRange, kStaleGet, a failed kCas: what was there. kPut: what was there before, if asked.
  std::vector<Seen> seen{};
  bool asked_previous = false;
  bool refused = false;  // kPastRange, kCompact: it was compacted before

  bool writes() const {
    return verb == Verb::kPut || verb == Verb::kDelete || verb == Verb::kCas ||
           verb == Verb::kCompact;
  }
  /// Whether it tells of the state as it was when it ran, which a stale read does of an earlier
  /// one.
  bool is_current() const { return verb != Verb::kStaleGet && verb != Verb::kPastRange; }
  bool open() const { return returned == kOpen; }
};

using History = std::vector<Operation>;

std::string to_string(const Operation& operation);

}  // namespace sim
