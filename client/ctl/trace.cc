#include "client/ctl/trace.h"

#include <algorithm>
#include <fstream>
#include <map>

#include "client/ctl/commands.h"
#include "client/ctl/print.h"
#include "client/ctl/why.h"

namespace client::ctl {
namespace {

using nlohmann::ordered_json;

KeptRequest request_of(const std::string& member, const ordered_json& from) {
  KeptRequest request;
  request.member = member;
  request.trace = from.value("trace", "");
  request.kind = from.value("kind", "");
  request.at_ms = from.value("at_ms", std::uint64_t{0});
  request.took_ms = from.value("took_ms", 0.0);
  request.outcome = from.value("outcome", "");
  request.detail = from.value("detail", "");
  request.term = from.value("term", std::uint64_t{0});
  request.index = from.value("index", std::uint64_t{0});
  if (!from.contains("spans")) return request;
  for (const auto& span : from["spans"]) {
    request.spans.push_back({span.value("name", ""), span.value("at_us", std::uint64_t{0}),
                             span.value("took_us", std::uint64_t{0})});
  }
  return request;
}

std::string in_ms(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, ms < 10 ? "%.1f ms" : "%.0f ms", ms);
  return text;
}

std::string spans_of(const KeptRequest& request) {
  std::string text;
  for (const auto& span : request.spans) {
    text += (text.empty() ? "" : ", ") + span.name + " " +
            in_ms(static_cast<double>(span.took_us) / 1000);
  }
  if (text.empty()) return request.detail.empty() ? "-" : request.detail;
  return request.detail.empty() ? text : text + "; " + request.detail;
}

ordered_json arguments_of(const KeptRequest& request) {
  return {{"trace", request.trace},
          {"outcome", request.outcome},
          {"detail", request.detail},
          {"term", request.term},
          {"index", request.index}};
}

void add_event(ordered_json& events, const KeptRequest& request, int process,
               const std::string& name, std::uint64_t at_us, std::uint64_t took_us,
               const ordered_json& arguments) {
  for (const char* phase : {"b", "e"}) {
    const std::uint64_t time_us = *phase == 'b' ? at_us : at_us + took_us;
    events.push_back({{"name", name},
                      {"cat", "request"},
                      {"ph", phase},
                      {"id", "0x" + request.trace},
                      {"ts", time_us},
                      {"pid", process},
                      {"tid", 1},
                      {"args", *phase == 'b' ? arguments : ordered_json::object()}});
  }
}

}  // namespace

std::vector<KeptRequest> requests_of(const std::vector<HealthAnswer>& answers,
                                     const std::string& trace) {
  std::vector<KeptRequest> requests;
  for (const HealthAnswer& answer : answers) {
    if (!answer.document.contains("requests")) continue;
    const std::string member = answer.document.value("member", answer.endpoint);
    for (const auto& each : answer.document["requests"]) {
      KeptRequest request = request_of(member, each);
      if (request.trace.starts_with(trace)) requests.push_back(std::move(request));
    }
  }
  std::stable_sort(requests.begin(), requests.end(),
                   [](const auto& a, const auto& b) { return a.at_ms < b.at_ms; });
  return requests;
}

std::string simple_traces(const std::vector<KeptRequest>& requests) {
  if (requests.empty()) return "no request was slow (100 ms) or failed\n";
  std::vector<std::vector<std::string>> rows = {
      {"TRACE", "MEMBER", "BEGAN", "KIND", "TOOK", "OUTCOME", "WHERE IT WAITED"}};
  for (const KeptRequest& request : requests) {
    rows.push_back({request.trace, request.member, time_of(request.at_ms), request.kind,
                    in_ms(request.took_ms), request.outcome, spans_of(request)});
  }
  return table(rows);
}

ordered_json json_of(const std::vector<KeptRequest>& requests) {
  ordered_json all = ordered_json::array();
  for (const KeptRequest& request : requests) {
    ordered_json spans = ordered_json::array();
    for (const auto& span : request.spans)
      spans.push_back({{"name", span.name}, {"at_us", span.at_us}, {"took_us", span.took_us}});
    all.push_back({{"trace", request.trace},
                   {"member", request.member},
                   {"kind", request.kind},
                   {"at_ms", request.at_ms},
                   {"took_ms", request.took_ms},
                   {"outcome", request.outcome},
                   {"detail", request.detail},
                   {"term", request.term},
                   {"index", request.index},
                   {"spans", std::move(spans)}});
  }
  return all;
}

ordered_json chrome_of(const std::vector<KeptRequest>& requests) {
  ordered_json events = ordered_json::array();
  std::map<std::string, int> processes;
  for (const KeptRequest& request : requests) {
    const auto [at, is_new] =
        processes.try_emplace(request.member, static_cast<int>(processes.size()) + 1);
    if (is_new) {
      events.push_back({{"name", "process_name"},
                        {"ph", "M"},
                        {"pid", at->second},
                        {"args", {{"name", request.member}}}});
    }
    const std::uint64_t began_us = request.at_ms * 1000;
    add_event(events, request, at->second, request.kind, began_us,
              static_cast<std::uint64_t>(request.took_ms * 1000), arguments_of(request));
    for (const auto& span : request.spans) {
      add_event(events, request, at->second, span.name, began_us + span.at_us, span.took_us,
                ordered_json::object());
    }
  }
  return {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events)}};
}

int run_trace(const Arguments& arguments) {
  const TraceArguments& how = arguments.trace;
  const auto answers = ask_traces(arguments.global);
  const auto answered = [](const HealthAnswer& answer) { return answer.error.empty(); };
  if (std::none_of(answers.begin(), answers.end(), answered))
    return print(stderr, simple_health(answers, ""), kExitUnavailable);
  const auto requests = requests_of(answers, how.trace);
  if (!how.trace.empty() && requests.empty()) {
    return print(stderr,
                 "holdfast: trace: no member keeps a request " + how.trace +
                     ": it was neither slow nor did it fail there, or 256 newer ones were\n",
                 kExitNotFound);
  }
  if (how.chrome.empty()) {
    const bool json = arguments.global.format == Format::kJson;
    return print(stdout, json ? json_of(requests).dump() + "\n" : simple_traces(requests), kExitOk);
  }
  const std::string text = chrome_of(requests).dump() + "\n";
  if (how.chrome == "-") return print(stdout, text, kExitOk);
  std::ofstream file(how.chrome, std::ios::trunc);
  file << text << std::flush;
  if (!file) {
    return fail("trace", {base::Code::kIo, how.chrome + " cannot be written"},
                arguments.global.format);
  }
  return print(stdout,
               std::to_string(requests.size()) + " requests are in " + how.chrome +
                   "; open it with chrome://tracing or ui.perfetto.dev\n",
               kExitOk);
}

}  // namespace client::ctl
