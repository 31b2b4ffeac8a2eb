// Faults of the process itself that can be injected: threads that stand still, a log that nobody
// reads, a clock that lies, a disk without room. Any thread.
#pragma once

#include <cstdint>

#include "base/fault_switch.h"
#include "net/names.h"

namespace server {

/// All off unless the server was started with --allow-faults.
struct ProcessFaults {
  base::FaultSwitch stall_loop;    // the thread stands still until it ends
  base::FaultSwitch stall_log;     // likewise
  base::FaultSwitch stall_apply;   // likewise
  base::FaultSwitch slow_apply;    // each piece of work takes so many milliseconds longer
  base::FaultSwitch block_lines;   // as if nobody read the pipe of the log lines
  base::FaultSwitch clock_ahead;   // the wall clock, by so many milliseconds
  base::FaultSwitch clock_behind;  // likewise
  base::FaultSwitch clock_fast;    // it gains so many percent
  base::FaultSwitch fill_disk;     // so many bytes are free
  net::NameFaults names;
};

/// The wall clock as the faults bend it. One thread.
class BentClock {
 public:
  explicit BentClock(ProcessFaults* faults) : faults_(faults) {}
  /// Both in milliseconds: since 1970, and of the boot-time clock. `faults` null: wall_ms.
  std::uint64_t read(std::uint64_t wall_ms, std::uint64_t boot_ms);

 private:
  ProcessFaults* const faults_;
  std::uint64_t fast_since_ms_ = 0;  // 0: it does not gain
};

}  // namespace server
