#include "kv/reading.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "kv/leases.h"

namespace kv {
namespace {

using base::Code;
using base::Result;
using base::Status;

/// The newest revision whose stamp is not above `time`. Revisions above past.compacted are all
/// there, and their stamps grow with them.
Result<Revision> revision_at(HybridTime time, const Past& past, RowReader& rows) {
  Revision low = past.compacted;
  Revision high = past.revision;
  while (low < high) {
    const Revision middle(high.value - (high.value - low.value) / 2);
    const std::string key = history_key(middle, 0);
    auto row = rows.get(Space::kHistory, key);
    if (!row.is_ok()) return row.status();
    if (!row.value()) return Status(Code::kCorrupt, "the history lacks a revision");
    auto event = decode_event(key, *row.value());
    if (!event.is_ok()) return event.status();
    if (event->item.time <= time) {
      low = middle;
    } else {
      high = Revision(middle.value - 1);
    }
  }
  return low;
}

Status compacted(const Past& past) {
  return Status(Code::kCompacted,
                "the oldest revision that can be read is " + std::to_string(past.compacted.value));
}

}  // namespace

bool ReplyRoom::take(const KeyValue& item) {
  return take_bytes(item.key.size() + item.value.size() + kItemBytes);
}

bool ReplyRoom::take_bytes(std::size_t size_bytes) {
  if (taken_bytes_ > 0 && taken_bytes_ + size_bytes > limit_bytes_) return false;
  taken_bytes_ += size_bytes;
  return true;
}

bool ReadBudget::take(std::string_view key, std::string_view value) {
  if (moved && (bytes == 0 || rows == 0)) return false;
  moved = true;
  bytes -= std::min(bytes, key.size() + value.size() + kItemBytes);
  rows -= std::min<std::uint64_t>(rows, 1);
  return true;
}

Result<Revision> revision_to_read(const RangeOperation& operation, const Past& past,
                                  RowReader& rows) {
  if (operation.time != HybridTime()) {
    if (operation.time > past.time)
      return Status(Code::kFutureRevision,
                    "the time of the state is " + std::to_string(past.time.milliseconds()) + " ms");
    if (operation.time < past.compacted_time) return compacted(past);
    Result<Revision> found = revision_at(operation.time, past, rows);
    // Nothing was written by then, and revision 0 would be the latest.
    if (found.is_ok() && !found.value()) return kBeforeAll;
    return found;
  }
  if (!operation.revision) return Revision();
  if (operation.revision > past.revision)
    return Status(Code::kFutureRevision,
                  "the newest revision is " + std::to_string(past.revision.value));
  if (operation.revision < past.compacted) return compacted(past);
  return operation.revision;
}

Result<std::optional<Version>> version_before(std::string_view key, Revision revision,
                                              RowReader& rows) {
  std::optional<Version> found;
  Status decoded;
  const std::string begin = version_key(key, Revision(revision.value - 1));
  const Status scanned = rows.scan(Space::kVersions, begin, versions_end(key),
                                   [&](std::string_view row_key, std::string_view row) {
                                     Result<Version> version = decode_version(row_key, row);
                                     decoded = version.status();
                                     if (version.is_ok()) found = std::move(version).value();
                                     return false;
                                   });
  if (!scanned.is_ok()) return scanned;
  if (!decoded.is_ok()) return decoded;
  return found;
}

Result<Event> event_of(const Version& version, RowReader& rows) {
  const std::string key = history_key(version.revision, version.sub_index);
  auto row = rows.get(Space::kHistory, key);
  if (!row.is_ok()) return row.status();
  if (!row.value()) return Status(Code::kCorrupt, "a version without its event");
  return decode_event(key, *row.value());
}

// ---- One range ----

Status RangeScan::advance(RowReader& rows, ReadBudget& budget) {
  const KeyRange& range = operation_.range;
  const bool empty = !range.end.empty() && range.end != kToTheEnd && range.begin >= range.end;
  if (empty || at_ == kBeforeAll) {
    done_ = true;
    return Status::ok();
  }
  return at_ ? advance_versions(rows, budget) : advance_latest(rows, budget);
}

RangeResult RangeScan::take() {
  CHECK(done_);
  result_.more = !operation_.count_only && result_.count > result_.items.size();
  return std::move(result_);
}

/// Whether the next item is to be returned and not only counted.
bool RangeScan::wants_item() {
  ++result_.count;
  full_ = full_ || (operation_.limit > 0 && result_.items.size() == operation_.limit);
  return !full_;
}

void RangeScan::add(KeyValue item) {
  if (operation_.keys_only) item.value.clear();
  full_ = !room_.take(item);
  if (!full_) result_.items.push_back(std::move(item));
}

Status RangeScan::add_latest(std::string_view key, std::string_view row) {
  if (!wants_item()) return Status::ok();
  Result<KeyValue> item = decode_latest(key, row);
  if (!item.is_ok()) return item.status();
  add(std::move(item).value());
  return Status::ok();
}

Status RangeScan::advance_latest(RowReader& rows, ReadBudget& budget) {
  const KeyRange& range = operation_.range;
  if (range.end.empty()) {
    auto row = rows.get(Space::kLatest, range.begin);
    if (!row.is_ok()) return row.status();
    if (row.value() && !budget.take(range.begin, *row.value())) return Status::ok();
    done_ = true;
    return row.value() ? add_latest(range.begin, *row.value()) : Status::ok();
  }
  const std::string begin = next_ ? *std::exchange(next_, std::nullopt) : range.begin;
  const std::string_view end = range.end == kToTheEnd ? std::string_view() : range.end;
  Status added;
  const Status scanned =
      rows.scan(Space::kLatest, begin, end, [&](std::string_view key, std::string_view row) {
        if (!budget.take(key, row)) {
          next_ = key;
          return false;
        }
        added = add_latest(key, row);
        return added.is_ok();
      });
  done_ = !next_;
  return scanned.is_ok() ? added : scanned;
}

Status RangeScan::advance_versions(RowReader& rows, ReadBudget& budget) {
  const KeyRange& range = operation_.range;
  const std::string begin =
      next_ ? *std::exchange(next_, std::nullopt) : versions_begin(range.begin);
  std::string end;
  if (range.end.empty()) {
    end = versions_end(range.begin);
  } else if (range.end != kToTheEnd) {
    end = versions_begin(range.end);
  }
  Status added;
  const Status scanned =
      rows.scan(Space::kVersions, begin, end, [&](std::string_view key, std::string_view row) {
        if (!budget.take(key, row)) {
          next_ = key;
          return false;
        }
        Result<Version> version = decode_version(key, row);
        added = version.is_ok() ? add_version(version.value(), rows) : version.status();
        return added.is_ok();
      });
  done_ = !next_;
  return scanned.is_ok() ? added : scanned;
}

Status RangeScan::add_version(const Version& version, RowReader& rows) {
  if (version.revision > at_ || decided_ == version.key) return Status::ok();
  decided_ = version.key;
  if (version.deleted || !wants_item()) return Status::ok();
  Result<Event> event = event_of(version, rows);
  if (!event.is_ok()) return event.status();
  add(std::move(event->item));
  return Status::ok();
}

// ---- One history ----

Status HistoryScan::advance(RowReader& rows, ReadBudget& budget) {
  std::string begin = versions_begin(operation_.key);
  if (operation_.before) {
    // Not below what is compacted: the first there says whether the next ones are still kept.
    const Revision newest(std::max(operation_.before.value - 1, compacted_.value));
    begin = version_key(operation_.key, newest);
  }
  if (next_) begin = *std::exchange(next_, std::nullopt);
  Status added;
  const Status scanned = rows.scan(
      Space::kVersions, begin, versions_end(operation_.key),
      [&](std::string_view key, std::string_view row) {
        if (!budget.take(key, row)) {
          next_ = key;
          return false;
        }
        Result<Version> version = decode_version(key, row);
        Result<bool> go_on = version.is_ok() ? add(version.value(), rows) : version.status();
        if (!go_on.is_ok()) added = go_on.status();
        return go_on.is_ok() && go_on.value();
      });
  done_ = !next_;
  return scanned.is_ok() ? added : scanned;
}

/// Whether to go on. Of what compaction gave up, the newest version is the one that is kept, unless
/// it is a delete.
Result<bool> HistoryScan::add(const Version& version, RowReader& rows) {
  const bool passed = operation_.before && version.revision >= operation_.before;
  if (version.revision <= compacted_ && (version.deleted || passed)) return false;
  if (operation_.limit > 0 && result_.events.size() == operation_.limit) {
    result_.more = true;
    return false;
  }
  Result<Event> event = event_of(version, rows);
  if (!event.is_ok()) return event.status();
  if (!room_.take(event->item)) {
    result_.more = true;
    return false;
  }
  result_.events.push_back(std::move(event).value());
  return version.revision > compacted_;
}

// ---- A transaction ----

Reading::Reading(std::vector<Operation> operations, bool succeeded, const Past& past,
                 const Limits& limits)
    : operations_(std::move(operations)), past_(past), room_(limits.range_bytes) {
  for (const Operation& each : operations_) {
    CHECK(std::holds_alternative<RangeOperation>(each) ||
              std::holds_alternative<HistoryOperation>(each) ||
              std::holds_alternative<LeasesOperation>(each),
          "a reading holds an operation that writes");
  }
  result_.succeeded = succeeded;
  result_.revision = past.revision;
}

Status Reading::begin(RowReader& rows, std::size_t slice_bytes) {
  CHECK(at_ == 0 && !range_ && !history_ && !snapshot_, "a reading begins once");
  return slice(rows, slice_bytes);
}

void Reading::freeze(std::unique_ptr<EngineSnapshot> snapshot) {
  CHECK(!done() && !snapshot_, "only what goes on is frozen, once");
  snapshot_ = std::move(snapshot);
}

Status Reading::advance(std::size_t slice_bytes) {
  CHECK(snapshot_ && !done(), "a reading goes on over a frozen state");
  return slice(*snapshot_, slice_bytes);
}

TransactionResult Reading::take() {
  CHECK(done());
  snapshot_.reset();
  return std::move(result_);
}

Status Reading::slice(RowReader& rows, std::size_t slice_bytes) {
  ReadBudget budget{.bytes = slice_bytes};
  while (!done()) {
    const std::size_t before = at_;
    Status status;
    if (std::holds_alternative<LeasesOperation>(operations_[at_])) {
      status = list(rows);
    } else {
      status = std::holds_alternative<RangeOperation>(operations_[at_])
                   ? slice_range(rows, budget)
                   : slice_history(rows, budget);
    }
    if (!status.is_ok() || at_ == before) return status;
  }
  return Status::ok();
}

Status Reading::slice_range(RowReader& rows, ReadBudget& budget) {
  const auto& operation = std::get<RangeOperation>(operations_[at_]);
  if (!range_) {
    const Result<Revision> revision = revision_to_read(operation, past_, rows);
    if (!revision.is_ok()) return revision.status();
    range_.emplace(operation, revision.value(), room_);
  }
  const Status status = range_->advance(rows, budget);
  if (!status.is_ok() || !range_->done()) return status;
  result_.results.emplace_back(range_->take());
  range_.reset();
  ++at_;
  return Status::ok();
}

Status Reading::slice_history(RowReader& rows, ReadBudget& budget) {
  const auto& operation = std::get<HistoryOperation>(operations_[at_]);
  if (!history_) history_.emplace(operation, past_.compacted, room_);
  const Status status = history_->advance(rows, budget);
  if (!status.is_ok() || !history_->done()) return status;
  result_.results.emplace_back(history_->take());
  history_.reset();
  ++at_;
  return Status::ok();
}

/// Bounded by what a reply holds, so it is one slice.
Status Reading::list(RowReader& rows) {
  auto listed = list_leases(std::get<LeasesOperation>(operations_[at_]), room_, rows);
  if (!listed.is_ok()) return listed.status();
  result_.results.emplace_back(std::move(listed).value());
  ++at_;
  return Status::ok();
}

}  // namespace kv
