// The port to an ordered store that commits batches atomically (DESIGN section 5.15). storage/ has
// a RocksDB engine and a memory twin; both pass tests/conformance. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace kv {

/// The parts of the store. Numbers are stored. kMeta stays the last: the position is the end of a
/// snapshot, so that one without its end has no position.
enum class Space : std::uint8_t {
  kLatest = 0,    // user key -> latest version (row.h)
  kHistory = 1,   // big-endian revision and sub-index -> event: put or delete (row.h)
  kSessions = 2,  // sessions and their outcomes
  kVersions = 3,  // escaped user key and inverted revision -> which event (row.h)
  kLeases = 4,    // leases, each followed by the keys attached to it (row.h)
  kMeta = 5,      // position, revision, digest, configuration; how far compaction has come
};
inline constexpr std::size_t kSpaces = 6;
static_assert(static_cast<std::size_t>(Space::kMeta) + 1 == kSpaces);

/// Rows in order.
class RowReader {
 public:
  virtual ~RowReader() = default;
  /// nullopt: no such key. Errors: kIo, kCorrupt.
  virtual base::Result<std::optional<std::string>> get(Space space, std::string_view key) = 0;
  /// Visits keys in [begin, end) in byte order until `visit` returns false; an empty `end` means to
  /// the end of the space. `visit` may call get(). Errors: kIo, kCorrupt; a scan cut short by an
  /// error never looks complete.
  virtual base::Status scan(
      Space space, std::string_view begin, std::string_view end,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) = 0;
};

/// Puts and deletes that take effect together; later ones win.
struct EngineBatch {
  struct Change {
    Space space;
    std::string key;
    std::optional<std::string> value;  // nullopt: delete
  };
  std::vector<Change> changes;

  void put(Space space, std::string key, std::string value) {
    changes.push_back({space, std::move(key), std::move(value)});
  }
  void remove(Space space, std::string key) { changes.push_back({space, std::move(key), {}}); }
  bool empty() const { return changes.empty(); }
  void clear() { changes.clear(); }
};

struct EngineRow {
  Space space = Space::kLatest;
  std::string key;
  std::string value;
  bool operator==(const EngineRow&) const = default;
};
/// A place in the order of all rows: by space, then by key.
struct EngineCursor {
  Space space = Space::kLatest;
  std::string key;
};
struct EnginePage {
  std::vector<EngineRow> rows;
  std::optional<EngineCursor> next;  // where the next page begins; nullopt: this is the last
};

/// All rows as they stood at one moment. One thread at a time, which need not be the engine's but
/// where it says so: the engine goes on meanwhile.
class EngineSnapshot : public RowReader {
 public:
  /// The rows from `from` on, in order, until `limit_bytes` of them are exceeded; at least one if
  /// any is left. The same cursor gives the same page. Errors: kIo, kCorrupt; kUnavailable: another
  /// state has been installed meanwhile.
  virtual base::Result<EnginePage> read(const EngineCursor& from, std::size_t limit_bytes) = 0;
  // get() and scan(): the engine's thread. Errors: as read().
};

/// A store that is built beside an engine, to take its place. One thread at a time, any.
class IncomingEngine {
 public:
  virtual ~IncomingEngine() = default;
  virtual base::Status add(const std::vector<EngineRow>& rows) = 0;
  virtual base::Result<std::optional<std::string>> get(Space space, std::string_view key) = 0;
  /// Everything that was added is durable; nothing is added any more.
  virtual base::Status finish() = 0;
};

/// One thread uses an engine at a time, except where it says otherwise.
class Engine : public RowReader {
 public:
  /// All or nothing, also across a crash; not synced: a crash may lose the newest commits, never
  /// part of one, and never an older one than a newer. Errors: kIo, kDiskFull, kCorrupt: the engine
  /// must not be used any more.
  virtual base::Status commit(const EngineBatch& batch) = 0;
  /// Makes everything committed so far durable. May take long.
  virtual base::Status flush() = 0;
  /// The value of the kMeta row `key` as it would be found after a crash now; nullopt if none would
  /// be. Any thread. What the log may be cut below (rule 9).
  virtual std::optional<std::string> durable_meta(std::string_view key) = 0;

  virtual base::Result<std::unique_ptr<EngineSnapshot>> snapshot() = 0;
  /// Any thread. Throws away what an earlier call began and nobody installed. At most one at a
  /// time.
  virtual base::Result<std::unique_ptr<IncomingEngine>> begin_install() = 0;
  /// The rows of `incoming` take the place of all rows, durably; after a crash all of the old ones
  /// are found or all of the new ones. Requires: finish() was called. Errors: kIo, kCorrupt: the
  /// engine must not be used any more.
  virtual base::Status install(std::unique_ptr<IncomingEngine> incoming) = 0;
};

}  // namespace kv
