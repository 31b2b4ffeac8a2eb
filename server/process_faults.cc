#include "server/process_faults.h"

#include <algorithm>

namespace server {

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
