// Our own reader of RocksDB's write-ahead log files, for the claims in them. It goes on behind
// damage, which RocksDB's recovery does not: what a later record claims is what tells of the loss.
// Any thread.
#pragma once

#include <optional>
#include <string_view>

#include "storage/log_rows.h"

namespace storage {

/// The highest claim that any whole record of the file makes; nullopt: none. Any bytes are safe to
/// give. Layout: RocksDB's wiki, "Write Ahead Log File Format"; db/log_format.h.
std::optional<Claim> highest_claim_in_wal(std::string_view file);

/// CRC-32C (Castagnoli) of the bytes, unmasked.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace storage
