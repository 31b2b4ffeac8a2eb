#include "kv/reading.h"

#include <utility>

#include "base/check.h"
#include "kv/row.h"

namespace kv {

using base::Result;
using base::Status;

bool ReplyRoom::take(const KeyValue& item) {
  const std::size_t size_bytes = item.key.size() + item.value.size() + kItemBytes;
  if (taken_bytes_ > 0 && taken_bytes_ + size_bytes > limit_bytes_) return false;
  taken_bytes_ += size_bytes;
  return true;
}

Status RangeCollector::add(std::string_view key, std::string_view row) {
  ++result_.count;
  full_ = full_ || (operation_.limit > 0 && result_.items.size() == operation_.limit);
  if (full_) return Status::ok();
  Result<KeyValue> item = decode_latest(key, row);
  if (!item.is_ok()) return item.status();
  if (operation_.keys_only) item->value.clear();
  full_ = !room_.take(item.value());
  if (!full_) result_.items.push_back(std::move(item).value());
  return Status::ok();
}

RangeResult RangeCollector::take() {
  result_.more = !operation_.count_only && result_.count > result_.items.size();
  return std::move(result_);
}

Reading::Reading(std::vector<Operation> operations, bool succeeded, Revision revision,
                 const Limits& limits)
    : operations_(std::move(operations)), room_(limits.range_bytes) {
  for (const Operation& each : operations_) {
    CHECK(std::holds_alternative<RangeOperation>(each), "a reading holds an operation that writes");
  }
  result_.succeeded = succeeded;
  result_.revision = revision;
}

Status Reading::begin(const LatestRows& rows, std::size_t slice_bytes) {
  CHECK(at_ == 0 && !collector_ && !snapshot_, "a reading begins once");
  return slice(rows, slice_bytes);
}

void Reading::freeze(std::unique_ptr<EngineSnapshot> snapshot) {
  CHECK(!done() && !snapshot_, "only what goes on is frozen, once");
  snapshot_ = std::move(snapshot);
}

Status Reading::advance(std::size_t slice_bytes) {
  CHECK(snapshot_ && !done(), "a reading goes on over a frozen state");
  LatestRows rows;
  rows.scan = [this](std::string_view begin, std::string_view end, const auto& visit) {
    return snapshot_->scan(Space::kLatest, begin, end, visit);
  };
  rows.get = [&rows](std::string_view key) -> Result<std::optional<std::string>> {
    std::optional<std::string> found;
    const std::string end = std::string(key) + '\0';
    const Status status = rows.scan(key, end, [&](std::string_view, std::string_view row) {
      found = row;
      return false;
    });
    if (!status.is_ok()) return status;
    return found;
  };
  return slice(rows, slice_bytes);
}

TransactionResult Reading::take() {
  CHECK(done());
  snapshot_.reset();
  return std::move(result_);
}

Status Reading::slice(const LatestRows& rows, std::size_t slice_bytes) {
  passed_bytes_ = 0;
  while (!done()) {
    const auto& operation = std::get<RangeOperation>(operations_[at_]);
    if (!collector_) collector_.emplace(operation, room_);
    const Status status = pass(rows, operation.range, slice_bytes);
    if (!status.is_ok() || next_) return status;
    result_.results.emplace_back(collector_->take());
    collector_.reset();
    ++at_;
  }
  return Status::ok();
}

/// On return next_ says where the range goes on, if this slice did not reach its end.
Status Reading::pass(const LatestRows& rows, const KeyRange& range, std::size_t slice_bytes) {
  if (range.end.empty()) {
    auto row = rows.get(range.begin);
    if (!row.is_ok()) return row.status();
    return row.value() ? collector_->add(range.begin, *row.value()) : Status::ok();
  }
  const std::string begin = next_ ? *std::exchange(next_, std::nullopt) : range.begin;
  const std::string_view end = range.end == kToTheEnd ? std::string_view() : range.end;
  if (!end.empty() && begin >= end) return Status::ok();
  Status added;
  bool moved = false;
  const Status scanned = rows.scan(begin, end, [&](std::string_view key, std::string_view row) {
    if (moved && passed_bytes_ >= slice_bytes) {
      next_ = key;
      return false;
    }
    moved = true;
    passed_bytes_ += key.size() + row.size() + kItemBytes;
    added = collector_->add(key, row);
    return added.is_ok();
  });
  return scanned.is_ok() ? added : scanned;
}

}  // namespace kv
