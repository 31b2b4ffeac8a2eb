// One injected fault: off, or on with a strength until a time. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace base {

/// Read at each call that the fault may catch, so that it costs one relaxed load while it is off.
/// Invariant: hits never fall; what is on ends by itself at its time.
class FaultSwitch {
 public:
  /// For set(): until it is cleared.
  static constexpr std::uint64_t kForever = ~std::uint64_t{0};

  /// On from now on, for `for_ms`, with a strength whose meaning is the fault's (milliseconds, a
  /// share, a size).
  void set(std::uint64_t strength, std::uint64_t for_ms);
  void clear() { until_ms_.store(0, std::memory_order_relaxed); }

  bool on() const {
    const std::uint64_t until_ms = until_ms_.load(std::memory_order_relaxed);
    return until_ms != 0 && (until_ms == kForever || still_on(until_ms));
  }
  /// Meaningful while it is on.
  std::uint64_t strength() const { return strength_.load(std::memory_order_relaxed); }
  /// 0: it is off; kForever: until it is cleared.
  std::uint64_t left_ms() const;

  /// While it is on, the caller's thread stands still; counts it once. Polled every 2 ms, since a
  /// thread that waited on a condition would need someone to wake it on the way out.
  void hold();
  /// While it is on, for `strength` milliseconds at most; counts it once. Likewise.
  void delay();

  /// It took effect on one more call: the proof that it is injected.
  void hit() { hits_.fetch_add(1, std::memory_order_relaxed); }
  std::uint64_t hits() const { return hits_.load(std::memory_order_relaxed); }

 private:
  static bool still_on(std::uint64_t until_ms);

  std::atomic<std::uint64_t> until_ms_{0};  // on the steady clock; 0: off
  std::atomic<std::uint64_t> strength_{0};
  std::atomic<std::uint64_t> hits_{0};
};

}  // namespace base
