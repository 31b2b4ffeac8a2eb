// The plain types of the data model: what is asked of the state machine and what it answers. Pure;
// also used by the client library.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "base/status.h"

namespace kv {

using base::HybridTime;
using base::Index;
using base::LeaseId;
using base::Revision;
using base::SessionId;
using base::Term;

/// Bounds checked before anything is proposed, and the same on every member.
struct Limits {
  std::size_t key_bytes = 4096;
  std::size_t value_bytes = 1536 * 1024;
  std::size_t transaction_bytes = 1536 * 1024 + 64 * 1024;
  std::size_t operations = 128;  // a list of compares, then or else
  /// Of the items in one reply (keys, values and kItemBytes each), all results together. A range
  /// stops there and says `more`; a put or delete that asked for more previous values than that is
  /// kTooLarge and writes nothing. A reply may hold one item of any size.
  std::size_t range_bytes = 1 << 20;
  /// Keys that one transaction may delete; more is kTooLarge, since one entry must not stall apply.
  std::uint64_t deleted_keys = 20000;
  /// Keys that the ranges of one transaction that writes may hold, counted or returned; more is
  /// kTooLarge, for the same reason. What only reads has no such bound.
  std::uint64_t visited_keys = 100000;
  std::uint64_t sessions = 10000;
  std::uint64_t session_window = 4096;  // outcomes kept a session
};

/// A key and its metadata (DESIGN section 5.5). version counts writes since creation, from 1.
struct KeyValue {
  std::string key{};
  std::string value{};
  Revision create_revision{};
  Revision modify_revision{};
  std::uint64_t version = 0;
  LeaseId lease{};
  HybridTime time{};
  bool operator==(const KeyValue&) const = default;
};

/// What an item of a reply counts beside its key and value: its metadata.
inline constexpr std::size_t kItemBytes = 64;

/// The end of a range that has none: one zero byte.
inline constexpr std::string_view kToTheEnd("\0", 1);

/// [begin, end) in byte order. An empty `end`: the one key `begin`. The one zero byte: to the end.
struct KeyRange {
  std::string begin{};
  std::string end{};
  bool operator==(const KeyRange&) const = default;
};

/// Whether `key` lies in the range.
bool contains(const KeyRange& range, std::string_view key);

enum class CompareTarget : std::uint8_t { kVersion, kCreateRevision, kModifyRevision, kValue };
enum class CompareResult : std::uint8_t { kEqual, kNotEqual, kLess, kGreater };
/// A missing key has version, create and modify revision 0; any compare of its value fails.
struct Compare {
  std::string key{};
  CompareTarget target = CompareTarget::kVersion;
  CompareResult result = CompareResult::kEqual;
  std::uint64_t number = 0;  // kVersion, kCreateRevision, kModifyRevision
  std::string value{};       // kValue
  bool operator==(const Compare&) const = default;
};

struct RangeOperation {
  KeyRange range{};
  std::uint64_t limit = 0;  // keys; 0: no limit but Limits::range_bytes
  bool keys_only = false;
  bool count_only = false;
  /// As the keys were then, before anything that the transaction itself writes: after `revision`
  /// (0: now), or at the newest stamp that is not above `time` (0: now). Not both.
  Revision revision{};
  HybridTime time{};
  bool operator==(const RangeOperation&) const = default;
};
struct PutOperation {
  std::string key{};
  std::string value{};
  bool previous = false;  // return what was there before
  bool operator==(const PutOperation&) const = default;
};
struct DeleteOperation {
  KeyRange range{};
  bool previous = false;
  bool operator==(const DeleteOperation&) const = default;
};
/// The versions of a key, the newest first. Only in a transaction that does not write.
struct HistoryOperation {
  std::string key{};
  Revision before{};        // only older ones; 0: from the newest on
  std::uint64_t limit = 0;  // 0: no limit but Limits::range_bytes
  bool operator==(const HistoryOperation&) const = default;
};
/// What is older than `revision` and superseded at it is no longer kept. Writes no key, so the
/// revision does not grow.
struct CompactOperation {
  Revision revision{};
  bool operator==(const CompactOperation&) const = default;
};
/// What is compacted without being asked. A version goes once either bound says so; 0: no bound.
struct Retention {
  std::uint64_t revisions = 0;  // at least so many are kept
  std::uint64_t age_ms = 0;     // by the stamps of the log
  bool operator==(const Retention&) const = default;
};
inline constexpr std::uint64_t kRetentionAgeMinMs = 1000;
/// From here on. Writes no key.
struct RetainOperation {
  Retention retention{};
  bool operator==(const RetainOperation&) const = default;
};
using Operation = std::variant<RangeOperation, PutOperation, DeleteOperation, HistoryOperation,
                               CompactOperation, RetainOperation>;

/// If every compare holds `then` runs, otherwise `otherwise`. Reads see earlier writes of the same
/// transaction; no key is written twice. The only way to write (DESIGN section 5.7).
struct Transaction {
  std::vector<Compare> compares{};
  std::vector<Operation> then{};
  std::vector<Operation> otherwise{};
  bool operator==(const Transaction&) const = default;
};

/// Whether any branch could write.
bool writes(const Transaction& transaction);
/// Whether any branch could store something; deletes free room.
bool stores(const Transaction& transaction);
/// kInvalidArgument or kTooLarge, naming what and which bound; ok otherwise. Checked at the door
/// and again at apply.
base::Status validate(const Transaction& transaction, const Limits& limits);

struct RangeResult {
  std::vector<KeyValue> items{};
  std::uint64_t count = 0;  // keys in the range, whatever the limit
  bool more = false;
  bool operator==(const RangeResult&) const = default;
};
struct PutResult {
  std::optional<KeyValue> previous{};
  bool operator==(const PutResult&) const = default;
};
struct DeleteResult {
  std::uint64_t deleted = 0;
  std::vector<KeyValue> previous{};
  bool operator==(const DeleteResult&) const = default;
};
/// A put or a delete. A delete's item has a key, modify_revision and time, and nothing else.
struct Event {
  std::uint32_t sub_index = 0;  // position among the writes of its revision, from 0
  bool deleted = false;
  KeyValue item{};  // modify_revision is the event's revision
  bool operator==(const Event&) const = default;
};
struct HistoryResult {
  std::vector<Event> events{};
  bool more = false;
  bool operator==(const HistoryResult&) const = default;
};
struct CompactResult {
  bool operator==(const CompactResult&) const = default;
};
struct RetainResult {
  Retention previous{};
  bool operator==(const RetainResult&) const = default;
};
using OperationResult =
    std::variant<RangeResult, PutResult, DeleteResult, HistoryResult, CompactResult, RetainResult>;

/// revision: the store's after this transaction; +1 exactly if it wrote something.
struct TransactionResult {
  bool succeeded = false;  // which branch ran
  Revision revision{};
  std::vector<OperationResult> results{};
  bool operator==(const TransactionResult&) const = default;
};

// ---- Commands: what an entry of the log asks of the state machine ----

/// Opens a session; its id is the index of this entry, so it is never used again.
struct OpenSession {
  bool operator==(const OpenSession&) const = default;
};
struct CloseSession {
  SessionId session{};
  bool operator==(const CloseSession&) const = default;
};
/// A transaction that happens once. Outcomes of sequences below `acknowledged_below` are dropped.
/// A seal asks what became of a write: where the sequence has an outcome it is repeated, and where
/// it has none kSealed becomes it, so that the write can not happen any more. Requires: sequence >=
/// 1, acknowledged_below <= sequence; the transaction of a seal is empty.
struct Write {
  SessionId session{};
  std::uint64_t sequence = 0;
  std::uint64_t acknowledged_below = 0;
  Transaction transaction{};
  bool seal = false;
  bool operator==(const Write&) const = default;
};
/// What a Write requires, its transaction apart: kInvalidArgument, naming it.
base::Status validate(const Write& write);

/// Nothing but its stamp: that much time has passed, so a read at an earlier one can be answered
/// for good.
struct Tick {
  bool operator==(const Tick&) const = default;
};

using Command = std::variant<OpenSession, CloseSession, Write, Tick>;

/// What applying a command gave. A failed status is deterministic: the same on every member.
/// status kUnknownSession, kSequenceForgotten, kSequenceTooFar, kInvalidArgument, kTooLarge,
/// kOverloaded (too many sessions), kCompacted, kFutureRevision, kSealed.
struct Reply {
  base::Code code = base::Code::kOk;
  std::string detail{};
  SessionId session{};         // OpenSession
  TransactionResult result{};  // Write
  bool repeated = false;       // the outcome of an earlier apply of the same sequence
  bool operator==(const Reply&) const = default;
};

}  // namespace kv
