#include "storage/faults.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

namespace storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// How soon after the end of a fault a call that it holds goes on. Polled, since a thread that
/// waits on a condition would need someone to wake it on the way out.
constexpr milliseconds kPollPeriod(2);

}  // namespace

int before_sync(VolumeFaults* faults) {
  if (faults == nullptr) return 0;
  if (faults->hang_sync.on()) {
    faults->hang_sync.hit();
    while (faults->hang_sync.on()) std::this_thread::sleep_for(kPollPeriod);
  }
  if (faults->slow_sync.on()) {
    faults->slow_sync.hit();
    const auto end = steady_clock::now() + milliseconds(faults->slow_sync.strength());
    while (faults->slow_sync.on() && steady_clock::now() < end) {
      std::this_thread::sleep_for(
          std::min<steady_clock::duration>(kPollPeriod, end - steady_clock::now()));
    }
  }
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
