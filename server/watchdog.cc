#include "server/watchdog.h"

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <utility>

#include "server/clock.h"

namespace server {

void end_process(const std::string& text) {
  const std::string line = "holdfastd: " + text + "\n";
  pollfd waiting{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&waiting, 1, 50) > 0) {
    [[maybe_unused]] const auto wrote = ::write(STDERR_FILENO, line.data(), line.size());
  }
  ::_exit(1);
}

Watchdog::Watchdog(WatchdogOptions options, const Stamps& stamps)
    : options_(std::move(options)), stamps_(stamps) {
  CHECK(options_.end != nullptr);
}

void Watchdog::fatal(const base::Status& status) {
  CHECK(!status.is_ok());
  std::lock_guard lock(mutex_);
  if (!reason_.is_ok()) return;
  reason_ = status;
  end_at_ms_.store(boot_ms() + options_.grace_ms, std::memory_order_release);
}

base::Status Watchdog::reason() const {
  std::lock_guard lock(mutex_);
  return reason_;
}

std::string Watchdog::verdict(std::uint64_t now_ms) const {
  const std::uint64_t end_at = end_at_ms_.load(std::memory_order_acquire);
  if (end_at != 0 && now_ms >= end_at) {
    return "this node ends: " + reason().to_string();
  }
  for (const auto& [name, stamp] :
       {std::pair{"loop", &stamps_.loop}, std::pair{"door", &stamps_.door}}) {
    const std::uint64_t at = stamp->at_ms.load(std::memory_order_relaxed);
    if (at != 0 && now_ms > at + options_.stuck_ms) {
      return std::string("the ") + name + " thread has not turned for " +
             std::to_string(now_ms - at) + " ms";
    }
  }
  return "";
}

void Watchdog::run() {
  std::uint64_t last_ms = boot_ms();
  while (!stopped_.load(std::memory_order_relaxed)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(options_.check_ms));
    const std::uint64_t now = boot_ms();
    // If this thread did not run either (SIGSTOP, a sleeping machine), the stamps say nothing yet.
    const bool slept = now - last_ms > options_.stuck_ms / 2;
    last_ms = now;
    if (slept) {
      std::this_thread::sleep_for(std::chrono::seconds(1));
      continue;
    }
    if (const std::string text = verdict(now); !text.empty()) return options_.end(text);
  }
}

}  // namespace server
