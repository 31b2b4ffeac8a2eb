// What a run leaves behind: a hash over everything that happened, lines for people, counts of what
// was met, and the first violation. Simulator thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "tests/sim/event_queue.h"

namespace sim {

/// Invariant: lines are only made if somebody wants them, and never change what happens, so a run
/// with lines and one without have the same hash.
class Journal {
 public:
  using Sink = std::function<void(const std::string& line)>;

  explicit Journal(const EventQueue& queue) : queue_(queue) {}

  /// Lines go to `sink` from now on.
  void print_to(Sink sink) { sink_ = std::move(sink); }
  /// The newest `lines` are kept from now on.
  void keep(std::size_t lines) { kept_lines_ = lines; }
  bool wants_lines() const { return sink_ || kept_lines_ > 0; }

  /// Goes into the hash, with the time.
  void mix(std::initializer_list<std::uint64_t> numbers);
  /// Requires: wants_lines(), or the line is cheap to make.
  void line(const std::string& text);
  void count(std::string_view what, std::uint64_t times = 1);
  /// Only the first counts; the run ends after the event that found it.
  void violation(const std::string& text);

  std::uint64_t hash() const { return hash_; }
  const std::deque<std::string>& kept() const { return kept_; }
  const std::map<std::string, std::uint64_t, std::less<>>& counts() const { return counts_; }
  const std::optional<std::string>& violation() const { return violation_; }

 private:
  const EventQueue& queue_;
  Sink sink_;
  std::size_t kept_lines_ = 0;
  std::deque<std::string> kept_;
  std::uint64_t hash_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> counts_;
  std::optional<std::string> violation_;
};

/// "12.345678 " in seconds.
std::string show_time(Time time);

}  // namespace sim
