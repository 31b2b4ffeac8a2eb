#include "kv/transaction.h"

#include <algorithm>
#include <compare>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "kv/leases.h"
#include "kv/reading.h"
#include "kv/row.h"

namespace kv {
namespace {

using base::Code;
using base::Result;
using base::Status;

bool holds(CompareResult wanted, std::strong_ordering order) {
  switch (wanted) {
    case CompareResult::kEqual:
      return order == 0;
    case CompareResult::kNotEqual:
      return order != 0;
    case CompareResult::kLess:
      return order < 0;
    case CompareResult::kGreater:
      return order > 0;
  }
  CHECK(false, "an unknown compare result passed validate");
  return false;
}

/// 0: the key is no lock that is held.
std::uint64_t lock_token(const KeyValue& item) {
  return item.lease ? item.create_revision.value : 0;
}

bool holds(const Compare& compare, const std::optional<KeyValue>& item) {
  const KeyValue missing;
  const KeyValue& found = item ? *item : missing;
  switch (compare.target) {
    case CompareTarget::kVersion:
      return holds(compare.result, found.version <=> compare.number);
    case CompareTarget::kCreateRevision:
      return holds(compare.result, found.create_revision.value <=> compare.number);
    case CompareTarget::kModifyRevision:
      return holds(compare.result, found.modify_revision.value <=> compare.number);
    case CompareTarget::kValue:
      return item && holds(compare.result, found.value <=> compare.value);
    case CompareTarget::kLease:
      return holds(compare.result, found.lease.value <=> compare.number);
    case CompareTarget::kExistence:
      return holds(compare.result, std::uint64_t{item.has_value()} <=> compare.number);
    case CompareTarget::kLockToken:
      return holds(compare.result, lock_token(found) <=> compare.number);
  }
  CHECK(false, "an unknown compare target passed validate");
  return false;
}

Result<std::optional<KeyValue>> find(Overlay& overlay, const std::string& key) {
  Result<std::optional<std::string>> row = overlay.get(Space::kLatest, key);
  if (!row.is_ok()) return row.status();
  if (!row.value()) return std::optional<KeyValue>();
  Result<KeyValue> item = decode_latest(key, *row.value());
  if (!item.is_ok()) return item.status();
  return std::optional<KeyValue>(std::move(item).value());
}

// What an event of the digest is: a put has 0, a delete 1. Numbers never change.
constexpr std::uint64_t kCompacts = 2;
constexpr std::uint64_t kRetains = 3;
constexpr std::uint64_t kGrants = 4;
constexpr std::uint64_t kRevokes = 5;

/// Ids that one entry can give out.
constexpr std::uint64_t kLeasesOfEntry = 256;

/// Whether a failure is the same on all members: no engine says these.
bool is_refusal(Code code) {
  switch (code) {
    case Code::kTooLarge:
    case Code::kInvalidArgument:
    case Code::kCompacted:
    case Code::kFutureRevision:
    case Code::kLeaseNotFound:
    case Code::kLeaseExists:
    case Code::kOverloaded:
    case Code::kFenced:
      return true;
    default:
      return false;
  }
}

/// One run.
class Execution {
 public:
  Execution(const Stamp& stamp, const Limits& limits, Overlay& overlay)
      : revision_(stamp.past.revision.next()),
        index_(stamp.index),
        session_(stamp.session),
        leases_(stamp.leases),
        past_(stamp.past),
        retention_(stamp.retention),
        limits_(limits),
        overlay_(overlay),
        room_(limits.range_bytes) {
    budget_.rows = limits.visited_keys;
  }

  Status operator()(const RangeOperation& operation);
  Status operator()(const PutOperation& operation);
  Status operator()(const DeleteOperation& operation);
  Status operator()(const HistoryOperation&) {
    return Status(Code::kInvalidArgument, "a write reads the history of a key");
  }
  Status operator()(const CompactOperation& operation);
  Status operator()(const RetainOperation& operation);
  Status operator()(const GrantOperation& operation);
  Status operator()(const RevokeOperation& operation);
  Status operator()(const LeasesOperation&) {
    return Status(Code::kInvalidArgument, "a write lists leases");
  }

  std::vector<OperationResult> take_results() { return std::move(results_); }
  std::uint32_t written() const { return written_; }
  std::uint64_t effects() const { return effects_.value(); }
  const Past& past() const { return past_; }
  const Retention& retention() const { return retention_; }
  std::vector<LeaseChange> take_lease_changes() { return std::move(lease_changes_); }
  std::uint64_t deleted() const { return deleted_; }

 private:
  using VisitRow = std::function<Status(std::string_view key, std::string_view row)>;
  Status visit(const KeyRange& range, const VisitRow& visit_row);
  Status previous_too_large() const {
    return Status(Code::kTooLarge, "the previous values asked for take more than " +
                                       std::to_string(limits_.range_bytes) + " bytes");
  }
  /// A key that a delete found, and the lease that it goes with.
  struct Found {
    std::string key;
    LeaseId lease;
  };
  Status count_deleted();
  Status collect_deleted(const DeleteOperation& operation, std::vector<Found>* keys,
                         DeleteResult* result);
  Status erase(Found found);
  Status move_key(const std::string& key, LeaseId from, LeaseId to);
  Result<LeaseId> unused_lease();
  void write(Event event);

  const Revision revision_;  // of what this transaction writes, if it writes
  const Index index_;
  const SessionId session_;
  std::uint64_t leases_;
  std::uint64_t granted_ = 0;
  std::vector<LeaseChange> lease_changes_;
  Past past_;
  Retention retention_;
  const Limits& limits_;
  Overlay& overlay_;
  std::vector<OperationResult> results_;
  ReplyRoom room_;
  ReadBudget budget_;  // of all ranges
  std::uint64_t deleted_ = 0;
  std::uint32_t written_ = 0;
  base::Hasher effects_;
};

Status Execution::visit(const KeyRange& range, const VisitRow& visit_row) {
  if (range.end.empty()) {
    Result<std::optional<std::string>> row = overlay_.get(Space::kLatest, range.begin);
    if (!row.is_ok()) return row.status();
    return row.value() ? visit_row(range.begin, *row.value()) : Status::ok();
  }
  Status visited;
  const std::string_view end = range.end == kToTheEnd ? std::string_view() : range.end;
  const Status scanned = overlay_.scan(Space::kLatest, range.begin, end,
                                       [&](std::string_view key, std::string_view row) {
                                         visited = visit_row(key, row);
                                         return visited.is_ok();
                                       });
  return scanned.is_ok() ? visited : scanned;
}

Status Execution::operator()(const RangeOperation& operation) {
  const Result<Revision> at = revision_to_read(operation, past_, overlay_);
  if (!at.is_ok()) return at.status();
  RangeScan scan(operation, at.value(), room_);
  const Status status = scan.advance(overlay_, budget_);
  if (!status.is_ok()) return status;
  if (!scan.done())
    return Status(Code::kTooLarge, "the ranges of a transaction that writes hold more than " +
                                       std::to_string(limits_.visited_keys) + " keys");
  results_.emplace_back(scan.take());
  return Status::ok();
}

Status Execution::operator()(const CompactOperation& operation) {
  const Revision revision = operation.revision;
  if (revision > past_.revision)
    return Status(Code::kFutureRevision,
                  "the newest revision is " + std::to_string(past_.revision.value));
  if (revision <= past_.compacted)
    return Status(Code::kCompacted,
                  "it was compacted at " + std::to_string(past_.compacted.value) + " before");
  Result<Event> first = event_of(Version{.revision = revision}, overlay_);
  if (!first.is_ok()) return first.status();
  past_.compacted = revision;
  past_.compacted_time = first->item.time;
  effects_.add(kCompacts).add(revision.value);
  results_.emplace_back(CompactResult{});
  return Status::ok();
}

Status Execution::operator()(const RetainOperation& operation) {
  results_.emplace_back(RetainResult{std::exchange(retention_, operation.retention)});
  effects_.add(kRetains).add(retention_.revisions).add(retention_.age_ms);
  return Status::ok();
}

Status Execution::operator()(const PutOperation& operation) {
  Result<std::optional<KeyValue>> found = find(overlay_, operation.key);
  if (!found.is_ok()) return found.status();
  std::optional<KeyValue>& previous = found.value();
  Event event;
  event.item.key = operation.key;
  event.item.value = operation.value;
  event.item.create_revision = previous ? previous->create_revision : revision_;
  event.item.version = previous ? previous->version + 1 : 1;
  event.item.lease = operation.lease;
  const LeaseId lease_before = previous ? previous->lease : LeaseId();
  PutResult result;
  if (operation.previous && previous) {
    if (!room_.take(*previous)) return previous_too_large();
    result.previous = std::move(previous);
  }
  const Status moved = move_key(operation.key, lease_before, operation.lease);
  if (!moved.is_ok()) return moved;
  write(std::move(event));
  results_.emplace_back(std::move(result));
  return Status::ok();
}

Status Execution::count_deleted() {
  if (++deleted_ <= limits_.deleted_keys) return Status::ok();
  return Status(Code::kTooLarge, "the transaction deletes more than " +
                                     std::to_string(limits_.deleted_keys) + " keys");
}

Status Execution::collect_deleted(const DeleteOperation& operation, std::vector<Found>* keys,
                                  DeleteResult* result) {
  return visit(operation.range, [&](std::string_view key, std::string_view row) {
    if (const Status counted = count_deleted(); !counted.is_ok()) return counted;
    Result<KeyValue> item = decode_latest(key, row);
    if (!item.is_ok()) return item.status();
    keys->push_back({std::string(key), item->lease});
    if (!operation.previous) return Status::ok();
    if (!room_.take(item.value())) return previous_too_large();
    result->previous.push_back(std::move(item).value());
    return Status::ok();
  });
}

Status Execution::operator()(const DeleteOperation& operation) {
  std::vector<Found> keys;
  DeleteResult result;
  Status status = collect_deleted(operation, &keys, &result);
  if (!status.is_ok()) return status;
  result.deleted = keys.size();
  for (Found& found : keys) {
    status = erase(std::move(found));
    if (!status.is_ok()) return status;
  }
  results_.emplace_back(std::move(result));
  return Status::ok();
}

Status Execution::erase(Found found) {
  const Status moved = move_key(found.key, found.lease, LeaseId());
  if (!moved.is_ok()) return moved;
  Event event;
  event.deleted = true;
  event.item.key = std::move(found.key);
  write(std::move(event));
  return Status::ok();
}

/// From the keys of one lease to those of another; 0: none.
Status Execution::move_key(const std::string& key, LeaseId from, LeaseId to) {
  if (from == to) return Status::ok();
  if (from) {
    const Status detached = detach(from, key, overlay_);
    if (!detached.is_ok()) return detached;
  }
  return to ? attach(to, key, limits_, overlay_) : Status::ok();
}

/// Ids of an entry are never those of another; what callers chose themselves is left out.
Result<LeaseId> Execution::unused_lease() {
  for (; granted_ < kLeasesOfEntry; ++granted_) {
    const LeaseId lease(index_.value * kLeasesOfEntry + granted_);
    const Result<std::optional<Lease>> found = find_lease(lease, overlay_);
    if (!found.is_ok()) return found.status();
    if (!found.value()) return lease;
  }
  return Status(Code::kLeaseExists, "every id that this entry could give is taken");
}

Status Execution::operator()(const GrantOperation& operation) {
  if (leases_ >= limits_.leases)
    return Status(Code::kOverloaded, std::to_string(leases_) + " leases are in force");
  LeaseId lease = operation.lease;
  if (!lease) {
    const Result<LeaseId> unused = unused_lease();
    if (!unused.is_ok()) return unused.status();
    lease = unused.value();
  } else {
    const Result<std::optional<Lease>> found = find_lease(lease, overlay_);
    if (!found.is_ok()) return found.status();
    if (found.value()) return Status(Code::kLeaseExists, "lease " + base::to_hex(lease.value));
  }
  const SessionId renewer = operation.of_session ? session_ : SessionId();
  put_lease({.id = lease, .ttl_ms = operation.ttl_ms, .session = renewer}, overlay_);
  ++leases_;
  lease_changes_.push_back({LeaseChange::Kind::kGranted, lease, operation.ttl_ms, renewer});
  effects_.add(kGrants).add(lease.value).add(operation.ttl_ms).add(renewer.value);
  results_.emplace_back(GrantResult{lease});
  return Status::ok();
}

Status Execution::operator()(const RevokeOperation& operation) {
  const LeaseId lease = operation.lease;
  const Result<std::optional<Lease>> found = find_lease(lease, overlay_);
  if (!found.is_ok()) return found.status();
  if (!found.value()) return Status(Code::kLeaseNotFound, "lease " + base::to_hex(lease.value));
  std::vector<Found> keys;
  Status counted;
  Status status = scan_attached(lease, overlay_, [&](std::string_view key) {
    counted = count_deleted();
    keys.push_back({std::string(key), lease});
    return counted.is_ok();
  });
  if (status.is_ok()) status = counted;
  if (!status.is_ok()) return status;
  RevokeResult result{keys.size()};
  for (Found& key : keys) {
    status = erase(std::move(key));
    if (!status.is_ok()) return status;
  }
  remove_lease(lease, overlay_);
  --leases_;
  lease_changes_.push_back({LeaseChange::Kind::kEnded, lease});
  effects_.add(kRevokes).add(lease.value);
  results_.emplace_back(result);
  return Status::ok();
}

void Execution::write(Event event) {
  KeyValue& item = event.item;
  item.modify_revision = revision_;
  item.time = past_.time;
  event.sub_index = written_++;
  effects_.add(std::uint64_t{event.deleted}).add(item.key).add(item.value);
  effects_.add(item.create_revision.value).add(item.modify_revision.value).add(item.version);
  effects_.add(item.lease.value).add(item.time.value);
  overlay_.put(Space::kHistory, history_key(revision_, event.sub_index), encode_event(event));
  overlay_.put(Space::kVersions, version_key(item.key, revision_),
               encode_version({.sub_index = event.sub_index, .deleted = event.deleted}));
  if (event.deleted) {
    overlay_.remove(Space::kLatest, std::move(item.key));
  } else {
    std::string row = encode_latest(item);
    overlay_.put(Space::kLatest, std::move(item.key), std::move(row));
  }
}

}  // namespace

Status check_fences(const std::vector<Fence>& fences, Overlay& overlay) {
  for (const Fence& fence : fences) {
    Result<std::optional<KeyValue>> item = find(overlay, fence.name);
    if (!item.is_ok()) return item.status();
    const std::uint64_t held = item.value() ? lock_token(*item.value()) : 0;
    if (held == fence.token.value) continue;
    const std::string now =
        held == 0 ? "nobody holds it" : "it is held with " + std::to_string(held);
    return Status(Code::kFenced, "lock '" + fence.name + "', token " +
                                     std::to_string(fence.token.value) + ": " + now);
  }
  return Status::ok();
}

Result<bool> all_hold(const std::vector<Compare>& compares, Overlay& overlay) {
  for (const Compare& compare : compares) {
    Result<std::optional<KeyValue>> item = find(overlay, compare.key);
    if (!item.is_ok()) return item.status();
    if (!holds(compare, item.value())) return false;
  }
  return true;
}

Result<Executed> execute(const Transaction& transaction, const Stamp& stamp, const Limits& limits,
                         Overlay& overlay) {
  const std::size_t mark = overlay.mark();
  Execution execution(stamp, limits, overlay);
  Executed executed;
  executed.result.revision = stamp.past.revision;
  executed.past = stamp.past;
  executed.retention = stamp.retention;
  executed.refusal = check_fences(transaction.fences, overlay);
  if (executed.refusal.code() == Code::kFenced) return executed;
  if (!executed.refusal.is_ok()) return executed.refusal;
  Result<bool> succeeded = all_hold(transaction.compares, overlay);
  if (!succeeded.is_ok()) return succeeded.status();
  for (const Operation& operation : succeeded.value() ? transaction.then : transaction.otherwise) {
    const Status status = std::visit(execution, operation);
    if (is_refusal(status.code())) {
      overlay.rollback(mark);
      executed.refusal = status;
      return executed;
    }
    if (!status.is_ok()) return status;
  }
  executed.result.succeeded = succeeded.value();
  executed.result.results = execution.take_results();
  executed.written = execution.written();
  executed.effects = execution.effects();
  executed.past = execution.past();
  executed.retention = execution.retention();
  executed.lease_changes = execution.take_lease_changes();
  executed.deleted = execution.deleted();
  if (executed.written > 0) executed.past.revision = stamp.past.revision.next();
  executed.result.revision = executed.past.revision;
  return executed;
}

}  // namespace kv
