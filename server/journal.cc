#include "server/journal.h"

#include <utility>

namespace server {

void Journal::add(JournalEvent event) {
  std::lock_guard lock(mutex_);
  const std::uint64_t now_ms = event.wall_ms;
  events_.push_back(std::move(event));
  while (events_.size() > kMost || events_.front().wall_ms + kKeptMs < now_ms) events_.pop_front();
}

std::vector<JournalEvent> Journal::read() const {
  std::lock_guard lock(mutex_);
  return {events_.begin(), events_.end()};
}

}  // namespace server
