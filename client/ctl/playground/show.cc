// A playground as people and programs read it (playground.h).
#include <nlohmann/json.hpp>

#include "client/ctl/playground/playground.h"

namespace client::ctl::playground {
namespace {

const MemberRow* row_of(const ClusterStatus& cluster, const Node& node) {
  for (const auto& row : cluster.members)
    if (row.endpoint == node.endpoint()) return &row;
  return nullptr;
}

std::string role_of(const MemberRow* row) {
  return row != nullptr && row->reachable ? row->status.role : "-";
}

std::string condition_of(const Node& node, const MemberRow* row) {
  if (node.state == "running" && row != nullptr)
    return !row->reachable ? "does not answer" : row->reason.empty() ? "ok" : row->reason;
  return node.last_exit.empty() ? "-" : "ended with " + node.last_exit;
}

std::string pad(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text + "  ";
}

}  // namespace

std::string json_of(const State& state, const ClusterStatus& cluster) {
  nlohmann::ordered_json nodes = nlohmann::ordered_json::array();
  for (const auto& node : state.nodes) {
    const MemberRow* row = row_of(cluster, node);
    nodes.push_back({{"name", node.name},
                     {"state", node.state},
                     {"pid", node.process.pid},
                     {"leader", row != nullptr && row->leader},
                     {"role", role_of(row)},
                     {"condition", condition_of(node, row)},
                     {"endpoint", node.endpoint()},
                     {"peer", "127.0.0.1:" + std::to_string(node.peer_port)},
                     {"http", node.http()},
                     {"restarts", node.restarts},
                     {"last_exit", node.last_exit},
                     {"data", state.data + "/" + node.name},
                     {"log", state.log_path(node.name)}});
  }
  const nlohmann::ordered_json json = {
      {"tag", state.tag},         {"supervisor_pid", state.supervisor.pid},
      {"data", state.data},       {"keep_data", state.keep_data},
      {"leader", cluster.leader}, {"nodes", nodes}};
  return json.dump() + "\n";
}

std::string simple_of(const State& state, const ClusterStatus& cluster) {
  std::string text = "playground \"" + state.tag + "\": " + std::to_string(state.nodes.size()) +
                     " nodes, " +
                     (cluster.leader.empty() ? "no leader" : cluster.leader + " leads") + "\n";
  text += pad("NAME", 4) + pad("PID", 7) + pad("STATE", 8) + pad("ROLE", 9) + pad("ENDPOINT", 15) +
          pad("HTTP", 22) + "CONDITION\n";
  for (const auto& node : state.nodes) {
    const MemberRow* row = row_of(cluster, node);
    text += pad(node.name, 4) + pad(node.process ? std::to_string(node.process.pid) : "-", 7) +
            pad(node.state, 8) + pad(role_of(row), 9) + pad(node.endpoint(), 15) +
            pad(node.http(), 22) + condition_of(node, row) + "\n";
  }
  return text;
}

}  // namespace client::ctl::playground
