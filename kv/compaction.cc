#include "kv/compaction.h"

#include <string>

#include "kv/reading.h"
#include "kv/row.h"

namespace kv {
namespace {

using base::Result;
using base::Status;

void remove(const Version& version, EngineBatch& batch) {
  batch.remove(Space::kVersions, version_key(version.key, version.revision));
  batch.remove(Space::kHistory, history_key(version.revision, version.sub_index));
}

Status sweep_event(const Event& event, Engine& engine, EngineBatch& batch) {
  Result<std::optional<Version>> superseded =
      version_before(event.item.key, event.item.modify_revision, engine);
  if (!superseded.is_ok()) return superseded.status();
  // A delete goes with what it deleted, so what is older than one is gone already.
  if (superseded.value()) remove(*superseded.value(), batch);
  if (event.deleted)
    remove({event.item.key, event.item.modify_revision, event.sub_index, true}, batch);
  return Status::ok();
}

}  // namespace

Result<HybridTime> RetentionRule::time_of(Revision revision, RowReader& rows) {
  if (known_ && known_->first == revision) return known_->second;
  Result<Event> first = event_of(Version{.revision = revision}, rows);
  if (!first.is_ok()) return first.status();
  known_.emplace(revision, first->item.time);
  return first->item.time;
}

Status RetentionRule::advance(RowReader& rows, Position& position) {
  const Retention& keep = position.retention;
  const std::uint64_t kept = position.revision - position.compacted;
  if (keep.revisions > 0 && kept > keep.revisions + slack(keep.revisions)) {
    const Revision next(position.revision.value - keep.revisions);
    const Result<HybridTime> time = time_of(next, rows);
    if (!time.is_ok()) return time.status();
    position.compacted = next;
    position.compacted_time = time.value();
  }
  if (keep.age_ms == 0 || position.time.milliseconds() < keep.age_ms) return Status::ok();
  const HybridTime oldest(position.time.milliseconds() - keep.age_ms, 0);
  for (int step = 0; step < kStepsMax && position.compacted < position.revision; ++step) {
    const Result<HybridTime> time = time_of(position.compacted.next(), rows);
    if (!time.is_ok()) return time.status();
    if (time.value() >= oldest) break;
    position.compacted = position.compacted.next();
    position.compacted_time = time.value();
  }
  return Status::ok();
}

Result<bool> sweep(Engine& engine, Revision compacted, std::size_t slice_bytes) {
  auto row = engine.get(Space::kMeta, kSweptKey);
  if (!row.is_ok()) return row.status();
  std::string begin;
  if (row.value()) {
    Result<std::string> swept = decode_swept(*row.value());
    if (!swept.is_ok()) return swept.status();
    begin = std::move(swept).value();
  }
  const std::string end = history_key(compacted.next(), 0);
  if (begin >= end) return false;
  ReadBudget budget{.bytes = slice_bytes};
  EngineBatch batch;
  std::string next = end;
  Status swept;
  const Status scanned =
      engine.scan(Space::kHistory, begin, end, [&](std::string_view key, std::string_view value) {
        if (!budget.take(key, value)) {
          next = key;
          return false;
        }
        Result<Event> event = decode_event(key, value);
        swept = event.is_ok() ? sweep_event(event.value(), engine, batch) : event.status();
        return swept.is_ok();
      });
  if (!scanned.is_ok()) return scanned;
  if (!swept.is_ok()) return swept;
  batch.put(Space::kMeta, std::string(kSweptKey), encode_swept(next));
  const Status committed = engine.commit(batch);
  if (!committed.is_ok()) return committed;
  return next != end;
}

}  // namespace kv
