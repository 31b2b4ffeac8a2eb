#include "server/journal.h"

#include <algorithm>
#include <utility>

namespace server {

void Journal::add(JournalEvent event) {
  std::lock_guard lock(mutex_);
  const std::uint64_t now_ms = event.wall_ms;
  events_.push_back(std::move(event));
  while (events_.front().wall_ms + kKeptMs < now_ms) events_.pop_front();
  if (events_.size() <= kMost) return;
  // Links that come and go make verdicts by the hundred, which must not hide who led.
  const auto verdict = std::find_if(events_.begin(), events_.end(), [](const auto& each) {
    return each.what.starts_with("verdict");
  });
  events_.erase(verdict == events_.end() ? events_.begin() : verdict);
}

std::vector<JournalEvent> Journal::read() const {
  std::lock_guard lock(mutex_);
  return {events_.begin(), events_.end()};
}

}  // namespace server
