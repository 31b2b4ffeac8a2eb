#include "kv/transaction.h"

#include <algorithm>
#include <compare>
#include <utility>
#include <vector>

#include "base/hash.h"
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

/// Whether a failure is the same on all members: no engine says these.
bool is_refusal(Code code) {
  return code == Code::kTooLarge || code == Code::kInvalidArgument || code == Code::kCompacted ||
         code == Code::kFutureRevision;
}

/// One run.
class Execution {
 public:
  Execution(const Stamp& stamp, const Limits& limits, Overlay& overlay)
      : revision_(stamp.past.revision.next()),
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

  std::vector<OperationResult> take_results() { return std::move(results_); }
  std::uint32_t written() const { return written_; }
  std::uint64_t effects() const { return effects_.value(); }
  const Past& past() const { return past_; }
  const Retention& retention() const { return retention_; }

 private:
  using VisitRow = std::function<Status(std::string_view key, std::string_view row)>;
  Status visit(const KeyRange& range, const VisitRow& visit_row);
  Status previous_too_large() const {
    return Status(Code::kTooLarge, "the previous values asked for take more than " +
                                       std::to_string(limits_.range_bytes) + " bytes");
  }
  Status collect_deleted(const DeleteOperation& operation, std::vector<std::string>* keys,
                         DeleteResult* result);
  void write(Event event);

  const Revision revision_;  // of what this transaction writes, if it writes
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
  PutResult result;
  if (operation.previous && previous) {
    if (!room_.take(*previous)) return previous_too_large();
    result.previous = std::move(previous);
  }
  write(std::move(event));
  results_.emplace_back(std::move(result));
  return Status::ok();
}

Status Execution::collect_deleted(const DeleteOperation& operation, std::vector<std::string>* keys,
                                  DeleteResult* result) {
  return visit(operation.range, [&](std::string_view key, std::string_view row) {
    if (++deleted_ > limits_.deleted_keys)
      return Status(Code::kTooLarge, "the transaction deletes more than " +
                                         std::to_string(limits_.deleted_keys) + " keys");
    keys->emplace_back(key);
    if (!operation.previous) return Status::ok();
    Result<KeyValue> item = decode_latest(key, row);
    if (!item.is_ok()) return item.status();
    if (!room_.take(item.value())) return previous_too_large();
    result->previous.push_back(std::move(item).value());
    return Status::ok();
  });
}

Status Execution::operator()(const DeleteOperation& operation) {
  std::vector<std::string> keys;
  DeleteResult result;
  const Status status = collect_deleted(operation, &keys, &result);
  if (!status.is_ok()) return status;
  result.deleted = keys.size();
  for (std::string& key : keys) {
    Event event;
    event.deleted = true;
    event.item.key = std::move(key);
    write(std::move(event));
  }
  results_.emplace_back(std::move(result));
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
  Result<bool> succeeded = all_hold(transaction.compares, overlay);
  if (!succeeded.is_ok()) return succeeded.status();
  Executed executed;
  executed.result.revision = stamp.past.revision;
  executed.past = stamp.past;
  executed.retention = stamp.retention;
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
  if (executed.written > 0) executed.past.revision = stamp.past.revision.next();
  executed.result.revision = executed.past.revision;
  return executed;
}

}  // namespace kv
