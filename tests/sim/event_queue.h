// Virtual time and what happens in it. Simulator thread.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace sim {

/// Microseconds since the start of the run.
using Time = std::uint64_t;
constexpr Time kMillisecond = 1000;
constexpr Time kSecond = 1'000'000;

/// Events in the order of (time, sequence of scheduling). Invariants (CHECKed):
/// - time never goes back;
/// - events of one time happen in the order in which they were scheduled.
class EventQueue {
 public:
  using Event = std::function<void()>;

  Time now() const { return now_; }
  std::uint64_t executed() const { return executed_; }
  bool empty() const { return heap_.empty(); }
  /// When the next event happens. Requires: not empty.
  Time next_at() const { return heap_.front().at; }

  /// Requires: at >= now().
  void at(Time at, Event event);
  void after(Time delay, Event event) { at(now_ + delay, std::move(event)); }
  /// Moves time on to the next event and runs it. Requires: not empty.
  void run_next();

 private:
  struct Scheduled {
    Time at;
    std::uint64_t sequence;
    Event event;
  };
  static bool later(const Scheduled& a, const Scheduled& b);

  std::vector<Scheduled> heap_;
  Time now_ = 0;
  std::uint64_t next_sequence_ = 0;
  std::uint64_t executed_ = 0;
};

}  // namespace sim
