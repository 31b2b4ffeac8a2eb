// Metrics in Prometheus' text form, written by hand: names and units by shared reference
// ecosystem.md. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace server {

/// Durations in buckets that double from 0.1 ms. Recorded by any thread without locks.
class DurationHistogram {
 public:
  static constexpr std::size_t kBuckets = 16;  // the last one ends at 3.3 s; above it is +Inf

  void record_us(std::uint64_t duration_us);
  struct Reading {
    std::array<std::uint64_t, kBuckets> counts{};  // not cumulative
    std::uint64_t count = 0;
    std::uint64_t sum_us = 0;
  };
  Reading read() const;
  /// The median of what was recorded between two readings, to within a bucket; nothing if there was
  /// nothing.
  static std::optional<std::uint64_t> median_us(const Reading& before, const Reading& after);
  /// The upper bound of a bucket in microseconds.
  static constexpr std::uint64_t bound_us(std::size_t bucket) {
    return std::uint64_t{100} << bucket;
  }

 private:
  std::array<std::atomic<std::uint64_t>, kBuckets + 1> counts_{};
  std::atomic<std::uint64_t> sum_us_{0};
};

/// Collects families into a text of exposition format 0.0.4.
/// Invariant: each family has its HELP and TYPE once, before its samples.
class MetricsText {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string>>;

  void gauge(std::string_view name, std::string_view help, double value);
  void counter(std::string_view name, std::string_view help, double value);
  void histogram(std::string_view name, std::string_view help,
                 const DurationHistogram::Reading& reading);
  /// Starts a family whose samples follow through sample(). `type`: counter or gauge.
  void family(std::string_view name, std::string_view help, std::string_view type);
  void sample(std::string_view name, const Labels& labels, double value);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace server
