// What threads show of themselves to the watchdog and to status, without locks. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace server {

/// When a loop last turned, or since when a worker has been at one piece of work; milliseconds on
/// the boot-time clock. Written by its owner alone. Zero: not started, or idle.
struct Stamp {
  std::atomic<std::uint64_t> at_ms{0};
};

/// One a thread of a node.
struct Stamps {
  Stamp loop;   // the last turn
  Stamp door;   // the last turn
  Stamp log;    // busy since
  Stamp apply;  // busy since
  Stamp disk;   // busy since
};

/// Marks a worker as busy while it lives.
class Busy {
 public:
  Busy(Stamp& stamp, std::uint64_t now_ms) : stamp_(stamp) {
    stamp_.at_ms.store(now_ms, std::memory_order_relaxed);
  }
  ~Busy() { stamp_.at_ms.store(0, std::memory_order_relaxed); }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  Stamp& stamp_;
};

}  // namespace server
