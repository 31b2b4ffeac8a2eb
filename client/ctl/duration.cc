#include "client/ctl/duration.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace client::ctl {
namespace {

constexpr double kDayMs = 24.0 * 3600 * 1000;
constexpr double kYearMs = 366 * kDayMs;

/// Milliseconds; 0: this is none, or it is not within 1 and `most_ms`.
double duration_ms(const std::string& text, double most_ms) {
  if (text.empty() || text.find_first_not_of("0123456789.mshd") != std::string::npos) return 0;
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (end == text.c_str()) return 0;
  const std::string unit(end);
  double factor = 0;
  if (unit.empty() || unit == "ms") factor = 1;
  if (unit == "s") factor = 1000;
  if (unit == "m") factor = 60'000;
  if (unit == "h") factor = 3'600'000;
  if (unit == "d") factor = kDayMs;
  const double ms = number * factor;
  return std::isfinite(ms) && ms >= 1 && ms <= most_ms ? ms : 0;
}

base::Status refuse(const std::string& text, const char* what) {
  return {base::Code::kInvalidArgument, "\"" + text + "\" is not " + what};
}

/// "2026-11-30T05:00:00" and perhaps ".123", then "Z"; -1: it is none.
std::int64_t date_ms(const std::string& text) {
  std::tm date{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &date);
  if (rest == nullptr) return -1;
  const std::int64_t seconds = ::timegm(&date);
  double fraction = 0;
  if (*rest == '.') {
    char* end = nullptr;
    fraction = std::strtod(rest, &end);
    rest = end;
  }
  if (std::string(rest) != "Z" || seconds < 0 || !(fraction >= 0 && fraction < 1)) return -1;
  return seconds * 1000 + std::llround(std::floor(fraction * 1000));
}

}  // namespace

base::Result<std::uint32_t> parse_duration_ms(const std::string& text) {
  const double ms = duration_ms(text, kDayMs);
  if (ms == 0) return refuse(text, "a duration such as 500ms, 5s or 2m (at most 24 h)");
  return static_cast<std::uint32_t>(ms);
}

base::Result<std::uint64_t> parse_age_ms(const std::string& text) {
  if (text == "0") return std::uint64_t{0};
  const double ms = duration_ms(text, 100 * kYearMs);
  if (ms == 0) return refuse(text, "an age such as 30s, 2h or 7d, or 0");
  return static_cast<std::uint64_t>(ms);
}

base::Result<std::uint64_t> parse_moment_ms(const std::string& text, std::uint64_t now_ms) {
  if (text.starts_with("-")) {
    const double ago_ms = duration_ms(text.substr(1), 100 * kYearMs);
    const auto ago = static_cast<std::uint64_t>(ago_ms);
    if (ago > 0 && ago < now_ms) return now_ms - ago;
  } else if (text.find('T') != std::string::npos) {
    const std::int64_t ms = date_ms(text);
    if (ms > 0) return static_cast<std::uint64_t>(ms);
  } else if (!text.empty() && text.size() < 15 &&
             text.find_first_not_of("0123456789") == std::string::npos) {
    return std::strtoull(text.c_str(), nullptr, 10);
  }
  return refuse(text, "a time such as 2026-11-30T05:00:00Z, -5m or milliseconds since 1970");
}

std::string format_moment(std::uint64_t ms) {
  const auto seconds = static_cast<std::time_t>(ms / 1000);
  std::tm date{};
  char day[32];
  if (::gmtime_r(&seconds, &date) == nullptr ||
      std::strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &date) == 0)
    return std::to_string(ms);
  char text[48];
  std::snprintf(text, sizeof text, "%s.%03uZ", day, static_cast<unsigned>(ms % 1000));
  return text;
}

}  // namespace client::ctl
