#include "server/health_page.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "server/clock.h"

namespace server {
namespace {

using nlohmann::ordered_json;

double rounded(double value) {
  return std::round(value * 10) / 10;
}

ordered_json optional_ms(const std::optional<double>& value) {
  return value ? ordered_json(std::round(*value * 1000) / 1000) : ordered_json(nullptr);
}

ordered_json checks_json(const std::vector<HealthCheck>& checks) {
  ordered_json json = ordered_json::array();
  for (const HealthCheck& check : checks) {
    json.push_back({{"name", check.name}, {"ok", check.ok}, {"reason", check.reason}});
  }
  return json;
}

ordered_json verdicts_json(const NodeView& view, const ObserverReport& report) {
  ordered_json json = ordered_json::array();
  for (const StandingVerdict& each : report.verdicts) {
    const health::Verdict& verdict = each.verdict;
    json.push_back({{"verdict", health::name_of(verdict.kind)},
                    {"member", known_member(view, verdict.subject).name},
                    {"other", known_member(view, verdict.other).name},
                    {"since_ms", each.since_wall_ms},
                    {"evidence", verdict.evidence}});
  }
  return json;
}

ordered_json row_json(const NodeView& view, const SeenRow& seen) {
  const health::Row& row = seen.row;
  ordered_json links = ordered_json::array();
  for (const health::LinkView& link : row.links) {
    links.push_back({{"member", known_member(view, link.peer).name},
                     {"silent_ms", link.silent_ms},
                     {"phi", rounded(link.phi)},
                     {"round_trip_ms", optional_ms(link.round_trip_ms)},
                     {"append_age_ms", link.append_age_ms}});
  }
  return {{"observer", known_member(view, row.observer).name},
          {"age_ms", seen.age_ms},
          {"leads", row.leads},
          {"speed", health::name_of(row.speed)},
          {"score", rounded(row.score)},
          {"sync_ms", optional_ms(row.sync_ms)},
          {"stalled", row.stalled},
          {"starved", row.starved},
          {"full", row.full},
          {"unserved", row.unserved},
          {"clock", health::name_of(row.clock)},
          {"clock_off_ms", row.clock_off_ms},
          {"reason", row.reason},
          {"links", links}};
}

ordered_json events_json(const Journal& journal) {
  ordered_json json = ordered_json::array();
  for (const JournalEvent& event : journal.read()) {
    json.push_back({{"at_ms", event.wall_ms},
                    {"what", event.what},
                    {"term", event.term},
                    {"peer", event.peer},
                    {"reason", event.detail}});
  }
  return json;
}

}  // namespace

HealthQuery parse_health_query(std::string_view query) {
  HealthQuery parsed;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    constexpr std::string_view kExclude = "exclude=";
    if (part == "verbose" || part == "verbose=true" || part == "verbose=1") parsed.verbose = true;
    if (part.starts_with(kExclude)) parsed.excluded.emplace_back(part.substr(kExclude.size()));
  }
  return parsed;
}

std::string health_page(const NodeView& view, const HealthQuery& query) {
  const auto status = view.board->read();
  const raft::CoreStatus& core = status->replica.core;
  const std::uint64_t loop_ms = view.stamps->loop.at_ms.load(std::memory_order_relaxed);
  auto checks = checks_of(view);
  std::erase_if(checks, [&](const HealthCheck& check) {
    return std::find(query.excluded.begin(), query.excluded.end(), check.name) !=
           query.excluded.end();
  });
  const ObserverReport& report = status->observer;
  ordered_json json = {{"healthy", all_ok(checks)},
                       {"member", view.config->name},
                       {"role", role_name(core, loop_ms, boot_ms(), view.readiness)},
                       {"leader", known_member(view, core.leader).name},
                       {"term", core.term.value},
                       {"wall_ms", wall_ms()}};
  if (!report.rows.empty()) {
    json["speed"] = health::name_of(report.rows.front().row.speed);
    json["score"] = rounded(report.rows.front().row.score);
  }
  const ProbeResult probe = view.probes->read();
  json["probe"] = {{"dial_ms", optional_ms(probe.dial_ms)},
                   {"write_ms", optional_ms(probe.write_ms)},
                   {"read_ms", optional_ms(probe.read_ms)},
                   {"failures", probe.failures},
                   {"reason", probe.reason}};
  json["step_down_reason"] = core.step_down_reason;
  json["checks"] = checks_json(checks);
  json["verdicts"] = verdicts_json(view, report);
  if (query.verbose) {
    ordered_json rows = ordered_json::array();
    for (const SeenRow& seen : report.rows) rows.push_back(row_json(view, seen));
    json["rows"] = std::move(rows);
    json["events"] = events_json(*view.journal);
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace server
