#include "base/fault_switch.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace base {
namespace {

std::uint64_t now_ms() {
  using std::chrono::milliseconds;
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<milliseconds>(now).count());
}

constexpr std::chrono::milliseconds kPollPeriod(2);

}  // namespace

void FaultSwitch::hold() {
  if (!on()) return;
  hit();
  while (on()) std::this_thread::sleep_for(kPollPeriod);
}

void FaultSwitch::delay() {
  if (!on()) return;
  hit();
  using std::chrono::steady_clock;
  const auto end = steady_clock::now() + std::chrono::milliseconds(strength());
  while (on() && steady_clock::now() < end) {
    std::this_thread::sleep_for(
        std::min<steady_clock::duration>(kPollPeriod, end - steady_clock::now()));
  }
}

void FaultSwitch::set(std::uint64_t strength, std::uint64_t for_ms) {
  strength_.store(strength, std::memory_order_relaxed);
  until_ms_.store(for_ms == kForever ? kForever : now_ms() + for_ms, std::memory_order_relaxed);
}

bool FaultSwitch::still_on(std::uint64_t until_ms) {
  return now_ms() < until_ms;
}

std::uint64_t FaultSwitch::left_ms() const {
  const std::uint64_t until_ms = until_ms_.load(std::memory_order_relaxed);
  if (until_ms == 0 || until_ms == kForever) return until_ms;
  const std::uint64_t now = now_ms();
  return until_ms > now ? until_ms - now : 0;
}

}  // namespace base
