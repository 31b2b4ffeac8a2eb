#include "storage/log_rows.h"

#include "base/hash.h"
#include "storage/bytes.h"

namespace storage {
namespace {

constexpr std::uint8_t kRowVersion = 1;
constexpr char kEntryKind = 'e';
constexpr std::size_t kEntryKeyBytes = 9;
constexpr std::size_t kChecksumBytes = 8;
constexpr std::uint64_t kClaimMagic = 0x6d69616c632d6668;  // "hf-claim"

std::uint64_t checksum(std::string_view key, std::string_view body) {
  return base::hash64(body, base::hash64(key));
}

std::string seal(std::string_view key, ByteWriter& body) {
  body.u64(checksum(key, body.view()));
  return body.take();
}

/// The body of a sealed value; nullopt if its checksum or version does not hold.
std::optional<ByteReader> unseal(std::string_view key, std::string_view value) {
  if (value.size() < kChecksumBytes) return std::nullopt;
  const std::string_view body = value.substr(0, value.size() - kChecksumBytes);
  if (ByteReader(value.substr(body.size())).u64() != checksum(key, body)) return std::nullopt;
  ByteReader reader(body);
  if (reader.u8() != kRowVersion) return std::nullopt;
  return reader;
}

}  // namespace

std::string entry_key(base::Index index) {
  std::string key(1, kEntryKind);
  for (int shift = 56; shift >= 0; shift -= 8) {
    key.push_back(static_cast<char>(index.value >> shift & 0xff));
  }
  return key;
}

std::optional<base::Index> index_of_key(std::string_view key) {
  if (key.size() != kEntryKeyBytes || key[0] != kEntryKind) return std::nullopt;
  std::uint64_t value = 0;
  for (const char byte : key.substr(1)) value = value << 8 | static_cast<unsigned char>(byte);
  return base::Index(value);
}

std::string encode_row(const raft::HardState& hard_state) {
  ByteWriter body;
  body.u8(kRowVersion).u64(hard_state.term.value).u64(hard_state.vote.value);
  body.u64(hard_state.vote_opening.epoch).u64(hard_state.vote_opening.nonce);
  return seal(kHardStateKey, body);
}

std::optional<raft::HardState> decode_hard_state(std::string_view value) {
  auto body = unseal(kHardStateKey, value);
  if (!body) return std::nullopt;
  raft::HardState hard_state;
  hard_state.term = base::Term(body->u64());
  hard_state.vote = base::MemberId(body->u64());
  hard_state.vote_opening.epoch = body->u64();
  hard_state.vote_opening.nonce = body->u64();
  if (!body->complete()) return std::nullopt;
  return hard_state;
}

std::string encode_row(const Marker& marker) {
  ByteWriter body;
  body.u8(kRowVersion).u64(marker.index.value).u64(marker.term.value).u64(marker.hash.value);
  return seal(kMarkerKey, body);
}

std::optional<Marker> decode_marker(std::string_view value) {
  auto body = unseal(kMarkerKey, value);
  if (!body) return std::nullopt;
  Marker marker;
  marker.index = base::Index(body->u64());
  marker.term = base::Term(body->u64());
  marker.hash = base::ChainHash{body->u64()};
  if (!body->complete()) return std::nullopt;
  return marker;
}

std::string encode_row(base::Ordinal ordinal) {
  ByteWriter body;
  body.u8(kRowVersion).ordinal(ordinal);
  return seal(kOrdinalKey, body);
}

std::optional<base::Ordinal> decode_ordinal(std::string_view value) {
  auto body = unseal(kOrdinalKey, value);
  if (!body) return std::nullopt;
  const base::Ordinal ordinal = body->ordinal();
  if (!body->complete()) return std::nullopt;
  return ordinal;
}

std::string encode_row(const raft::Entry& entry, base::Ordinal ordinal) {
  ByteWriter body;
  body.u8(kRowVersion).u8(static_cast<std::uint8_t>(entry.kind)).ordinal(ordinal);
  body.u64(entry.term.value).u64(entry.time.value).u64(entry.hash.value).bytes(entry.payload);
  return seal(entry_key(entry.index), body);
}

std::optional<EntryRow> decode_entry(base::Index index, std::string_view value) {
  auto body = unseal(entry_key(index), value);
  if (!body) return std::nullopt;
  EntryRow row;
  auto entry = std::make_shared<raft::Entry>();
  const std::uint8_t kind = body->u8();
  if (kind > static_cast<std::uint8_t>(raft::EntryKind::kConfiguration)) return std::nullopt;
  entry->kind = static_cast<raft::EntryKind>(kind);
  row.ordinal = body->ordinal();
  entry->index = index;
  entry->term = base::Term(body->u64());
  entry->time = base::HybridTime(body->u64());
  entry->hash = base::ChainHash{body->u64()};
  entry->payload = body->rest();
  if (!body->ok()) return std::nullopt;
  row.entry = std::move(entry);
  return row;
}

std::string encode_claim(const Claim& claim) {
  ByteWriter bytes;
  bytes.u64(kClaimMagic).ordinal(claim.ordinal).u64(claim.last.value).u64(claim.term.value);
  bytes.u64(base::hash64(bytes.view()));
  return bytes.take();
}

std::optional<Claim> decode_claim(std::string_view bytes) {
  if (bytes.size() != kClaimBytes) return std::nullopt;
  ByteReader reader(bytes);
  if (reader.u64() != kClaimMagic) return std::nullopt;
  Claim claim;
  claim.ordinal = reader.ordinal();
  claim.last = base::Index(reader.u64());
  claim.term = base::Term(reader.u64());
  if (reader.u64() != base::hash64(bytes.substr(0, kClaimBytes - kChecksumBytes))) {
    return std::nullopt;
  }
  return claim;
}

std::string to_string(base::Ordinal ordinal) {
  return std::to_string(ordinal.epoch) + "." + std::to_string(ordinal.counter);
}

}  // namespace storage
