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

/// The parts of the store. Numbers are stored: only append.
enum class Space : std::uint8_t {
  kLatest = 0,    // user key -> latest version (row.h)
  kHistory = 1,   // big-endian revision and sub-index -> event: put or delete (row.h)
  kSessions = 2,  // sessions and their outcomes
  kMeta = 3,      // one row: position, revision, digest, configuration
};
inline constexpr std::size_t kSpaces = 4;

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

/// One thread uses an engine at a time, except durable_meta().
class Engine {
 public:
  virtual ~Engine() = default;

  /// nullopt: no such key. Errors: kIo, kCorrupt.
  virtual base::Result<std::optional<std::string>> get(Space space, std::string_view key) = 0;
  /// Visits keys in [begin, end) in byte order until `visit` returns false; an empty `end` means to
  /// the end of the space. Errors: kIo, kCorrupt; a scan cut short by an error never looks
  /// complete.
  virtual base::Status scan(
      Space space, std::string_view begin, std::string_view end,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) = 0;
  /// All or nothing, also across a crash; not synced: a crash may lose the newest commits, never
  /// part of one, and never an older one than a newer. Errors: kIo, kDiskFull, kCorrupt: the engine
  /// must not be used any more.
  virtual base::Status commit(const EngineBatch& batch) = 0;
  /// Makes everything committed so far durable. May take long.
  virtual base::Status flush() = 0;
  /// The value of the kMeta row `key` as it would be found after a crash now; nullopt if none would
  /// be. Any thread. What the log may be cut below (rule 9).
  virtual std::optional<std::string> durable_meta(std::string_view key) = 0;
};

}  // namespace kv
