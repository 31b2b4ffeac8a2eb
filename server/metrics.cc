#include "server/metrics.h"

#include <cmath>
#include <cstdio>

namespace server {
namespace {

void append_number(std::string& out, double value) {
  char text[40];
  if (value == std::floor(value) && std::fabs(value) < 9e15) {
    std::snprintf(text, sizeof text, "%.0f", value);
  } else {
    std::snprintf(text, sizeof text, "%.9g", value);
  }
  out += text;
}

/// In label values backslash, quote and line end are escaped; in HELP only the first and the last.
void append_escaped(std::string& out, std::string_view text, bool label) {
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && label) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

}  // namespace

void DurationHistogram::record_us(std::uint64_t duration_us) {
  std::size_t bucket = 0;
  while (bucket < kBuckets && duration_us > bound_us(bucket)) ++bucket;
  counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  sum_us_.fetch_add(duration_us, std::memory_order_relaxed);
}

std::optional<std::uint64_t> DurationHistogram::median_us(const Reading& before,
                                                          const Reading& after) {
  const std::uint64_t count = after.count - before.count;
  if (count == 0) return std::nullopt;
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const std::uint64_t here = after.counts[i] - before.counts[i];
    if (2 * (below + here) < count) {
      below += here;
      continue;
    }
    // Evenly spread within its bucket.
    const std::uint64_t low = i == 0 ? 0 : bound_us(i - 1);
    return low + (bound_us(i) - low) * (count - 2 * below) / (2 * here);
  }
  return bound_us(kBuckets - 1);
}

DurationHistogram::Reading DurationHistogram::read() const {
  Reading reading;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    reading.counts[i] = counts_[i].load(std::memory_order_relaxed);
    reading.count += reading.counts[i];
  }
  reading.count += counts_[kBuckets].load(std::memory_order_relaxed);
  reading.sum_us = sum_us_.load(std::memory_order_relaxed);
  return reading;
}

void MetricsText::family(std::string_view name, std::string_view help, std::string_view type) {
  text_ += "# HELP ";
  text_ += name;
  text_ += ' ';
  append_escaped(text_, help, false);
  text_ += "\n# TYPE ";
  text_ += name;
  text_ += ' ';
  text_ += type;
  text_ += '\n';
}

void MetricsText::sample(std::string_view name, const Labels& labels, double value) {
  text_ += name;
  if (!labels.empty()) {
    char before = '{';
    for (const auto& [label, label_value] : labels) {
      text_ += before;
      before = ',';
      text_ += label;
      text_ += "=\"";
      append_escaped(text_, label_value, true);
      text_ += '"';
    }
    text_ += '}';
  }
  text_ += ' ';
  append_number(text_, value);
  text_ += '\n';
}

void MetricsText::gauge(std::string_view name, std::string_view help, double value) {
  family(name, help, "gauge");
  sample(name, {}, value);
}

void MetricsText::counter(std::string_view name, std::string_view help, double value) {
  family(name, help, "counter");
  sample(name, {}, value);
}

void MetricsText::histogram(std::string_view name, std::string_view help,
                            const DurationHistogram::Reading& reading) {
  family(name, help, "histogram");
  const std::string bucket = std::string(name) + "_bucket";
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < DurationHistogram::kBuckets; ++i) {
    below += reading.counts[i];
    char bound[32];
    std::snprintf(bound, sizeof bound, "%g",
                  static_cast<double>(DurationHistogram::bound_us(i)) / 1e6);
    sample(bucket, {{"le", bound}}, static_cast<double>(below));
  }
  sample(bucket, {{"le", "+Inf"}}, static_cast<double>(reading.count));
  sample(std::string(name) + "_sum", {}, static_cast<double>(reading.sum_us) / 1e6);
  sample(std::string(name) + "_count", {}, static_cast<double>(reading.count));
}

}  // namespace server
