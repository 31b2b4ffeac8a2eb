// Reads over many keys, run in slices, so that a range over millions of them does not keep entries
// from being applied (DESIGN section 4); as the keys are now, or as they once were (section 5.6).
// The apply thread owns them. Pure.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "kv/engine.h"
#include "kv/row.h"
#include "kv/types.h"

namespace kv {

/// The room that one reply has for items: Limits::range_bytes, or one item of any size.
class ReplyRoom {
 public:
  explicit ReplyRoom(std::size_t limit_bytes) : limit_bytes_(limit_bytes) {}
  /// Whether there is room for `item`; counts it if so.
  bool take(const KeyValue& item);
  bool take_bytes(std::size_t size_bytes);

 private:
  const std::size_t limit_bytes_;
  std::size_t taken_bytes_ = 0;
};

/// What may still be read: rows, and bytes of their keys and values, each row counting kItemBytes
/// more. The first row of a slice is read whatever it takes.
struct ReadBudget {
  std::size_t bytes = SIZE_MAX;
  std::uint64_t rows = UINT64_MAX;
  bool moved = false;

  /// Whether the row may be read; counts it if so.
  bool take(std::string_view key, std::string_view value);
};

/// What of the past a state can still tell.
struct Past {
  Revision compacted{};         // nothing older
  HybridTime compacted_time{};  // the stamp of that revision
  Revision revision{};          // the newest
  HybridTime time{};            // the stamp of the state
};
/// Before the first write.
inline constexpr Revision kBeforeAll{UINT64_MAX};
/// The revision that `operation` reads at; 0: the latest rows; kBeforeAll: none. Errors:
/// kCompacted, kFutureRevision (deterministic); kIo, kCorrupt, kNewerFormat.
base::Result<Revision> revision_to_read(const RangeOperation& operation, const Past& past,
                                        RowReader& rows);
/// The event that `version` tells of. Errors: kIo; kCorrupt, also when it is missing.
base::Result<Event> event_of(const Version& version, RowReader& rows);

/// The newest version of `key` older than `revision`, if it is still there. Errors: as event_of().
base::Result<std::optional<Version>> version_before(std::string_view key, Revision revision,
                                                    RowReader& rows);

/// One range operation in the making.
class RangeScan {
 public:
  /// `operation` and `room` outlive this. `at`: as revision_to_read() gave it.
  RangeScan(const RangeOperation& operation, Revision at, ReplyRoom& room)
      : operation_(operation), at_(at), room_(room), full_(operation.count_only) {}
  /// Goes on as far as `budget` lasts. Errors: kIo, kCorrupt, kNewerFormat.
  base::Status advance(RowReader& rows, ReadBudget& budget);
  bool done() const { return done_; }
  /// Requires: done().
  RangeResult take();

 private:
  base::Status advance_latest(RowReader& rows, ReadBudget& budget);
  base::Status advance_versions(RowReader& rows, ReadBudget& budget);
  base::Status add_latest(std::string_view key, std::string_view row);
  base::Status add_version(const Version& version, RowReader& rows);
  bool wants_item();
  void add(KeyValue item);

  const RangeOperation& operation_;
  const Revision at_;
  ReplyRoom& room_;
  bool full_;  // the rest is only counted
  bool done_ = false;
  std::optional<std::string> next_;     // the row where it goes on; nullopt: at its beginning
  std::optional<std::string> decided_;  // at a revision: the newest key that was decided on
  RangeResult result_;
};

/// The versions of one key in the making.
class HistoryScan {
 public:
  /// As RangeScan.
  HistoryScan(const HistoryOperation& operation, Revision compacted, ReplyRoom& room)
      : operation_(operation), compacted_(compacted), room_(room) {}
  base::Status advance(RowReader& rows, ReadBudget& budget);
  bool done() const { return done_; }
  HistoryResult take() { return std::move(result_); }

 private:
  base::Result<bool> add(const Version& version, RowReader& rows);

  const HistoryOperation& operation_;
  const Revision compacted_;
  ReplyRoom& room_;
  bool done_ = false;
  std::optional<std::string> next_;
  HistoryResult result_;
};

/// A transaction that only reads.
/// Invariants:
/// - all slices together give what one pass at the moment of the first would have given;
/// - the first slice reads the engine itself; an engine snapshot is taken only if one is not
///   enough (CHECKed).
class Reading {
 public:
  /// `operations`: ranges, histories and leases only (CHECKed), of a transaction that validate()
  /// accepts.
  Reading(std::vector<Operation> operations, bool succeeded, const Past& past,
          const Limits& limits);
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  /// The first slice: see advance(). Errors also: kCompacted, kFutureRevision.
  base::Status begin(RowReader& rows, std::size_t slice_bytes);
  /// Requires: begin() was called and !done(); nothing was committed since.
  void freeze(std::unique_ptr<EngineSnapshot> snapshot);
  /// Goes on for a slice of so many bytes (ReadBudget). Requires: freeze(). Errors: kIo, kCorrupt,
  /// kNewerFormat, kCompacted, kFutureRevision; kUnavailable: another state was installed
  /// meanwhile.
  base::Status advance(std::size_t slice_bytes);
  bool done() const { return at_ == operations_.size(); }
  /// Once. Requires: done().
  TransactionResult take();

 private:
  base::Status slice(RowReader& rows, std::size_t slice_bytes);
  base::Status slice_range(RowReader& rows, ReadBudget& budget);
  base::Status slice_history(RowReader& rows, ReadBudget& budget);
  base::Status list(RowReader& rows);

  const std::vector<Operation> operations_;
  const Past past_;
  TransactionResult result_;
  ReplyRoom room_;
  std::size_t at_ = 0;  // the operation that is read
  std::optional<RangeScan> range_;
  std::optional<HistoryScan> history_;
  std::unique_ptr<EngineSnapshot> snapshot_;
};

}  // namespace kv
