// A recorded history, packed: each operation of a client from its invocation to its end, and what
// happened besides. Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "jepsen/history/event.h"

namespace jepsen {

inline constexpr std::int64_t kAbsent = -1;  // the value of a key that is not there
inline constexpr std::uint32_t kOpen = UINT32_MAX;

/// One thing that an operation did to one key.
struct Micro {
  enum class Kind : std::uint8_t {
    kRead,      // value
    kUnread,    // a read that may have been answered with anything
    kWrite,     // value; kAbsent: a delete
    kCas,       // expected, value
    kMiss,      // a compare with `expected` failed; value: what it found
    kAppend,    // value
    kList,      // elements of a list
    kAdd,       // value, to a set
    kMembers,   // elements of a set
    kVersions,  // elements that a key had, oldest first; value: how many are missing before them
    kAcquire,
    kRelease,
  };
  Kind kind = Kind::kRead;
  std::uint32_t key = 0;  // number of a name
  std::int64_t value = kAbsent;
  union {
    std::int64_t expected;
    struct {
      std::uint32_t first, count;  // of History::elements
    } list;
  };
  std::uint64_t modified = 0;  // the revision at which what was read was written; 0: unknown

  Micro() : expected(0) {}
  bool reads() const;
  bool writes() const;
  bool has_list() const;
};

/// How it ended. kUnknown: it may have happened at any time after it began, or never.
enum class End : std::uint8_t { kOk, kFail, kUnknown };

/// Invariants:
/// - `invoked` < `returned`; both are places in the order of events, which is the clock of all
///   checks: what returned at a lower place than another was invoked at had ended before it;
/// - `returned` is kOpen exactly if the end is unknown.
struct Operation {
  std::uint32_t invoked = 0, returned = kOpen;
  std::uint32_t process = 0;
  std::uint32_t first = 0;  // of History::micros
  std::uint16_t count = 0;
  End end = End::kUnknown;
  std::uint8_t node = 0;  // number of a name; 0: none
  bool stale = false;     // a read that asked for no more than what a member has
  std::uint32_t term = 0;
  std::uint64_t revision = 0;  // of the answer, or found out later; 0: none
  std::uint64_t invoked_ns = 0, returned_ns = 0;
};

/// A write whose outcome was unknown, told by the store afterwards.
struct Resolution {
  std::uint32_t invoked = 0;  // place of its invocation
  bool applied = false;
  std::uint64_t revision = 0;  // if applied
};

class History {
 public:
  std::span<const Micro> micros_of(const Operation& operation) const {
    return std::span(micros).subspan(operation.first, operation.count);
  }
  std::span<const std::int64_t> elements_of(const Micro& micro) const {
    return std::span(elements).subspan(micro.list.first, micro.list.count);
  }
  const std::string& key_name(std::uint32_t key) const { return keys[key]; }
  std::size_t size() const { return operations.size(); }

  std::vector<Operation> operations;  // in the order of invocation
  std::vector<Micro> micros;
  std::vector<std::int64_t> elements;
  std::vector<std::string> keys;       // names by number
  std::vector<std::string> nodes{""};  // likewise
  std::vector<Event> notes;            // of whoever is no client, in order
  std::vector<Resolution> resolutions;
  std::map<std::string, std::string> about;  // of the run: its first line
  std::uint64_t end_ns = 0;                  // of the last event
  std::uint32_t events = 0;
  bool ended = false;  // the run said that it ended; false: it died, or the file is of others
};

/// Builds a history from events in their order.
class HistoryBuilder {
 public:
  /// Errors: kCorrupt: it ends what did not begin, begins twice, or cannot be understood.
  base::Status add(Event event);
  /// What did not end is unknown.
  History take();

 private:
  struct Pending {
    std::uint32_t operation = 0;
    std::string f;
  };
  base::Status begin(const Event& event);
  base::Status end(const Event& event);
  base::Status note(Event event);
  base::Status read_value(const Event& event, Operation& operation);
  base::Status read_transaction(const Event& event, const Value& value);
  base::Status read_one(const Event& event, const std::string& f, const Value& value);
  void read_at(const Event& event, Operation& operation);
  std::uint32_t key(const Value& name);
  std::uint8_t node(const std::string& name);
  Micro& micro(Micro::Kind kind, std::uint32_t key, std::int64_t value);
  base::Status list(Micro& micro, const Value& value);

  History history_;
  std::map<std::int64_t, Pending> pending_;  // by process
  std::map<std::string, std::uint32_t> keys_;
  std::vector<std::uint32_t> int_keys_;  // of names that are small numbers
};

}  // namespace jepsen
