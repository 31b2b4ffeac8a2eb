#include "net/link_faults.h"

#include <algorithm>

namespace net {

void LinkFaults::set(LinkFault fault, base::MemberId peer, Direction direction,
                     std::uint64_t strength, std::uint64_t for_ms) {
  std::lock_guard lock(mutex_);
  auto& one = switches_[{fault, peer, direction}];
  if (one == nullptr) one = std::make_unique<base::FaultSwitch>();
  one->set(strength, for_ms);
  any_.store(true, std::memory_order_relaxed);
}

void LinkFaults::clear(std::optional<LinkFault> fault) {
  std::lock_guard lock(mutex_);
  for (auto& [key, one] : switches_) {
    if (!fault || std::get<LinkFault>(key) == *fault) one->clear();
  }
}

bool LinkFaults::look() const {
  std::lock_guard lock(mutex_);
  const bool any = std::any_of(switches_.begin(), switches_.end(),
                               [](const auto& each) { return each.second->on(); });
  any_.store(any, std::memory_order_relaxed);
  return any;
}

Impairment LinkFaults::on(base::MemberId peer, Direction direction) const {
  Impairment all;
  std::lock_guard lock(mutex_);
  for (const auto& [key, one] : switches_) {
    const auto& [fault, its_peer, its_direction] = key;
    if (its_peer != peer || its_direction != direction || !one->on()) continue;
    switch (fault) {
      case LinkFault::kCut:
        all.cut = true;
        break;
      case LinkFault::kReset:
        all.reset = true;
        break;
      case LinkFault::kDelay:
        all.delay_ms = one->strength();
        break;
      case LinkFault::kLoss:
        all.loss_percent = one->strength();
        break;
      case LinkFault::kRate:
        all.rate_bytes_s = one->strength();
        break;
      case LinkFault::kLargeLost:
        all.large_lost = true;
        break;
      case LinkFault::kCorrupt:
        all.corrupt = true;
        break;
    }
  }
  return all;
}

void LinkFaults::hit(LinkFault fault, base::MemberId peer, Direction direction) {
  std::lock_guard lock(mutex_);
  const auto at = switches_.find({fault, peer, direction});
  if (at != switches_.end()) at->second->hit();
}

std::vector<LinkFaults::State> LinkFaults::list() const {
  std::vector<State> states;
  std::lock_guard lock(mutex_);
  for (const auto& [key, one] : switches_) {
    const auto& [fault, peer, direction] = key;
    if (!one->on() && one->hits() == 0) continue;
    states.push_back({fault, peer, direction, one->strength(), one->left_ms(), one->hits()});
  }
  return states;
}

}  // namespace net
