// Faults that are injected into real storage calls, under RocksDB and under the watermark's file,
// by whoever allowed them. Any thread.
#pragma once

#include "base/fault_switch.h"

namespace storage {

/// What may go wrong on one volume. All off unless the server was started with --allow-faults.
struct VolumeFaults {
  base::FaultSwitch hang_sync;   // syncs do not return until it ends
  base::FaultSwitch slow_sync;   // each sync takes so many milliseconds longer
  base::FaultSwitch fail_sync;   // syncs fail with EIO, and nothing is synced
  base::FaultSwitch fail_write;  // writes fail with EIO, and nothing is written
  /// What is written reaches the file only with its next sync: the end of the process loses the
  /// rest, as a power cut does.
  base::FaultSwitch lose_unsynced;
  /// The same, and the next sync ends the process, by SIGKILL, with half of it in the file.
  base::FaultSwitch tear_sync;

  bool holds_writes() const { return lose_unsynced.on() || tear_sync.on(); }
};

/// The log and the state, each as if on a volume of its own.
struct StorageFaults {
  VolumeFaults log;
  VolumeFaults state;
};

/// Before a sync of that volume: waits as the faults say; counts what they caught. Returns 0, or
/// the errno with which the sync fails. Never keeps a process from ending by _exit. `faults` may be
/// null.
int before_sync(VolumeFaults* faults);
/// Before a write: 0, or its errno. `faults` may be null.
int before_write(VolumeFaults* faults);

}  // namespace storage
