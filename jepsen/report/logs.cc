#include "jepsen/report/logs.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "client/ctl/duration.h"
#include "jepsen/report/page.h"

namespace jepsen {
namespace {

namespace fs = std::filesystem;

struct Line {
  double at_s = 0;
  std::string node, text;
};

/// A line begins with its time: 2026-11-30T17:17:05.647Z.
std::optional<std::uint64_t> moment_of(const std::string& line) {
  constexpr std::size_t kMoment = 24;
  if (line.size() < kMoment || line[kMoment - 1] != 'Z') return std::nullopt;
  // Without its milliseconds it is what people write.
  const auto moment = client::ctl::parse_moment_ms(line.substr(0, 19) + "Z", 0);
  std::uint64_t ms = 0;
  const auto [at, error] = std::from_chars(line.data() + 20, line.data() + 23, ms);
  if (!moment.is_ok() || error != std::errc() || at != line.data() + 23) return std::nullopt;
  return moment.value() + ms;
}

}  // namespace

std::string logs_of(const std::string& folder, const History& history) {
  constexpr std::size_t kLines = 800;
  const auto about = history.about.find("started_wall_ms");
  const double start_ms =
      about == history.about.end() ? 0 : std::strtod(about->second.c_str(), nullptr);
  std::vector<Line> lines;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder + "/logs", error)) {
    std::ifstream file(entry.path());
    double at_s = 0;
    for (std::string line; std::getline(file, line);) {
      // A line without a time goes with the one before.
      const auto moment = moment_of(line);
      if (moment) at_s = (static_cast<double>(*moment) - start_ms) / 1000;
      constexpr std::size_t kMoment = 25;
      lines.push_back({at_s, entry.path().stem().string(), moment ? line.substr(kMoment) : line});
    }
  }
  if (lines.empty()) return "";
  std::stable_sort(lines.begin(), lines.end(),
                   [](const Line& a, const Line& b) { return a.at_s < b.at_s; });
  std::string html =
      "<h2>What the members said</h2>\n<details><summary>" + std::to_string(lines.size()) +
      " lines" + (lines.size() > kLines ? ", the last " + std::to_string(kLines) + " here" : "") +
      "</summary><div class=wide><table class=logs>\n";
  for (std::size_t i = lines.size() - std::min(lines.size(), kLines); i < lines.size(); ++i) {
    const Line& line = lines[i];
    html += "<tr><td class=number>" + short_number(line.at_s) + "</td><td style=\"color: var(--" +
            line.node + ")\">" + line.node + "</td><td>" + escaped(line.text.substr(0, 240)) +
            "</td></tr>\n";
  }
  return html + "</table></div></details>\n";
}

}  // namespace jepsen
