// What happened once: a call that began or ended, a fault, something that was noticed. Pure; any
// thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "jepsen/history/value.h"

namespace jepsen {

inline constexpr std::uint64_t kNsPerMs = 1'000'000;

/// kFail: surely did not happen and never will. kInfo: may have, or may later; of whoever is no
/// client: simply something to know.
enum class Type : std::uint8_t { kInvoke, kOk, kFail, kInfo };
const char* name_of(Type type);

/// Words of `Event::f`, and what `value` is at the invocation and at the end:
///   read      [key nil]            [key value]          value -1: absent
///   write     [key value]          the same             value -1: a delete
///   cas       [key [old new]]      the same; `observed` if another value was found
///   txn       [[op key value]…]    reads filled in      op: r, w, append; or r, append on lists
///   add       element              the same             a set
///   members   nil                  [element…]
///   versions  [key nil]            [key [value…]]       all that was ever written, oldest first;
///                                                       from the `first`th on, if it says so
/// A history of one register, or others' files, may leave the key out.
struct Event {
  std::int64_t process = -1;  // of a client, from 0; -1: not a client
  std::string actor{};        // of whoever is not a client: nemesis, watch-3, feed…
  Type type = Type::kInfo;
  std::string f{};
  Value value{};
  std::uint64_t time_ns = 0;  // since the run began, of one monotonic clock
  std::string error{};
  std::string node{};          // that answered
  std::uint64_t revision = 0;  // of the answer; 0: none
  std::uint64_t term = 0;
  Value more{};  // a map of what else is known; nil: nothing

  bool of_client() const { return process >= 0; }
};

/// The keys of a line: index, time, process, type, f, value, error, node, revision, term, and those
/// of `more`.
Value to_value(const Event& event, std::uint64_t index);
/// Errors: kCorrupt, saying what is missing.
base::Result<Event> to_event(Value value);

}  // namespace jepsen
