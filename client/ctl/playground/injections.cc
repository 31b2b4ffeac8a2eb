#include "client/ctl/playground/injections.h"

#include <algorithm>
#include <set>
#include <sstream>

namespace client::ctl::playground {
namespace {

using Action = PlaygroundArguments::Action;
using Resolve = std::function<base::Result<std::string>(const std::string&)>;
using Parameters = std::vector<std::pair<std::string, std::string>>;
using Injections = base::Result<std::vector<Injection>>;

Injection injection(std::string node, const char* fault, Parameters parameters) {
  FaultChange change;
  change.kind = FaultChange::Kind::kSet;
  change.name = fault;
  for (auto& each : parameters) {
    if (!each.second.empty()) change.parameters.push_back(std::move(each));
  }
  return {std::move(node), std::move(change)};
}

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, by);) parts.push_back(part);
  return parts;
}

/// "n1,n2/n3": each node of a group is cut off from every node of another. Whoever is in none is
/// with nobody.
Injections partition(const std::string& groups, const std::vector<std::string>& nodes,
                     const Resolve& resolve) {
  std::vector<std::set<std::string>> parts;
  std::set<std::string> named;
  for (const std::string& group : split(groups, '/')) {
    std::set<std::string> part;
    for (const std::string& word : split(group, ',')) {
      auto name = resolve(word);
      if (!name.is_ok()) return name.status();
      if (!named.insert(name.value()).second)
        return base::Status(base::Code::kInvalidArgument, name.value() + " is named twice");
      part.insert(name.value());
    }
    parts.push_back(std::move(part));
  }
  for (const std::string& node : nodes) {
    if (!named.contains(node)) parts.push_back({node});
  }
  if (parts.size() < 2)
    return base::Status(base::Code::kInvalidArgument,
                        "\"" + groups + "\" parts nobody; write n1,n2/n3");
  std::vector<Injection> all;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    for (std::size_t j = i + 1; j < parts.size(); ++j) {
      for (const std::string& a : parts[i]) {
        for (const std::string& b : parts[j])
          all.push_back(injection(a, "cut-link", {{"peer", b}}));
      }
    }
  }
  return all;
}

}  // namespace

Injections injections(const PlaygroundArguments& how, const std::vector<std::string>& nodes,
                      const Resolve& resolve) {
  if (how.action == Action::kPartition) return partition(how.groups, nodes, resolve);
  auto node = resolve(how.node);
  if (!node.is_ok()) return node.status();
  base::Result<std::string> other = std::string();
  if (!how.other.empty()) other = resolve(how.other);
  if (!other.is_ok()) return other.status();
  if (other.value() == node.value())
    return base::Status(base::Code::kInvalidArgument, "a link needs two nodes");
  const std::string direction = how.one_way ? "out" : "both";
  const auto one = [&](const char* fault, Parameters parameters) -> Injections {
    return std::vector<Injection>{injection(node.value(), fault, std::move(parameters))};
  };
  switch (how.action) {
    case Action::kHangDisk:
      return one("hang-log-sync", {});
    case Action::kSlowDisk:
      return one("slow-log-sync", {{"delay", how.delay}});
    case Action::kFailDisk:
      return one("fail-log-sync", {});
    case Action::kFillDisk:
      return one("fill-disk", {});
    case Action::kSkewClock:
      return how.by.starts_with('-') ? one("clock-behind", {{"by", how.by.substr(1)}})
                                     : one("clock-ahead", {{"by", how.by}});
    case Action::kStall:
      return one(("stall-" + how.thread).c_str(), {});
    case Action::kBlockLogs:
      return one("block-log-lines", {});
    case Action::kCut:
      return one("cut-link", {{"peer", other.value()}, {"direction", direction}});
    case Action::kIsolate:
      return one("cut-link", {{"peer", "all"}, {"direction", direction}});
    case Action::kSlowLink:
      return one("slow-link",
                 {{"peer", other.value()}, {"direction", direction}, {"delay", how.delay}});
    case Action::kLossy:
      return one("lossy-link", {{"peer", "all"}, {"loss", how.loss}});
    default:
      return base::Status(base::Code::kInvalidArgument, "unknown action");
  }
}

std::string words(const PlaygroundArguments& how) {
  switch (how.action) {
    case Action::kHangDisk:
      return "log syncs hang; `heal` ends it";
    case Action::kSlowDisk:
      return "log syncs are slow; `heal` ends it";
    case Action::kFailDisk:
      return "log syncs fail, so that its process ends and comes back without the fault";
    case Action::kFillDisk:
      return "its disk seems full: only deletes and reads are taken; `heal` ends it";
    case Action::kSkewClock:
      return "its wall clock lies by " + how.by + "; `heal` ends it";
    case Action::kStall:
      return "its " + how.thread + " thread stands still; `heal` ends it";
    case Action::kBlockLogs:
      return "nobody reads its log lines; `heal` ends it";
    case Action::kSlowLink:
      return "the link is slow; `heal` ends it";
    case Action::kLossy:
      return "its links lose packets; `heal` ends it";
    default:
      return how.one_way ? "it is not heard there any more; `heal` ends it"
                         : "the link is cut, and nobody was told; `heal` ends it";
  }
}

}  // namespace client::ctl::playground
