// The rows of the Raft log, whatever store holds them, and the claims in front of each batch.
//
// Keys: one byte a kind, then for an entry its big-endian index, so that rows sort by index and the
// three small rows lie in front of all entries. Every row ends with a checksum over key and body,
// and an entry also carries the ordinal of the batch that wrote it: the ordinal that an opening
// recovers is that of its last entry, or of the ordinal row, which only batches without entries
// write. So no row is written by every batch, files of entries do not overlap, and cutting the log
// drops whole files.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "raft/entry.h"

namespace storage {

inline constexpr std::string_view kHardStateKey = "H";
inline constexpr std::string_view kMarkerKey = "M";
inline constexpr std::string_view kOrdinalKey = "O";

std::string entry_key(base::Index index);
/// nullopt: not the key of an entry.
std::optional<base::Index> index_of_key(std::string_view key);

/// The entry before the first one of the log.
struct Marker {
  base::Index index;
  base::Term term;
  base::ChainHash hash;
  bool operator==(const Marker&) const = default;
};

struct EntryRow {
  raft::EntryPtr entry;
  base::Ordinal ordinal;  // of the batch that wrote it
};

// Values. Decoding gives nullopt when the checksum does not hold or the layout is not known.
std::string encode_row(const raft::HardState& hard_state);
std::string encode_row(const Marker& marker);
std::string encode_row(base::Ordinal ordinal);
std::string encode_row(const raft::Entry& entry, base::Ordinal ordinal);
std::optional<raft::HardState> decode_hard_state(std::string_view value);
std::optional<Marker> decode_marker(std::string_view value);
std::optional<base::Ordinal> decode_ordinal(std::string_view value);
std::optional<EntryRow> decode_entry(base::Index index, std::string_view value);

/// "The log that ends with (last, term) is durable, up to this ordinal": stated by each batch of
/// what came before it, and by the watermark.
struct Claim {
  base::Ordinal ordinal;
  base::Index last;
  base::Term term;
  bool operator==(const Claim&) const = default;
};
/// Self-contained bytes with a checksum, for WriteBatch::PutLogData.
std::string encode_claim(const Claim& claim);
std::optional<Claim> decode_claim(std::string_view bytes);
inline constexpr std::size_t kClaimBytes = 8 + 4 * 8 + 8;

/// "3.17": epoch and counter.
std::string to_string(base::Ordinal ordinal);

}  // namespace storage
