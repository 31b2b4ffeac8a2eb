// RocksDB's failures as ours. Any thread.
#pragma once

#include <string_view>

#include <rocksdb/status.h>

#include "base/status.h"

namespace storage {

/// kDiskFull, kCorrupt or kIo: "cannot WHAT: RocksDB's words"; ok for ok.
base::Status to_status(const rocksdb::Status& status, std::string_view what);
/// Whether a failure to open says that what is stored is damaged or missing, not that the machine
/// could not do it now (no space, no permission, an I/O error, a lock that is held).
bool is_damage(const rocksdb::Status& status);

}  // namespace storage
