#include "tests/sim/journal.h"

#include <cstdio>

namespace sim {

std::string show_time(Time time) {
  char text[40];
  std::snprintf(text, sizeof text, "%llu.%06llu ", static_cast<unsigned long long>(time / kSecond),
                static_cast<unsigned long long>(time % kSecond));
  return text;
}

void Journal::mix(std::initializer_list<std::uint64_t> numbers) {
  // An order-dependent mix of whole numbers, the same on every platform.
  const auto add = [this](std::uint64_t number) {
    hash_ ^= number + 0x9e3779b97f4a7c15u + (hash_ << 6) + (hash_ >> 2);
    hash_ *= 0xff51afd7ed558ccdu;
    hash_ ^= hash_ >> 33;
  };
  add(queue_.now());
  for (const std::uint64_t number : numbers) add(number);
}

void Journal::line(const std::string& text) {
  if (!wants_lines()) return;
  std::string full = show_time(queue_.now()) + text;
  if (sink_) sink_(full);
  if (kept_lines_ == 0) return;
  kept_.push_back(std::move(full));
  if (kept_.size() > kept_lines_) kept_.pop_front();
}

void Journal::count(std::string_view what, std::uint64_t times) {
  const auto at = counts_.find(what);
  if (at != counts_.end()) {
    at->second += times;
  } else {
    counts_.emplace(what, times);
  }
}

void Journal::violation(const std::string& text) {
  if (violation_) return;
  violation_ = show_time(queue_.now()) + text;
  line("VIOLATION " + text);
}

}  // namespace sim
