// The fault plane under RocksDB: a file system that does what the switches say, and else what the
// real one does. Any thread.
#pragma once

#include <memory>

#include <rocksdb/file_system.h>

#include "storage/faults.h"

namespace storage {

/// Returns at once unless hang_log_sync is set; then counts the call and returns only after the
/// heal. Never keeps a process from ending by _exit. `faults` may be null.
void wait_while_hung(FaultSwitches* faults);

/// `base` with syncs of write-ahead logs held while hang_log_sync is set. Requires: `faults`
/// outlives it.
std::shared_ptr<rocksdb::FileSystem> make_fault_file_system(
    std::shared_ptr<rocksdb::FileSystem> base, FaultSwitches* faults);

}  // namespace storage
