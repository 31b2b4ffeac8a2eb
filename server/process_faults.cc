#include "server/process_faults.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace server {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// As in storage/faults.cc: a thread that waited on a condition would need someone to wake it.
constexpr milliseconds kPollPeriod(2);

}  // namespace

void stand_still(base::FaultSwitch* fault) {
  if (fault == nullptr || !fault->on()) return;
  fault->hit();
  while (fault->on()) std::this_thread::sleep_for(kPollPeriod);
}

void take_longer(base::FaultSwitch* fault) {
  if (fault == nullptr || !fault->on()) return;
  fault->hit();
  const auto end = steady_clock::now() + milliseconds(fault->strength());
  while (fault->on() && steady_clock::now() < end) {
    std::this_thread::sleep_for(
        std::min<steady_clock::duration>(kPollPeriod, end - steady_clock::now()));
  }
}

std::uint64_t BentClock::read(std::uint64_t wall_ms, std::uint64_t boot_ms) {
  if (faults_ == nullptr) return wall_ms;
  std::uint64_t bent_ms = wall_ms;
  if (faults_->clock_fast.on()) {
    if (fast_since_ms_ == 0) fast_since_ms_ = boot_ms;
    bent_ms += (boot_ms - fast_since_ms_) * faults_->clock_fast.strength() / 100;
    faults_->clock_fast.hit();
  } else {
    fast_since_ms_ = 0;
  }
  if (faults_->clock_ahead.on()) {
    bent_ms += faults_->clock_ahead.strength();
    faults_->clock_ahead.hit();
  }
  if (faults_->clock_behind.on()) {
    bent_ms -= std::min(bent_ms, faults_->clock_behind.strength());
    faults_->clock_behind.hit();
  }
  return bent_ms;
}

}  // namespace server
