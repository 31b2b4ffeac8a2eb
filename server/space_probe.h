// How much room the volume of the data directory has, and whether that is below the reserve that is
// kept for what frees room (DESIGN section 6, rule 11). Measured by the disk thread, read by any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "server/process_faults.h"

namespace server {

/// The reserve is a twentieth of the volume, at most 256 MiB: below it only deletes, the ends of
/// sessions and reads are admitted.
/// Invariant: before the first measurement, and where the volume does not say, there is room.
class SpaceProbe {
 public:
  static constexpr std::uint64_t kReserveBytesMost = 256ull << 20;

  /// `faults` outlives it.
  SpaceProbe(std::string path, ProcessFaults& faults) : path_(std::move(path)), faults_(faults) {}

  /// Asks the file system. Disk thread.
  void measure();
  bool low() const { return free_bytes() < reserve_bytes(); }
  std::uint64_t free_bytes() const { return free_bytes_.load(std::memory_order_relaxed); }
  std::uint64_t reserve_bytes() const { return reserve_bytes_.load(std::memory_order_relaxed); }
  /// What to tell whoever is refused: how much room there is and how much there must be.
  std::string reason() const;

 private:
  const std::string path_;
  ProcessFaults& faults_;
  std::atomic<std::uint64_t> free_bytes_{UINT64_MAX};
  std::atomic<std::uint64_t> reserve_bytes_{0};
};

}  // namespace server
