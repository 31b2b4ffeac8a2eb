#include "tests/sim/event_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace sim {

bool EventQueue::later(const Scheduled& a, const Scheduled& b) {
  return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
}

void EventQueue::at(Time at, Event event) {
  CHECK(at >= now_, "nothing happens in the past");
  heap_.push_back({at, next_sequence_++, std::move(event)});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

void EventQueue::run_next() {
  CHECK(!heap_.empty());
  std::pop_heap(heap_.begin(), heap_.end(), later);
  Scheduled next = std::move(heap_.back());
  heap_.pop_back();
  CHECK(next.at >= now_, "time never goes back");
  now_ = next.at;
  ++executed_;
  next.event();
}

}  // namespace sim
