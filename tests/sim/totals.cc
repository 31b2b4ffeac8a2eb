#include "tests/sim/totals.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "tests/sim/journal.h"

namespace sim {
namespace {

using base::Code;
using base::Status;

std::string render(const Totals& totals, const std::string& what) {
  std::ostringstream text;
  text << what << "\nfloor " << totals.floor << "\ntime " << totals.simulated_us << " "
       << totals.cpu_us << "\n";
  for (const std::uint64_t seed : totals.above) text << "above " << seed << "\n";
  for (const std::uint64_t seed : totals.failed) text << "failed " << seed << "\n";
  for (const auto& [name, times] : totals.counts) {
    text << "count " << times << " " << totals.seeds_with.at(name) << " " << name << "\n";
  }
  text << "end\n";
  return text.str();
}

/// Returns whether the line was understood.
bool parse_line(const std::string& line, Totals& totals) {
  std::istringstream words(line);
  std::string kind;
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  if (!(words >> kind >> a)) return false;
  if (kind == "floor") {
    totals.floor = a;
  } else if (kind == "above") {
    totals.above.insert(a);
  } else if (kind == "failed") {
    totals.failed.insert(a);
  } else if (kind == "time" && words >> b) {
    totals.simulated_us = a;
    totals.cpu_us = b;
  } else if (kind == "count" && words >> b) {
    std::string name;
    std::getline(words >> std::ws, name);
    totals.counts[name] = a;
    totals.seeds_with[name] = b;
  } else {
    return false;
  }
  return true;
}

Status failed(const std::string& path, const std::string& verb) {
  return {Code::kIo, "cannot " + verb + " " + path + ": " + std::strerror(errno)};
}

}  // namespace

void Totals::add(std::uint64_t seed, const Journal& journal, std::uint64_t simulated,
                 std::uint64_t cpu) {
  for (const auto& [what, times] : journal.counts()) {
    counts[what] += times;
    ++seeds_with[what];
  }
  if (journal.violation()) failed.insert(seed);
  simulated_us += simulated;
  cpu_us += cpu;
  above.insert(seed);
  while (above.erase(floor) > 0) ++floor;
}

Status save(const Totals& totals, const std::string& what, const std::string& path) {
  const std::string partial = path + ".partial";
  std::ofstream file(partial, std::ios::trunc);
  file << render(totals, what);
  file.close();
  if (!file) return failed(partial, "write");
  if (std::rename(partial.c_str(), path.c_str()) != 0) return failed(path, "replace");
  return Status::ok();
}

base::Result<std::optional<Totals>> load(const std::string& what, const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::optional<Totals>();
  std::string line;
  std::getline(file, line);
  if (line != what) {
    return Status{Code::kInvalidArgument, path + " is of '" + line + "', not of '" + what + "'"};
  }
  Totals totals;
  while (std::getline(file, line) && line != "end") {
    if (!parse_line(line, totals)) {
      return Status{Code::kInvalidArgument, path + " is damaged at '" + line + "'"};
    }
  }
  if (line != "end") return Status{Code::kInvalidArgument, path + " is cut short"};
  return std::optional(std::move(totals));
}

}  // namespace sim
