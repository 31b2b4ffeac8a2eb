// Is a history of one register linearizable? By the search of jepsen/check/search.h. Looks at
// values alone, never at revisions, so it is an opinion of its own beside revision_check.h. Any
// thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/history.h"

namespace sim {

/// One call on a register whose values are numbers, 0 for absent.
struct RegisterCall {
  enum class Kind : std::uint8_t { kRead, kWrite, kCas, kFailedCas };
  Kind kind = Kind::kRead;
  std::uint32_t expected = 0;  // kCas, kFailedCas
  std::uint32_t value = 0;     // read, written, or seen by a failed kCas
  /// kWrite: what it found, where it says so.
  std::optional<std::uint32_t> previous{};
  Time invoked = 0;
  Time returned = kOpen;   // kOpen: it may take effect at any time after `invoked`, or never
  std::size_t origin = 0;  // in the history it came from
};

enum class Linearizable : std::uint8_t { kYes, kNo, kUndecided };

/// kUndecided: more than `max_states` were looked at.
Linearizable check_register(std::vector<RegisterCall> calls, std::size_t max_states = 1'000'000);

/// The calls on one key. Open operations for which `happened` is false are left out: only if it is
/// known that they never will.
std::vector<RegisterCall> calls_on(const History& history, const std::string& key,
                                   const std::vector<bool>& happened);
/// The same of operations at these places only, which must be all that touch the key.
std::vector<RegisterCall> calls_on(const History& history, const std::string& key,
                                   const std::vector<bool>& happened,
                                   const std::vector<std::size_t>& places);
/// Where each key that was named by itself is touched, ranges over it included.
std::map<std::string, std::vector<std::size_t>> places_of_keys(const History& history);

}  // namespace sim
