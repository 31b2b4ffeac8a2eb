// `holdfast trace`: the requests that members keep because they were slow or failed, and where each
// waited; as a table, as JSON, or for a trace viewer (chrome://tracing, Perfetto).
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/ctl/health.h"

namespace client::ctl {

/// One request at one member. Times of spans count from its begin.
struct KeptRequest {
  std::string member;
  std::string trace;  // 16 hex digits
  std::string kind;
  std::uint64_t at_ms = 0;  // since 1970, by the member's clock
  double took_ms = 0;
  std::string outcome, detail;
  std::uint64_t term = 0, index = 0;
  struct Span {
    std::string name;
    std::uint64_t at_us = 0, took_us = 0;
  };
  std::vector<Span> spans;
};

/// Oldest first; of one trace only, if one is named (its first digits are enough).
std::vector<KeptRequest> requests_of(const std::vector<HealthAnswer>& answers,
                                     const std::string& trace);
std::string simple_traces(const std::vector<KeptRequest>& requests);
nlohmann::ordered_json json_of(const std::vector<KeptRequest>& requests);
/// The trace event format: a process a member, an asynchronous event a request and a span.
nlohmann::ordered_json chrome_of(const std::vector<KeptRequest>& requests);

/// Exit codes: 0; 3: no such trace; 4: nobody answered.
int run_trace(const Arguments& arguments);

}  // namespace client::ctl
