// The watchdog: ends the process when a loop stays stuck, or when somebody said that the node
// cannot go on. Reads stamps; does no I/O but the last line (DESIGN section 4).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "base/status.h"
#include "server/stamps.h"

namespace server {

struct WatchdogOptions {
  std::uint64_t stuck_ms = 30'000;  // a loop without a turn for so long
  std::uint64_t grace_ms = 300;     // from fatal() to the end, for last messages and log lines
  std::uint32_t check_ms = 20;
  /// Writes the text and ends the process. Tests put something else here; it may return.
  std::function<void(const std::string& text)> end;
};

/// The default of WatchdogOptions::end: write(2) to stderr without waiting for a reader, then
/// _exit(1), which waits for no thread.
void end_process(const std::string& text);

/// Invariant: `end` is called at most once.
class Watchdog {
 public:
  Watchdog(WatchdogOptions options, const Stamps& stamps);

  /// Any thread: the process ends after the grace. The first reason counts.
  void fatal(const base::Status& status);
  /// The first reason given to fatal(); ok if none was. Any thread.
  base::Status reason() const;
  /// The thread's life: until stop() or the end.
  void run();
  /// Any thread.
  void stop() { stopped_.store(true, std::memory_order_relaxed); }

 private:
  std::string verdict(std::uint64_t now_ms) const;

  const WatchdogOptions options_;
  const Stamps& stamps_;
  std::atomic<bool> stopped_{false};
  std::atomic<std::uint64_t> end_at_ms_{0};  // zero: nobody called fatal()
  mutable std::mutex mutex_;
  base::Status reason_;  // guarded by mutex_
};

}  // namespace server
