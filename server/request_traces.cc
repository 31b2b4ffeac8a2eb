#include "server/request_traces.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "server/clock.h"
#include "server/node_view.h"

namespace server {
namespace {

using base::Code;
using nlohmann::ordered_json;

bool of_interest(const EndedRequest& request) {
  if (request.ended_us - request.began_us >= RequestTraces::kSlowUs) return true;
  switch (request.status.code()) {
    case Code::kOk:
    case Code::kNotLeader:  // the client goes on elsewhere
    case Code::kNoLeader:
    case Code::kOverloaded:  // by the thousand, where it matters; metrics count them
    case Code::kInvalidArgument:
    case Code::kTooLarge:
      return false;
    default:
      return true;
  }
}

}  // namespace

std::vector<TraceSpan> spans_of(const EndedRequest& request, const Timelines::Reached& reached,
                                const std::function<std::string(base::MemberId)>& name_of) {
  std::vector<TraceSpan> spans;
  const auto add = [&](std::string name, std::optional<std::uint64_t> from,
                       std::optional<std::uint64_t> to) {
    // What is not over when the request ends goes on without it.
    if (!from || *from > request.ended_us) return;
    const std::uint64_t end = std::min(to.value_or(request.ended_us), request.ended_us);
    if (end >= *from) spans.push_back({std::move(name), *from, end});
  };
  if (!request.index) return spans;
  add("append", request.began_us, reached.appended_us);
  add("log sync", reached.appended_us, reached.durable_us);
  for (const auto& [peer, at_us] : reached.acknowledged_us) {
    add(name_of(peer), reached.appended_us, at_us);
  }
  add("commit", reached.appended_us, reached.committed_us);
  add("apply", reached.committed_us, reached.applied_us);
  if (reached.applied_us) add("answer", reached.applied_us, request.ended_us);
  return spans;
}

void RequestTraces::ended(const EndedRequest& request) {
  if (!of_interest(request)) return;
  Kept kept{request, 0, {}};
  const std::uint64_t now_us = boot_us();
  kept.began_wall_ms = wall_ms() - (now_us - request.began_us) / 1000;
  if (request.index) {
    kept.spans = spans_of(request, view_.timelines->reached(request.index),
                          [this](base::MemberId id) { return known_member(view_, id).name; });
  }
  kept_.push_back(std::move(kept));
  if (kept_.size() > kMost) kept_.pop_front();
}

std::string RequestTraces::json() const {
  ordered_json requests = ordered_json::array();
  for (const Kept& each : kept_) {
    const EndedRequest& request = each.request;
    ordered_json spans = ordered_json::array();
    for (const TraceSpan& span : each.spans) {
      spans.push_back({{"name", span.name},
                       {"at_us", span.began_us - std::min(span.began_us, request.began_us)},
                       {"took_us", span.ended_us - span.began_us}});
    }
    requests.push_back(
        {{"trace", base::to_hex(request.trace)},
         {"kind", request.kind},
         {"at_ms", each.began_wall_ms},
         {"took_ms", static_cast<double>(request.ended_us - request.began_us) / 1000},
         {"outcome", base::traits(request.status.code()).name},
         {"detail", request.status.detail()},
         {"term", request.term.value},
         {"index", request.index.value},
         {"spans", std::move(spans)}});
  }
  const ordered_json all = {{"member", view_.config->name}, {"requests", std::move(requests)}};
  return all.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace server
