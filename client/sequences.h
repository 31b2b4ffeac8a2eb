// The sequence numbers of one session's writes (DESIGN section 5.10). Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>

#include "base/check.h"

namespace client {

/// Invariants:
/// - every number is given once, from 1 upwards;
/// - no number given is `window` or more above the lowest one that is not finished, so that the
///   server still keeps the outcome of each that may be asked again;
/// - at most kUnresolved are kept unfinished for somebody who may yet ask what became of them, and
///   none where the window would be full otherwise.
class Sequences {
 public:
  static constexpr std::size_t kUnresolved = 64;

  explicit Sequences(std::uint64_t window) : window_(window) { CHECK(window > 0); }

  /// The next number, or nothing while the window is full.
  std::optional<std::uint64_t> next() {
    while (next_ - acknowledged_below() >= window_ && !unresolved_.empty()) forget_oldest();
    if (next_ - acknowledged_below() >= window_) return std::nullopt;
    open_.insert(open_.end(), next_);
    return next_++;
  }
  /// The outcome of `sequence` was handed to the caller, or given up. Requires: given, not
  /// finished.
  void finished(std::uint64_t sequence) {
    CHECK(open_.erase(sequence) == 1, "a sequence is finished once");
  }
  /// The caller was told that the outcome of `sequence` is unknown. Requires: as finished().
  void unresolved(std::uint64_t sequence) {
    CHECK(open_.contains(sequence), "only what was given is unresolved");
    unresolved_.push_back(sequence);
    if (unresolved_.size() > kUnresolved) forget_oldest();
  }
  /// Every number below it is finished: the server may forget those outcomes.
  std::uint64_t acknowledged_below() const { return open_.empty() ? next_ : *open_.begin(); }

 private:
  void forget_oldest() {
    const std::uint64_t oldest = unresolved_.front();
    unresolved_.pop_front();
    finished(oldest);
  }

  const std::uint64_t window_;
  std::uint64_t next_ = 1;
  std::set<std::uint64_t> open_;          // given and not finished
  std::deque<std::uint64_t> unresolved_;  // of these; the oldest first
};

}  // namespace client
