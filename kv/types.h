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
  std::uint64_t leases = 100'000;
  /// Keys attached to one lease; more is kTooLarge, since its end deletes them all at once.
  /// Requires: not above deleted_keys.
  std::uint64_t lease_keys = 10'000;
  std::uint64_t lease_ttl_min_ms = 500;  // or an election would end it
  std::uint64_t lease_ttl_max_ms = 10ULL * 365 * 24 * 3600 * 1000;
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

enum class CompareTarget : std::uint8_t {
  kVersion,
  kCreateRevision,
  kModifyRevision,
  kValue,
  kLease,
  kExistence,  // 1: the key is there; 0: it is not
  kLockToken,  // the create revision of a key that has a lease; 0 of any other
};
inline constexpr CompareTarget kLastCompareTarget = CompareTarget::kLockToken;
enum class CompareResult : std::uint8_t { kEqual, kNotEqual, kLess, kGreater };
/// A missing key has version, create and modify revision, lease, existence and lock token 0; any
/// compare of its value fails.
struct Compare {
  std::string key{};
  CompareTarget target = CompareTarget::kVersion;
  CompareResult result = CompareResult::kEqual;
  std::uint64_t number = 0;  // all but kValue
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
  LeaseId lease{};        // the key goes with it; 0: with none, whatever it had before
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
/// A lease: keys are attached to it by puts, and all of them are deleted when it ends. Writes no
/// key.
struct GrantOperation {
  LeaseId lease{};           // 0: one that was never used before, which the result names
  std::uint64_t ttl_ms = 0;  // how long it lives without being renewed
  bool of_session = false;   // renewed by whatever the session that grants it writes
  bool operator==(const GrantOperation&) const = default;
};
/// Ends a lease and deletes its keys. Not beside a put or a delete in the same list.
struct RevokeOperation {
  LeaseId lease{};
  bool operator==(const RevokeOperation&) const = default;
};
/// The leases there are, by id. Only in a transaction that does not write.
struct LeasesOperation {
  LeaseId lease{};          // this one alone; 0: all
  LeaseId after{};          // only higher ones
  std::uint64_t limit = 0;  // 0: no limit but Limits::range_bytes
  bool keys = false;        // with the keys attached to each
  bool operator==(const LeasesOperation&) const = default;
};
using Operation =
    std::variant<RangeOperation, PutOperation, DeleteOperation, HistoryOperation, CompactOperation,
                 RetainOperation, GrantOperation, RevokeOperation, LeasesOperation>;

/// Refuses the whole transaction (kFenced) unless the lock `name` is held with just this token: a
/// holder that lost it without noticing changes nothing any more (DESIGN section 5.14).
struct Fence {
  std::string name{};
  Revision token{};  // the revision of the acquisition
  bool operator==(const Fence&) const = default;
};

/// If every compare holds `then` runs, otherwise `otherwise`. Reads see earlier writes of the same
/// transaction; no key is written twice. The only way to write (DESIGN section 5.7).
struct Transaction {
  std::vector<Compare> compares{};
  std::vector<Operation> then{};
  std::vector<Operation> otherwise{};
  std::vector<Fence> fences{};
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
struct GrantResult {
  LeaseId lease{};
  bool operator==(const GrantResult&) const = default;
};
struct RevokeResult {
  std::uint64_t deleted = 0;
  bool operator==(const RevokeResult&) const = default;
};
struct Lease {
  LeaseId id{};
  std::uint64_t ttl_ms = 0;         // as granted
  SessionId session{};              // whose writes renew it; 0: none
  std::uint64_t attached = 0;       // keys
  std::vector<std::string> keys{};  // in order, if they were asked for
  bool operator==(const Lease&) const = default;
};
struct LeasesResult {
  std::vector<Lease> leases{};
  bool more = false;  // leases, or keys of the last one
  bool operator==(const LeasesResult&) const = default;
};
using OperationResult =
    std::variant<RangeResult, PutResult, DeleteResult, HistoryResult, CompactResult, RetainResult,
                 GrantResult, RevokeResult, LeasesResult>;

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

/// The leader of `term` saw these leases end. In an entry of another term it does nothing
/// (kSuperseded): a new leader extends all leases. Those of them that are there end one by one,
/// each with a revision of its own if it has keys; once Limits::deleted_keys are gone the rest
/// stays, for another such command.
struct Expire {
  Term term{};
  std::vector<LeaseId> leases{};
  bool operator==(const Expire&) const = default;
};

/// Changes nothing: after this entry each member takes digests of its state (scrub.h), so that they
/// can be compared.
struct Scrub {
  bool operator==(const Scrub&) const = default;
};

using Command = std::variant<OpenSession, CloseSession, Write, Tick, Expire, Scrub>;

/// What became of a lease by an entry, for who counts its time.
struct LeaseChange {
  enum class Kind : std::uint8_t { kReset, kGranted, kEnded };  // kReset: there are no others
  Kind kind = Kind::kReset;
  LeaseId lease{};
  std::uint64_t ttl_ms = 0;  // kGranted
  SessionId session{};       // kGranted
  bool operator==(const LeaseChange&) const = default;
};

/// What applying a command gave. A failed status is deterministic: the same on every member.
/// status kUnknownSession, kSequenceForgotten, kSequenceTooFar, kInvalidArgument, kTooLarge,
/// kOverloaded (too many leases), kCompacted, kFutureRevision, kSealed, kLeaseNotFound,
/// kLeaseExists, kFenced, kSuperseded.
struct Reply {
  base::Code code = base::Code::kOk;
  std::string detail{};
  SessionId session{};         // OpenSession
  TransactionResult result{};  // Write
  bool repeated = false;       // the outcome of an earlier apply of the same sequence
  bool operator==(const Reply&) const = default;
};

}  // namespace kv
