#include "storage/faults.h"

#include <cerrno>

namespace storage {

int before_sync(VolumeFaults* faults) {
  if (faults == nullptr) return 0;
  faults->hang_sync.hold();
  faults->slow_sync.delay();
  if (!faults->fail_sync.on()) return 0;
  faults->fail_sync.hit();
  return EIO;
}

int before_write(VolumeFaults* faults) {
  if (faults == nullptr || !faults->fail_write.on()) return 0;
  faults->fail_write.hit();
  return EIO;
}

}  // namespace storage
