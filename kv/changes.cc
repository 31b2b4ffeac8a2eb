#include "kv/changes.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kv/row.h"

namespace kv {
namespace {

using base::Code;
using base::Result;
using base::Status;

std::size_t size_of(const KeyValue& item) {
  return item.key.size() + item.value.size() + kItemBytes;
}

/// The put before `event` of its key; nullopt: there is none, or compaction has removed it.
Result<std::optional<KeyValue>> previous_of(const Event& event, RowReader& rows) {
  Result<std::optional<Version>> before =
      version_before(event.item.key, event.item.modify_revision, rows);
  if (!before.is_ok()) return before.status();
  const std::optional<Version>& found = before.value();
  if (!found || found->deleted) return std::optional<KeyValue>();
  Result<Event> put = event_of(*found, rows);
  if (!put.is_ok()) return put.status();
  return std::optional<KeyValue>(std::move(put->item));
}

Status add_previous(Changes& to, RowReader& rows) {
  Revision revision;
  std::size_t room_bytes = 0;
  for (Change& change : to.changes) {
    if (std::exchange(revision, change.event.item.modify_revision) !=
        change.event.item.modify_revision)
      room_bytes = kPreviousBytes;
    if (!change.event.deleted && change.event.item.version == 1) continue;
    Result<std::optional<KeyValue>> previous = previous_of(change.event, rows);
    if (!previous.is_ok()) return previous.status();
    if (!previous.value() || size_of(*previous.value()) > room_bytes) continue;
    room_bytes -= size_of(*previous.value());
    to.bytes += size_of(*previous.value());
    change.previous = std::move(previous).value();
  }
  return Status::ok();
}

}  // namespace

std::size_t Change::size_bytes() const {
  return size_of(event.item) + (previous ? size_of(*previous) : 0);
}

Result<Changes> changes(Revision after, bool previous, std::size_t slice_bytes, const Past& past,
                        RowReader& rows) {
  if (after < past.compacted)
    return Status(Code::kCompacted, "the oldest revision that can be watched is " +
                                        std::to_string(past.compacted.next().value));
  Changes read{.after = after, .through = std::max(after, past.revision)};
  if (after >= past.revision) return read;
  Status decoded;
  const Status scanned =
      rows.scan(Space::kHistory, history_key(after.next(), 0), history_key(past.revision.next(), 0),
                [&](std::string_view key, std::string_view row) {
                  Result<Event> event = decode_event(key, row);
                  decoded = event.status();
                  if (!event.is_ok()) return false;
                  const Revision revision = event->item.modify_revision;
                  if (read.bytes >= slice_bytes &&
                      read.changes.back().event.item.modify_revision != revision) {
                    read.through = Revision(revision.value - 1);
                    return false;
                  }
                  read.bytes += size_of(event->item);
                  read.changes.push_back({std::move(event).value(), std::nullopt});
                  return true;
                });
  if (!scanned.is_ok()) return scanned;
  if (!decoded.is_ok()) return decoded;
  if (previous) {
    const Status added = add_previous(read, rows);
    if (!added.is_ok()) return added;
  }
  return read;
}

}  // namespace kv
