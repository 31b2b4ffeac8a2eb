#include "client/ctl/duration.h"

#include <cmath>
#include <cstdlib>

namespace client::ctl {

base::Result<std::uint32_t> parse_duration_ms(const std::string& text) {
  constexpr double kMostMs = 24.0 * 3600 * 1000;
  const auto refuse = [&] {
    return base::Status(
        base::Code::kInvalidArgument,
        "\"" + text + "\" is not a duration such as 500ms, 5s or 2m (at most 24 h)");
  };
  if (text.empty() || text.find_first_not_of("0123456789.msh") != std::string::npos)
    return refuse();
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (end == text.c_str()) return refuse();
  const std::string unit(end);
  double factor = 0;
  if (unit.empty() || unit == "ms") factor = 1;
  if (unit == "s") factor = 1000;
  if (unit == "m") factor = 60'000;
  if (unit == "h") factor = 3'600'000;
  const double ms = number * factor;
  if (factor == 0 || !std::isfinite(ms) || ms < 1 || ms > kMostMs) return refuse();
  return static_cast<std::uint32_t>(ms);
}

}  // namespace client::ctl
