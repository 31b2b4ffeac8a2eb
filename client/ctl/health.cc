#include "client/ctl/health.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>

#include "client/client.h"
#include "client/ctl/cluster_status.h"
#include "client/ctl/commands.h"
#include "client/ctl/print.h"
#include "client/ctl/why.h"

namespace client::ctl {
namespace {

using nlohmann::ordered_json;

constexpr std::uint32_t kMemberMs = 1000;
constexpr std::uint64_t kSilentMs = 600;

bool answered(const HealthAnswer& answer) {
  return answer.error.empty();
}

bool is_meant(const HealthAnswer& answer, const std::string& only) {
  if (only.empty()) return true;
  const std::string name = answered(answer) ? answer.document.value("member", "") : answer.error;
  return name == only || name == "n" + only || name.starts_with(only + ":") ||
         name.starts_with("n" + only + ":");
}

std::string age(std::uint64_t since_ms, std::uint64_t now_ms) {
  const std::uint64_t age_ms = now_ms > since_ms ? now_ms - since_ms : 0;
  return age_ms < 10'000 ? std::to_string(age_ms) + " ms" : std::to_string(age_ms / 1000) + " s";
}

/// The verdicts of all, each once, with who found it.
std::string verdict_lines(const std::vector<HealthAnswer>& answers) {
  struct Found {
    std::string line;
    std::vector<std::string> by;
  };
  std::map<std::string, Found> found;
  for (const HealthAnswer& answer : answers) {
    if (!answered(answer)) continue;
    for (const auto& each : answer.document["verdicts"]) {
      const std::string other = each.value("other", "");
      const std::string key = each.value("member", "") + (other.empty() ? "" : " and " + other) +
                              ": " + each.value("verdict", "");
      Found& one = found[key];
      if (one.by.empty()) {
        one.line = key + " for " +
                   age(each.value("since_ms", std::uint64_t{0}),
                       answer.document.value("wall_ms", std::uint64_t{0})) +
                   ": " + each.value("evidence", "");
      }
      one.by.push_back(answer.document.value("member", ""));
    }
  }
  std::string text;
  for (const auto& [key, one] : found) {
    text += "  " + one.line + " (found by ";
    for (std::size_t i = 0; i < one.by.size(); ++i) text += (i == 0 ? "" : ", ") + one.by[i];
    text += ")\n";
  }
  return text.empty() ? "" : "verdicts:\n" + text;
}

/// The newest account of each observer: its own, or what another was told.
std::map<std::string, ordered_json> newest_rows(const std::vector<HealthAnswer>& answers) {
  std::map<std::string, ordered_json> rows;
  for (const HealthAnswer& answer : answers) {
    if (!answered(answer)) continue;
    for (const auto& row : answer.document["rows"]) {
      ordered_json& known = rows[row.value("observer", "")];
      if (known.is_null() || row.value("age_ms", 0u) < known.value("age_ms", 0u)) {
        known = row;
      }
    }
  }
  return rows;
}

std::string cell(const ordered_json& row, const std::string& member) {
  if (row.value("observer", "") == member) return ".";
  for (const auto& link : row["links"]) {
    if (link.value("member", "") != member) continue;
    const auto silent_ms = link.value("silent_ms", std::uint64_t{0});
    if (silent_ms > kSilentMs) return "silent " + age(0, silent_ms);
    if (!link["round_trip_ms"].is_number()) return "heard";
    char text[32];
    std::snprintf(text, sizeof text, "%.1f ms", link["round_trip_ms"].get<double>());
    return text;
  }
  return "-";
}

int exit_code(const std::vector<HealthAnswer>& answers, const std::string& only) {
  const auto meant = [&](const HealthAnswer& answer) { return is_meant(answer, only); };
  if (std::none_of(answers.begin(), answers.end(), answered)) return kExitUnavailable;
  const bool well = std::all_of(answers.begin(), answers.end(), [&](const HealthAnswer& answer) {
    return !meant(answer) || (answered(answer) && answer.document.value("healthy", false) &&
                              answer.document["verdicts"].empty());
  });
  return well ? kExitOk : kExitFailure;
}

ordered_json documents_of(const std::vector<HealthAnswer>& answers, const std::string& only) {
  ordered_json json = ordered_json::array();
  for (const HealthAnswer& answer : answers) {
    if (!is_meant(answer, only)) continue;
    json.push_back(answered(answer)
                       ? answer.document
                       : ordered_json{{"endpoint", answer.endpoint}, {"error", answer.error}});
  }
  return json;
}

}  // namespace

namespace {

template <class Question>
std::vector<HealthAnswer> ask_each(const Global& global, Question question) {
  net::Loop loop;
  const std::uint32_t timeout_ms = std::min(kMemberMs, global.client.timeout_ms);
  const ClusterStatus cluster = combine(ask_members(loop, global.client.endpoints, timeout_ms));
  auto answers = std::make_shared<std::vector<HealthAnswer>>();
  for (const MemberRow& row : cluster.members) {
    answers->push_back({row.endpoint, row.reachable ? "no answer" : row.error, {}});
    if (!row.name.empty() && !row.reachable) answers->back().error = row.name + ": " + row.error;
  }
  auto promises = kj::heapArrayBuilder<kj::Promise<void>>(cluster.members.size());
  for (std::size_t i = 0; i < cluster.members.size(); ++i) {
    const MemberRow& row = cluster.members[i];
    if (!row.reachable) {
      promises.add(kj::READY_NOW);
      continue;
    }
    promises.add(question(loop, row.endpoint, timeout_ms)
                     .then([answers, i](base::Result<std::string>&& answer) {
                       HealthAnswer& one = (*answers)[i];
                       if (!answer.is_ok()) return void(one.error = answer.status().detail());
                       one.document = ordered_json::parse(answer.value(), nullptr, false);
                       one.error = one.document.is_object() ? "" : "its answer is no JSON";
                     }));
  }
  (void)loop.wait(kj::joinPromises(promises.finish()), timeout_ms + kMemberMs);
  return *answers;
}

}  // namespace

std::vector<HealthAnswer> ask_health(const Global& global) {
  return ask_each(global, health);
}

std::vector<HealthAnswer> ask_traces(const Global& global) {
  return ask_each(global, traces);
}

std::string simple_health(const std::vector<HealthAnswer>& answers, const std::string& only) {
  std::string text;
  for (const HealthAnswer& answer : answers) {
    if (!is_meant(answer, only)) continue;
    if (!answered(answer)) {
      text += "unreachable  " + answer.endpoint + ": " + answer.error + "\n";
      continue;
    }
    const ordered_json& document = answer.document;
    text += document.value("member", "?") + "  " + document.value("role", "?") + "  " +
            (document.value("healthy", false) ? "healthy" : "not healthy") + "  disk " +
            document.value("speed", "unknown") + "\n";
    for (const auto& check : document["checks"]) {
      const bool ok = check.value("ok", false);
      if (ok && only.empty()) continue;
      text += "  [" + std::string(ok ? "+" : "-") + "] " + check.value("name", "");
      text += ok ? "\n" : ": " + check.value("reason", "") + "\n";
    }
  }
  return text + verdict_lines(answers);
}

std::string simple_matrix(const std::vector<HealthAnswer>& answers) {
  const auto rows = newest_rows(answers);
  std::set<std::string> members;
  for (const auto& [observer, row] : rows) {
    members.insert(observer);
    for (const auto& link : row["links"]) members.insert(link.value("member", ""));
  }
  std::vector<std::vector<std::string>> cells = {{"HEARS"}};
  for (const std::string& member : members) cells[0].push_back(member);
  for (const char* column : {"DISK", "SYNC", "CLOCK", "SEEN"}) cells[0].push_back(column);
  for (const auto& [observer, row] : rows) {
    std::vector<std::string> line = {observer};
    for (const std::string& member : members) line.push_back(cell(row, member));
    const bool stalled = row.value("stalled", false);
    const std::string clock = row.value("clock", "-");
    line.push_back(stalled                       ? "stalled"
                   : row.value("starved", false) ? "starved"
                                                 : row.value("speed", "-"));
    char sync[32] = "-";
    if (row["sync_ms"].is_number()) {
      std::snprintf(sync, sizeof sync, "%.1f ms", row["sync_ms"].get<double>());
    }
    line.push_back(sync);
    line.push_back(age(0, row.value("age_ms", std::uint64_t{0})) + " ago");
    char off[32] = "";
    if (clock == "far") {
      const auto off_ms = row.value("clock_off_ms", std::int64_t{0});
      std::snprintf(off, sizeof off, " %+.1f s", static_cast<double>(off_ms) / 1000);
    }
    line.insert(line.end() - 1, clock + off);
    cells.push_back(std::move(line));
  }
  return table(cells) + verdict_lines(answers);
}

int run_health(const Arguments& arguments) {
  const auto answers = ask_health(arguments.global);
  const std::string& only = arguments.health_of;
  const bool nobody = !only.empty() &&
                      std::none_of(answers.begin(), answers.end(), [&](const HealthAnswer& answer) {
                        return is_meant(answer, only);
                      });
  if (nobody) {
    return print(stderr, "holdfast: health: no member is named \"" + only + "\"\n", kExitUsage);
  }
  const std::string text = arguments.global.format == Format::kJson
                               ? json_line(documents_of(answers, only))
                               : simple_health(answers, only);
  return print(stdout, text, exit_code(answers, only));
}

int run_matrix(const Arguments& arguments) {
  const auto answers = ask_health(arguments.global);
  const bool nobody = std::none_of(answers.begin(), answers.end(), answered);
  if (arguments.global.format == Format::kJson) {
    ordered_json rows = ordered_json::array();
    for (auto& [observer, row] : newest_rows(answers)) rows.push_back(std::move(row));
    return print(stdout, json_line(rows), nobody ? kExitUnavailable : kExitOk);
  }
  const std::string text = nobody ? simple_health(answers, "") : simple_matrix(answers);
  return print(stdout, text, nobody ? kExitUnavailable : kExitOk);
}

int run_why(const Arguments& arguments) {
  const auto answers = ask_health(arguments.global);
  if (std::none_of(answers.begin(), answers.end(), answered)) {
    return print(stderr, simple_health(answers, ""), kExitUnavailable);
  }
  const auto story = story_of(answers);
  const bool json = arguments.global.format == Format::kJson;
  std::string text = json ? json_line(json_of(story)) : simple_why(story);
  for (const HealthAnswer& answer : answers) {
    if (answered(answer) || json) continue;
    text += "not asked: " + answer.endpoint + ": " + answer.error + "\n";
  }
  return print(stdout, text, kExitOk);
}

}  // namespace client::ctl
