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

/// One run. A Status of kTooLarge from its parts is a deterministic refusal, as no engine says it.
class Execution {
 public:
  Execution(const Stamp& stamp, const Limits& limits, Overlay& overlay)
      : revision_(stamp.revision.next()),
        time_(stamp.time),
        limits_(limits),
        overlay_(overlay),
        room_(limits.range_bytes) {}

  Status operator()(const RangeOperation& operation);
  Status operator()(const PutOperation& operation);
  Status operator()(const DeleteOperation& operation);

  std::vector<OperationResult> take_results() { return std::move(results_); }
  std::uint32_t written() const { return written_; }
  std::uint64_t effects() const { return effects_.value(); }

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
  const HybridTime time_;
  const Limits& limits_;
  Overlay& overlay_;
  std::vector<OperationResult> results_;
  ReplyRoom room_;
  std::uint64_t visited_ = 0;
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
  RangeCollector collector(operation, room_);
  const Status status = visit(operation.range, [&](std::string_view key, std::string_view row) {
    if (++visited_ > limits_.visited_keys)
      return Status(Code::kTooLarge, "the ranges of a transaction that writes hold more than " +
                                         std::to_string(limits_.visited_keys) + " keys");
    return collector.add(key, row);
  });
  if (!status.is_ok()) return status;
  results_.emplace_back(collector.take());
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
  item.time = time_;
  event.sub_index = written_++;
  effects_.add(std::uint64_t{event.deleted}).add(item.key).add(item.value);
  effects_.add(item.create_revision.value).add(item.modify_revision.value).add(item.version);
  effects_.add(item.lease.value).add(item.time.value);
  overlay_.put(Space::kHistory, history_key(revision_, event.sub_index), encode_event(event));
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
  executed.result.revision = stamp.revision;
  for (const Operation& operation : succeeded.value() ? transaction.then : transaction.otherwise) {
    const Status status = std::visit(execution, operation);
    if (status.code() == Code::kTooLarge) {
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
  if (executed.written > 0) executed.result.revision = stamp.revision.next();
  return executed;
}

}  // namespace kv
