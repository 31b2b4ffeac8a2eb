// Faults that are injected into real storage calls, under RocksDB, by whoever allowed them. Any
// thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace storage {

/// Switches of the fault plane, read by the file system wrapper under RocksDB at each call. All off
/// unless the server was started with --allow-faults. Later issues add delay, errors and loss.
struct FaultSwitches {
  /// Syncs of the log's files do not return while this is set.
  std::atomic<bool> hang_log_sync{false};
  /// How many calls the fault has caught: the proof that it took effect.
  std::atomic<std::uint64_t> hung_log_syncs{0};
};

}  // namespace storage
