// A transaction that only reads, run in slices, so that a range over millions of keys does not keep
// entries from being applied (DESIGN section 4). The apply thread owns it. Pure.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "kv/engine.h"
#include "kv/types.h"

namespace kv {

/// The room that one reply has for items: Limits::range_bytes, or one item of any size.
class ReplyRoom {
 public:
  explicit ReplyRoom(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}
  /// Whether there is room for `item`; counts it if so.
  bool take(const KeyValue& item);

 private:
  const std::size_t limit_bytes_;
  std::size_t taken_bytes_ = 0;
};

/// The result of one range operation, from its rows of kLatest in byte order.
class RangeCollector {
 public:
  /// Both outlive this.
  RangeCollector(const RangeOperation& operation, ReplyRoom& room)
      : operation_(operation), room_(room), full_(operation.count_only) {}
  /// Errors: kCorrupt, kNewerFormat.
  base::Status add(std::string_view key, std::string_view row);
  RangeResult take();

 private:
  const RangeOperation& operation_;
  ReplyRoom& room_;
  bool full_;  // the rest is only counted
  RangeResult result_;
};

/// The rows of kLatest that a slice reads.
struct LatestRows {
  std::function<base::Result<std::optional<std::string>>(std::string_view key)> get;
  /// As Engine::scan.
  std::function<base::Status(
      std::string_view begin, std::string_view end,
      const std::function<bool(std::string_view key, std::string_view value)>& visit)>
      scan;
};

/// Invariants:
/// - all slices together give what one pass at the moment of the first would have given;
/// - the first slice reads the engine itself; an engine snapshot is taken only if one is not
///   enough (CHECKed).
class Reading {
 public:
  /// `operations`: ranges only (CHECKed), of a transaction that validate() accepts.
  Reading(std::vector<Operation> operations, bool succeeded, Revision revision,
          const Limits& limits);
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  /// The first slice: see advance().
  base::Status begin(const LatestRows& rows, std::size_t slice_bytes);
  /// Requires: begin() was called and !done(); nothing was committed since.
  void freeze(std::unique_ptr<EngineSnapshot> snapshot);
  /// Goes on until keys and values of `slice_bytes` were passed, each row counting kItemBytes more;
  /// by one row at least. Requires: freeze(). Errors: kIo, kCorrupt, kNewerFormat; kUnavailable:
  /// another state was installed meanwhile.
  base::Status advance(std::size_t slice_bytes);
  bool done() const { return at_ == operations_.size(); }
  /// Once. Requires: done().
  TransactionResult take();

 private:
  base::Status slice(const LatestRows& rows, std::size_t slice_bytes);
  base::Status pass(const LatestRows& rows, const KeyRange& range, std::size_t slice_bytes);

  const std::vector<Operation> operations_;
  TransactionResult result_;
  ReplyRoom room_;
  std::size_t at_ = 0;                       // the operation that is read
  std::optional<RangeCollector> collector_;  // its rows so far
  std::optional<std::string> next_;          // where it goes on; nullopt: at its beginning
  std::size_t passed_bytes_ = 0;             // by this slice
  std::unique_ptr<EngineSnapshot> snapshot_;
};

}  // namespace kv
