#include "jepsen/report/report.h"

#include <algorithm>
#include <array>
#include <map>

#include "jepsen/report/logs.h"
#include "jepsen/report/page.h"
#include "jepsen/report/plots.h"

namespace jepsen {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string about(const History& history, const std::string& key) {
  const auto found = history.about.find(key);
  return found == history.about.end() ? "" : found->second;
}

std::string title_of(const History& history) {
  const std::string workload = about(history, "workload");
  if (workload.empty()) return "A recorded history";
  return workload + " × " + about(history, "nemesis") + ", " + about(history, "nodes") + " nodes";
}

std::string rerun(const History& history) {
  if (history.about.empty()) return "";
  std::string command = "holdfast-jepsen run";
  for (const auto& [flag, key] : {std::pair{"workload", "workload"},
                                  {"nemesis", "nemesis"},
                                  {"nodes", "nodes"},
                                  {"seed", "seed"},
                                  {"target", "target"},
                                  {"rate", "rate"},
                                  {"clients", "clients"},
                                  {"keys", "keys"},
                                  {"operations-a-key", "operations_a_key"},
                                  {"time-scale", "time_scale"}})
    command += std::string(" --") + flag + " " + about(history, key);
  if (about(history, "retries") == "0") command += " --no-retries";
  command += " --duration " + about(history, "duration_ms") + "ms";
  return "<h2>Run it again</h2><pre>" + escaped(command) +
         "</pre><p class=faint>The seed gives the same plan of faults and calls; what becomes of "
         "them is decided anew each time.</p>\n";
}

std::string name_of_call(const History& history, const Operation& operation) {
  using Kind = Micro::Kind;
  if (operation.count == 0) return "nothing";
  if (operation.count > 1) return "transaction";
  switch (history.micros_of(operation).front().kind) {
    case Kind::kRead:
    case Kind::kUnread:
      return operation.stale ? "read at one member" : "read";
    case Kind::kWrite:
      return "write";
    case Kind::kCas:
    case Kind::kMiss:
      return "compare-and-swap";
    case Kind::kAppend:
      return "append";
    case Kind::kList:
      return operation.stale ? "read of a list at one member" : "read of a list";
    case Kind::kAdd:
      return "add";
    case Kind::kMembers:
      return operation.stale ? "read of the set at one member" : "read of the set";
    case Kind::kVersions:
      return "read of all versions";
    case Kind::kAcquire:
      return "acquire";
    case Kind::kRelease:
      return "release";
  }
  return "";
}

std::string calls(const History& history, const Outcomes& outcomes) {
  struct Count {
    std::array<std::uint64_t, 3> ends{};
    std::vector<double> took_ms;
  };
  std::map<std::string, Count> kinds;
  for (const Operation& operation : history.operations) {
    Count& count = kinds[name_of_call(history, operation)];
    ++count.ends[static_cast<std::size_t>(operation.end)];
    if (operation.end == End::kOk && operation.returned_ns > operation.invoked_ns)
      count.took_ms.push_back(static_cast<double>(operation.returned_ns - operation.invoked_ns) /
                              1e6);
  }
  Rows rows = {{"call", "ok", "surely not", "unknown", "median ms", "99th ms", "longest ms"}};
  for (auto& [name, count] : kinds) {
    std::sort(count.took_ms.begin(), count.took_ms.end());
    const auto at = [&took = count.took_ms](double part) {
      if (took.empty()) return std::string("–");
      return short_number(
          took[static_cast<std::size_t>(static_cast<double>(took.size() - 1) * part)]);
    };
    rows.push_back({name, std::to_string(count.ends[0]), std::to_string(count.ends[1]),
                    std::to_string(count.ends[2]), at(0.5), at(0.99), at(1)});
  }
  return "<h2>Calls</h2>\n" + html_table(rows) +
         "<p class=faint>Of those whose end was unknown at first, " +
         std::to_string(outcomes.seen) + " were seen by somebody later, of " +
         std::to_string(outcomes.resolved) + " the store said what became of them, and " +
         std::to_string(outcomes.open) +
         " stay open; those that are no longer unknown count as what they were. A compare-and-swap "
         "that found another value counts as ok: it is an observation. One client of four sticks "
         "to "
         "one member, and is refused what only a leader does.</p>\n";
}

/// On a narrow screen it is moved sideways instead of being too small to read.
std::string wide(const std::string& html) {
  return "<div class=wide>" + html + "</div>\n";
}

std::string findings(const History& history, const Judgement& judgement) {
  Rows rows = {{"check", "verdict", "why"}};
  for (const Finding& finding : judgement.findings)
    rows.push_back({finding.checker, badge(name_of(finding.verdict)), escaped(finding.why)});
  std::string html = "<h2>Checks</h2>\n" + html_table(rows);
  for (const Finding& finding : judgement.findings) {
    if (finding.words.empty()) continue;
    html += "<h2>The contradiction: " + finding.checker + "</h2>\n<p>" + escaped(finding.why) +
            "</p>\n" + wide(draw_witness(history, finding.witness)) + "<pre>";
    for (const std::string& words : finding.words) html += escaped(words) + "\n";
    html += "</pre>\n";
  }
  return html;
}

std::string faults(const Judgement& judgement) {
  if (judgement.episodes.empty()) return "";
  Rows rows = {{"from s", "to s", "fault", "of", "longest time without a write", "its bound",
                "next write after it", "seen at the victim"}};
  for (const Episode& episode : judgement.episodes) {
    std::string proofs;
    for (const std::string& proof : episode.proofs) proofs += escaped(proof) + "<br>";
    rows.push_back({short_number(static_cast<double>(episode.begin_ns) / 1e9),
                    short_number(static_cast<double>(episode.end_ns) / 1e9), episode.fault,
                    episode.targets, std::to_string(episode.longest_ms) + " ms",
                    episode.bound_ms == 0 ? "–" : std::to_string(episode.bound_ms) + " ms",
                    std::to_string(episode.recovery_ms) + " ms", proofs});
  }
  return "<h2>Faults</h2>\n" + html_table(rows);
}

}  // namespace

base::Status write_report(const std::string& folder, const History& history,
                          const Judgement& judgement) {
  const std::string title = title_of(history);
  std::string body = "<h1>" + escaped(title) + ": " + badge(name_of(judgement.verdict)) +
                     "</h1>\n<p>" + escaped(judgement.why) + "</p>\n<p class=faint>" +
                     std::to_string(history.size()) + " operations in " +
                     short_number(static_cast<double>(history.end_ns) / 1e9) + " s" +
                     (history.about.empty() ? "" : ", seed " + about(history, "seed")) + "</p>\n";
  body += findings(history, judgement);
  body += "<h2>Calls a second</h2>\n" + wide(draw_rate(history, judgement.episodes));
  body += "<h2>How long they took</h2>\n" + wide(draw_latency(history, judgement.episodes));
  body += "<h2>Who led</h2>\n" + wide(draw_leaders(history, judgement.episodes));
  body += faults(judgement) + calls(history, judgement.outcomes) + rerun(history);
  body +=
      "<h2>Files</h2>\n<p><a href=\"history.jsonl\">history.jsonl</a>: all that was recorded; "
      "<a href=\"history.edn\">history.edn</a> for Knossos and Elle, <a href=\"keys/\">keys/</a> "
      "one file a register; <a href=\"calls.jsonl\">calls.jsonl</a>: a line a call.</p>\n";
  body += logs_of(folder, history);
  return write_page(folder + "/index.html", page(title, body));
}

}  // namespace jepsen
