#include "server/space_probe.h"

#include <sys/statvfs.h>

#include <algorithm>

namespace server {
namespace {

std::string megabytes(std::uint64_t bytes) {
  return std::to_string(bytes >> 20) + " MiB";
}

}  // namespace

void SpaceProbe::measure() {
  struct statvfs volume {};
  if (::statvfs(path_.c_str(), &volume) != 0) return;
  const std::uint64_t total_bytes = volume.f_blocks * volume.f_frsize;
  std::uint64_t free = volume.f_bavail * volume.f_frsize;
  if (faults_.fill_disk.on()) {
    faults_.fill_disk.hit();
    free = std::min(free, faults_.fill_disk.strength());
  }
  reserve_bytes_.store(std::min(total_bytes / 20, kReserveBytesMost), std::memory_order_relaxed);
  free_bytes_.store(free, std::memory_order_relaxed);
}

std::string SpaceProbe::reason() const {
  return "the disk is nearly full: " + megabytes(free_bytes()) + " are free, " +
         megabytes(reserve_bytes()) + " are kept for deletes";
}

}  // namespace server
