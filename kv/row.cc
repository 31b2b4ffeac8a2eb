#include "kv/row.h"

#include "kv/bytes.h"

namespace kv {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr std::uint8_t kPut = 1;
constexpr std::uint8_t kDelete = 2;
constexpr std::size_t kHistoryKeyBytes = 12;
constexpr std::string_view kKeyEnd("\0\1", 2);

enum ResultKind : std::uint8_t {
  kRangeResult = 1,
  kPutResult = 2,
  kDeleteResult = 3,
  kCompactResult = 4,
  kRetainResult = 5,
  kGrantResult = 6,
  kRevokeResult = 7,
};

Status corrupt(const char* row) {
  return Status(Code::kCorrupt, std::string(row) + " row");
}

/// Reads the format byte.
Status check_format(const char* row, ByteReader& reader, std::uint8_t newest = kRowFormat) {
  const std::uint8_t format = reader.u8();
  if (format == newest) return Status::ok();
  if (format < newest) return corrupt(row);
  return Status(Code::kNewerFormat,
                std::string("a ") + row + " row has format " + std::to_string(format));
}

void write_item(const KeyValue& item, ByteWriter& to) {
  to.sized(item.key).sized(item.value).u64(item.create_revision.value);
  to.u64(item.modify_revision.value).u64(item.version).u64(item.lease.value).u64(item.time.value);
}

KeyValue read_item(ByteReader& from) {
  KeyValue item;
  item.key = from.sized();
  item.value = from.sized();
  item.create_revision = Revision(from.u64());
  item.modify_revision = Revision(from.u64());
  item.version = from.u64();
  item.lease = LeaseId(from.u64());
  item.time = HybridTime(from.u64());
  return item;
}

void write_items(const std::vector<KeyValue>& items, ByteWriter& to) {
  to.u32(static_cast<std::uint32_t>(items.size()));
  for (const KeyValue& item : items) write_item(item, to);
}

std::vector<KeyValue> read_items(ByteReader& from) {
  std::vector<KeyValue> items;
  for (std::uint32_t n = from.u32(); n > 0 && from.ok(); --n) items.push_back(read_item(from));
  return items;
}

struct WriteResult {
  ByteWriter& to;

  void operator()(const RangeResult& result) {
    to.u8(kRangeResult).u64(result.count).u8(result.more);
    write_items(result.items, to);
  }
  void operator()(const PutResult& result) {
    to.u8(kPutResult).u8(result.previous.has_value());
    if (result.previous) write_item(*result.previous, to);
  }
  void operator()(const DeleteResult& result) {
    to.u8(kDeleteResult).u64(result.deleted);
    write_items(result.previous, to);
  }
  void operator()(const HistoryResult&) { CHECK(false, "a write does not read a history"); }
  void operator()(const CompactResult&) { to.u8(kCompactResult); }
  void operator()(const RetainResult& result) {
    to.u8(kRetainResult).u64(result.previous.revisions).u64(result.previous.age_ms);
  }
  void operator()(const GrantResult& result) { to.u8(kGrantResult).u64(result.lease.value); }
  void operator()(const RevokeResult& result) { to.u8(kRevokeResult).u64(result.deleted); }
  void operator()(const LeasesResult&) { CHECK(false, "a write does not list leases"); }
};

/// nullopt: an unknown kind.
std::optional<OperationResult> read_result(ByteReader& from) {
  switch (from.u8()) {
    case kRangeResult: {
      RangeResult result;
      result.count = from.u64();
      result.more = from.u8() != 0;
      result.items = read_items(from);
      return result;
    }
    case kPutResult: {
      PutResult result;
      if (from.u8() != 0) result.previous = read_item(from);
      return result;
    }
    case kDeleteResult: {
      DeleteResult result;
      result.deleted = from.u64();
      result.previous = read_items(from);
      return result;
    }
    case kCompactResult:
      return CompactResult{};
    case kRetainResult: {
      RetainResult result;
      result.previous.revisions = from.u64();
      result.previous.age_ms = from.u64();
      return result;
    }
    case kGrantResult:
      return GrantResult{LeaseId(from.u64())};
    case kRevokeResult:
      return RevokeResult{from.u64()};
  }
  return std::nullopt;
}

void write_reply(const Reply& reply, ByteWriter& to) {
  to.u16(static_cast<std::uint16_t>(reply.code)).sized(reply.detail).u64(reply.session.value);
  to.u8(reply.result.succeeded).u64(reply.result.revision.value);
  to.u32(static_cast<std::uint32_t>(reply.result.results.size()));
  for (const OperationResult& result : reply.result.results) std::visit(WriteResult{to}, result);
}

/// nullopt: unknown kinds, or bytes missing or left over.
std::optional<Reply> read_reply(ByteReader& from) {
  Reply reply;
  reply.code = static_cast<base::Code>(from.u16());
  reply.detail = from.sized();
  reply.session = SessionId(from.u64());
  reply.result.succeeded = from.u8() != 0;
  reply.result.revision = Revision(from.u64());
  for (std::uint32_t n = from.u32(); n > 0 && from.ok(); --n) {
    std::optional<OperationResult> result = read_result(from);
    if (!result) return std::nullopt;
    reply.result.results.push_back(std::move(*result));
  }
  if (!from.at_end()) return std::nullopt;
  return reply;
}

Outcome read_outcome_head(ByteReader& from) {
  Outcome outcome;
  outcome.applied = Index(from.u64());
  outcome.acknowledged_below = from.u64();
  return outcome;
}

}  // namespace

std::string encode_latest(const KeyValue& item) {
  ByteWriter to(41 + item.value.size());
  to.u8(kRowFormat).u64(item.create_revision.value).u64(item.modify_revision.value);
  to.u64(item.version).u64(item.lease.value).u64(item.time.value).raw(item.value);
  return to.take();
}

Result<KeyValue> decode_latest(std::string_view key, std::string_view bytes) {
  ByteReader from(bytes);
  Status status = check_format("latest", from);
  if (!status.is_ok()) return status;
  KeyValue item;
  item.key = key;
  item.create_revision = Revision(from.u64());
  item.modify_revision = Revision(from.u64());
  item.version = from.u64();
  item.lease = LeaseId(from.u64());
  item.time = HybridTime(from.u64());
  item.value = from.rest();
  if (!from.at_end()) return corrupt("latest");
  return item;
}

std::string history_key(Revision revision, std::uint32_t sub_index) {
  return ByteWriter(kHistoryKeyBytes).u64(revision.value).u32(sub_index).take();
}

std::string encode_event(const Event& event) {
  const KeyValue& item = event.item;
  ByteWriter to(38 + item.key.size() + item.value.size());
  to.u8(kRowFormat).u8(event.deleted ? kDelete : kPut).u64(item.create_revision.value);
  to.u64(item.version).u64(item.lease.value).u64(item.time.value).sized(item.key).raw(item.value);
  return to.take();
}

Result<Event> decode_event(std::string_view row_key, std::string_view bytes) {
  ByteReader from(bytes);
  Status status = check_format("history", from);
  if (!status.is_ok()) return status;
  Event event;
  const std::uint8_t kind = from.u8();
  event.deleted = kind == kDelete;
  event.item.create_revision = Revision(from.u64());
  event.item.version = from.u64();
  event.item.lease = LeaseId(from.u64());
  event.item.time = HybridTime(from.u64());
  event.item.key = from.sized();
  event.item.value = from.rest();
  ByteReader from_key(row_key);
  event.item.modify_revision = Revision(from_key.u64());
  event.sub_index = from_key.u32();
  if (!from.at_end() || !from_key.at_end() || (kind != kPut && kind != kDelete))
    return corrupt("history");
  return event;
}

std::string versions_begin(std::string_view key) {
  std::string row_key;
  row_key.reserve(key.size() + 10);
  for (const char c : key) {
    row_key.push_back(c);
    if (c == '\0') row_key.push_back('\xff');
  }
  return row_key.append(kKeyEnd);
}

std::string versions_end(std::string_view key) {
  std::string row_key = versions_begin(key);
  ++row_key.back();
  return row_key;
}

std::string version_key(std::string_view key, Revision revision) {
  return versions_begin(key) + ByteWriter(8).u64(~revision.value).take();
}

std::string encode_version(const Version& version) {
  return ByteWriter(6)
      .u8(kRowFormat)
      .u8(version.deleted ? kDelete : kPut)
      .u32(version.sub_index)
      .take();
}

Result<Version> decode_version(std::string_view row_key, std::string_view bytes) {
  ByteReader from(bytes);
  Status status = check_format("version", from);
  if (!status.is_ok()) return status;
  Version version;
  const std::uint8_t kind = from.u8();
  version.deleted = kind == kDelete;
  version.sub_index = from.u32();
  if (!from.at_end() || (kind != kPut && kind != kDelete)) return corrupt("version");
  std::size_t at = 0;
  for (; at + 1 < row_key.size() && row_key.substr(at, 2) != kKeyEnd; ++at) {
    version.key.push_back(row_key[at]);
    if (row_key[at] == '\0' && row_key[++at] != '\xff') return corrupt("version");
  }
  if (at + 2 + 8 != row_key.size()) return corrupt("version");
  version.revision = Revision(~ByteReader(row_key.substr(at + 2)).u64());
  return version;
}

std::string session_key(SessionId session) {
  return ByteWriter(8).u64(session.value).take();
}

std::string outcome_key(SessionId session, std::uint64_t sequence) {
  return ByteWriter(16).u64(session.value).u64(sequence).take();
}

Result<SessionRowKey> decode_session_key(std::string_view row_key) {
  ByteReader from(row_key);
  SessionRowKey key{SessionId(from.u64())};
  const bool outcome = row_key.size() > 8;
  if (outcome) key.sequence = from.u64();
  if (!from.at_end() || !key.session || (outcome && key.sequence == 0)) return corrupt("session");
  return key;
}

// ---- Leases ----

std::string lease_key(LeaseId lease) {
  return ByteWriter(8).u64(lease.value).take();
}

std::string attachment_key(LeaseId lease, std::string_view key) {
  return ByteWriter(8 + key.size()).u64(lease.value).raw(key).take();
}

std::string encode_attachment() {
  return ByteWriter(1).u8(kRowFormat).take();
}

Result<LeaseRowKey> decode_lease_key(std::string_view row_key) {
  ByteReader from(row_key);
  LeaseRowKey key{LeaseId(from.u64()), from.rest()};
  if (!from.ok() || !key.lease) return corrupt("lease");
  return key;
}

std::string encode_lease(const Lease& lease) {
  ByteWriter to(25);
  return to.u8(kRowFormat).u64(lease.ttl_ms).u64(lease.session.value).u64(lease.attached).take();
}

Result<Lease> decode_lease(LeaseId id, std::string_view bytes) {
  ByteReader from(bytes);
  Status status = check_format("lease", from);
  if (!status.is_ok()) return status;
  Lease lease{.id = id};
  lease.ttl_ms = from.u64();
  lease.session = SessionId(from.u64());
  lease.attached = from.u64();
  if (!from.at_end()) return corrupt("lease");
  return lease;
}

// ---- Sessions ----

std::string encode_session() {
  return ByteWriter(1).u8(kRowFormat).take();
}

Status decode_session(std::string_view bytes) {
  ByteReader from(bytes);
  Status status = check_format("session", from);
  if (status.is_ok() && !from.at_end()) return corrupt("session");
  return status;
}

std::string encode_outcome(const Outcome& outcome) {
  ByteWriter reply_bytes;
  write_reply(outcome.reply, reply_bytes);
  std::string reply = reply_bytes.take();
  if (reply.size() > kOutcomeBytes) {
    Reply shortened = outcome.reply;
    shortened.result.results.clear();
    shortened.detail = "applied at revision " + std::to_string(shortened.result.revision.value) +
                       "; its results of " + std::to_string(reply.size()) +
                       " bytes were too large to keep";
    write_reply(shortened, reply_bytes = ByteWriter());
    reply = reply_bytes.take();
  }
  ByteWriter to(17 + reply.size());
  to.u8(kRowFormat).u64(outcome.applied.value).u64(outcome.acknowledged_below).raw(reply);
  return to.take();
}

Result<Outcome> decode_outcome(std::string_view bytes) {
  ByteReader from(bytes);
  Status status = check_format("outcome", from);
  if (!status.is_ok()) return status;
  Outcome outcome = read_outcome_head(from);
  std::optional<Reply> reply = read_reply(from);
  if (!reply) return corrupt("outcome");
  outcome.reply = std::move(*reply);
  return outcome;
}

Result<Outcome> decode_outcome_head(std::string_view bytes) {
  ByteReader from(bytes);
  Status status = check_format("outcome", from);
  if (!status.is_ok()) return status;
  Outcome outcome = read_outcome_head(from);
  if (!from.ok()) return corrupt("outcome");
  return outcome;
}

std::string encode_position(const Position& position) {
  ByteWriter to(140 + position.configuration.size());
  to.u8(kPositionFormat)
      .u64(position.applied.value)
      .u64(position.term.value)
      .u64(position.hash.value);
  to.u64(position.log_ordinal.epoch).u64(position.log_ordinal.counter);
  to.u64(position.revision.value).u64(position.time.value).u64(position.generation);
  to.u64(position.digest).sized(position.configuration);
  to.u64(position.compacted.value).u64(position.compacted_time.value);
  to.u64(position.retention.revisions).u64(position.retention.age_ms);
  return to.take();
}

Result<Position> decode_position(std::string_view bytes) {
  ByteReader from(bytes);
  Status status = check_format("position", from, kPositionFormat);
  if (!status.is_ok()) return status;
  Position position;
  position.applied = Index(from.u64());
  position.term = Term(from.u64());
  position.hash = base::ChainHash{from.u64()};
  position.log_ordinal.epoch = from.u64();
  position.log_ordinal.counter = from.u64();
  position.revision = Revision(from.u64());
  position.time = HybridTime(from.u64());
  position.generation = from.u64();
  position.digest = from.u64();
  position.configuration = from.sized();
  position.compacted = Revision(from.u64());
  position.compacted_time = HybridTime(from.u64());
  position.retention.revisions = from.u64();
  position.retention.age_ms = from.u64();
  if (!from.at_end()) return corrupt("position");
  return position;
}

std::string encode_swept(std::string_view history_row_key) {
  return ByteWriter(1 + history_row_key.size()).u8(kRowFormat).raw(history_row_key).take();
}

Result<std::string> decode_swept(std::string_view bytes) {
  ByteReader from(bytes);
  Status status = check_format("swept", from);
  if (!status.is_ok()) return status;
  std::string history_row_key(from.raw(kHistoryKeyBytes));
  if (!from.at_end()) return corrupt("swept");
  return history_row_key;
}

}  // namespace kv
