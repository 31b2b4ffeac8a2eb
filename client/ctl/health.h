// `holdfast health`, `matrix` and `why`: what the members find of themselves and of each other,
// asked one by one and put together. Loop thread.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "client/ctl/arguments.h"

namespace client::ctl {

/// What one member said. Invariant: either `document` is an object (server/health_page.h), or
/// `error` says why there is none.
struct HealthAnswer {
  std::string endpoint;
  std::string error;
  nlohmann::ordered_json document;
};

/// Every member's, also of members that the endpoints do not name: what it finds of itself and of
/// the others, or the requests that it keeps (client::traces()).
std::vector<HealthAnswer> ask_health(const Global& global);
std::vector<HealthAnswer> ask_traces(const Global& global);

/// Each member with its checks that fail, then the verdicts that stand and who found them. `only`:
/// the one member that is meant, by name or number; empty: all.
std::string simple_health(const std::vector<HealthAnswer>& answers, const std::string& only);
/// Who hears whom: a row for each observer, a column for each member, with the round trip, or for
/// how long it has been silent. Rows of members that did not answer are what others were last told.
std::string simple_matrix(const std::vector<HealthAnswer>& answers);

/// Exit codes: 0: every member that is meant is healthy; 1: one is not; 4: nobody answered.
int run_health(const Arguments& arguments);
int run_matrix(const Arguments& arguments);
/// See why.h.
int run_why(const Arguments& arguments);

}  // namespace client::ctl
