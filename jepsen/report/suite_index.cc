#include "jepsen/report/suite_index.h"

#include <algorithm>

#include "jepsen/report/page.h"

namespace jepsen {

base::Status write_suite_index(const std::string& folder, const std::string& title,
                               const std::vector<CellResult>& results) {
  std::vector<std::vector<std::string>> rows = {
      {"run", "verdict", "calls", "unknown", "faults", "longest time without a write", "took s"}};
  CellResult sum;
  std::size_t valid = 0;
  for (const CellResult& result : results) {
    std::string verdict = badge(result.verdict);
    if (result.verdict != "valid") verdict += "<br>" + escaped(result.why);
    rows.push_back(
        {"<a href=\"" + escaped(result.name) + "/index.html\">" + escaped(result.name) + "</a>",
         verdict, std::to_string(result.operations), std::to_string(result.unknown),
         std::to_string(result.faults),
         result.bounded == 0 ? "–" : std::to_string(result.longest_ms) + " ms",
         short_number(static_cast<double>(result.took_ms) / 1000)});
    valid += result.verdict == "valid" ? 1 : 0;
    sum.operations += result.operations;
    sum.unknown += result.unknown;
    sum.faults += result.faults;
    sum.longest_ms = std::max(sum.longest_ms, result.longest_ms);
  }
  const std::string body =
      "<h1>" + escaped(title) + ": " + badge(valid == results.size() ? "valid" : "invalid") +
      "</h1>\n<p>" + std::to_string(valid) + " of " + std::to_string(results.size()) +
      " runs valid; " + std::to_string(sum.operations) + " calls, of which " +
      std::to_string(sum.unknown) + " had an unknown end at first; " + std::to_string(sum.faults) +
      " faults, each seen at its victim where the run is valid. The time without a write is that "
      "of faults that leave a majority: at most " +
      std::to_string(sum.longest_ms) + " ms.</p>\n" + html_table(rows);
  return write_page(folder + "/index.html", page(title, body));
}

}  // namespace jepsen
