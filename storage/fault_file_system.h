// The fault plane under RocksDB: a file system that does what the switches say, and else what the
// real one does. Any thread.
#pragma once

#include <memory>

#include <rocksdb/file_system.h>

#include "storage/faults.h"

namespace storage {

/// `base`, where every file that is written meets the faults of its volume. Requires: `faults`
/// outlives it.
std::shared_ptr<rocksdb::FileSystem> make_fault_file_system(
    std::shared_ptr<rocksdb::FileSystem> base, VolumeFaults* faults);

}  // namespace storage
