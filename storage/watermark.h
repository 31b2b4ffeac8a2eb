// The watermark: a file of two alternating slots, each with a checksum, that states what is durable
// in the log and repeats the hard state (DESIGN section 5.3). It is written after each sync of the
// log and synced by itself only now and then: a process that is killed leaves it exact.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "storage/faults.h"
#include "storage/files.h"
#include "storage/log_guard.h"

namespace storage {

/// Invariant: states only what was durable before it was stated.
class Watermark {
 public:
  /// The newest slot that is readable; nullopt: the file or both slots are not. Errors: kIo.
  static base::Result<std::optional<Slot>> read(const std::string& path);
  /// Opens or creates the file and writes this state into both slots, synced. `faults` may be null.
  /// Errors: kIo, kDiskFull.
  static base::Result<std::unique_ptr<Watermark>> open(const std::string& path, const Slot& state,
                                                       VolumeFaults* faults);

  /// One thread at a time. Not synced. Errors: kIo, kDiskFull.
  base::Status write(const Claim& claim, const raft::HardState& hard_state);
  /// Any thread. What was written before is durable. Errors: kIo.
  base::Status sync();

 private:
  Watermark(std::string path, File file, VolumeFaults* faults);

  const std::string path_;
  const File file_;
  VolumeFaults* const faults_;
  std::uint64_t sequence_ = 0;  // of the newest slot
};

}  // namespace storage
