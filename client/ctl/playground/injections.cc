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

Injection injection(std::string node, std::string fault, Parameters parameters) {
  FaultChange change;
  change.kind = FaultChange::Kind::kSet;
  change.name = std::move(fault);
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

base::Result<Injection> any_fault(const PlaygroundArguments& how, const std::string& node) {
  Parameters parameters;
  for (const std::string& each : how.parameters) {
    const std::size_t at = each.find('=');
    if (at == std::string::npos)
      return base::Status(base::Code::kInvalidArgument, "\"" + each + "\" is not NAME=VALUE");
    parameters.emplace_back(each.substr(0, at), each.substr(at + 1));
  }
  return injection(node, how.fault, std::move(parameters));
}

/// What the action injects at `node`; `other`: the far end of a link, if it has one.
base::Result<Injection> at_node(const PlaygroundArguments& how, const std::string& node,
                                const std::string& other) {
  const std::string direction = how.one_way ? "out" : "both";
  switch (how.action) {
    case Action::kHangDisk:
      return injection(node, "hang-log-sync", {});
    case Action::kSlowDisk:
      return injection(node, "slow-log-sync", {{"delay", how.delay}});
    case Action::kFailDisk:
      return injection(node, "fail-log-sync", {});
    case Action::kFillDisk:
      return injection(node, "fill-disk", {});
    case Action::kSkewClock:
      return how.by.starts_with('-') ? injection(node, "clock-behind", {{"by", how.by.substr(1)}})
                                     : injection(node, "clock-ahead", {{"by", how.by}});
    case Action::kStall:
      return injection(node, "stall-" + how.thread, {});
    case Action::kBlockLogs:
      return injection(node, "block-log-lines", {});
    case Action::kCut:
      return injection(node, "cut-link", {{"peer", other}, {"direction", direction}});
    case Action::kIsolate:
      return injection(node, "cut-link", {{"peer", "all"}, {"direction", direction}});
    case Action::kSlowLink:
      return injection(node, "slow-link",
                       {{"peer", other}, {"direction", direction}, {"delay", how.delay}});
    case Action::kLossy:
      return injection(node, "lossy-link", {{"peer", "all"}, {"loss", how.loss}});
    case Action::kFault:
      return any_fault(how, node);
    default:
      return base::Status(base::Code::kInvalidArgument, "unknown action");
  }
}

}  // namespace

bool names_by_leader(const std::string& word) {
  return word == "leader" || word.starts_with("follower");
}

base::Result<std::string> resolve_node(const std::string& word,
                                       const std::vector<std::string>& nodes,
                                       const std::string& leader) {
  if (names_by_leader(word)) {
    const auto at = std::find(nodes.begin(), nodes.end(), leader);
    if (at == nodes.end()) return base::Status(base::Code::kNoLeader, "no node says it leads");
    const std::string number = word == "leader" ? "0" : word == "follower" ? "1" : word.substr(8);
    const bool known = number.size() == 1 && number[0] >= '0' && number[0] <= '9' &&
                       static_cast<std::size_t>(number[0] - '0') < nodes.size();
    if (known) {
      const auto after = static_cast<std::size_t>(number[0] - '0');
      return nodes[(static_cast<std::size_t>(at - nodes.begin()) + after) % nodes.size()];
    }
  }
  for (const auto& candidate : {word, "n" + word}) {
    if (std::find(nodes.begin(), nodes.end(), candidate) != nodes.end()) return candidate;
  }
  std::string names;
  for (const auto& node : nodes) names += node + ", ";
  return base::Status(
      base::Code::kInvalidArgument,
      "there is no node \"" + word + "\"; there are " + names + "`leader` and `follower`");
}

bool injects(Action action) {
  switch (action) {
    case Action::kPartition:
    case Action::kHangDisk:
    case Action::kSlowDisk:
    case Action::kFailDisk:
    case Action::kFillDisk:
    case Action::kSkewClock:
    case Action::kStall:
    case Action::kBlockLogs:
    case Action::kCut:
    case Action::kIsolate:
    case Action::kSlowLink:
    case Action::kLossy:
    case Action::kFault:
      return true;
    default:
      return false;
  }
}

Injections injections(const PlaygroundArguments& how, const std::vector<std::string>& nodes,
                      const Resolve& resolve) {
  if (how.action == Action::kPartition) return partition(how.groups, nodes, resolve);
  std::vector<std::string> at = nodes;
  if (how.node != "all") {
    auto node = resolve(how.node);
    if (!node.is_ok()) return node.status();
    at = {std::move(node).value()};
  }
  base::Result<std::string> other = std::string();
  if (!how.other.empty()) other = resolve(how.other);
  if (!other.is_ok()) return other.status();
  std::vector<Injection> all;
  for (const std::string& node : at) {
    if (other.value() == node)
      return base::Status(base::Code::kInvalidArgument, "a link needs two nodes");
    auto one = at_node(how, node, other.value());
    if (!one.is_ok()) return one.status();
    all.push_back(std::move(one).value());
  }
  return all;
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
    case Action::kFault:
      return how.fault + "; `heal` ends it";
    case Action::kLossy:
      return "its links lose packets; `heal` ends it";
    default:
      return how.one_way ? "it is not heard there any more; `heal` ends it"
                         : "the link is cut, and nobody was told; `heal` ends it";
  }
}

}  // namespace client::ctl::playground
