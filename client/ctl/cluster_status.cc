#include "client/ctl/cluster_status.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "client/client.h"
#include "client/ctl/commands.h"
#include "client/ctl/faults.h"
#include "client/ctl/print.h"

namespace client::ctl {
namespace {

using nlohmann::ordered_json;

/// Names and addresses that reachable members give of the others.
struct Hearsay {
  std::map<std::string, std::string> name_of;  // by client address
  std::set<std::uint64_t> members;
};

Hearsay hearsay_of(const Answers& answers) {
  Hearsay hearsay;
  for (const auto& [endpoint, answer] : answers) {
    if (!answer.is_ok()) continue;
    hearsay.members.insert(answer.value().header.member.value);
    for (const auto& peer : answer.value().peers) {
      hearsay.members.insert(peer.member.value);
      if (!peer.client_address.empty()) hearsay.name_of[peer.client_address] = peer.name;
    }
  }
  return hearsay;
}

std::string reason_of(const MemberStatus& status) {
  if (!status.reason.empty()) return status.reason;
  if (status.quarantined) return "in quarantine";
  if (status.stalled) return "stalled";
  return "";
}

std::vector<MemberRow> rows_of(const Answers& answers, const Hearsay& hearsay) {
  std::vector<MemberRow> rows;
  std::set<std::uint64_t> seen;  // one member may be reached under two addresses
  for (const auto& [endpoint, answer] : answers) {
    MemberRow row;
    row.endpoint = endpoint;
    row.reachable = answer.is_ok();
    if (row.reachable) {
      row.status = answer.value();
      if (!seen.insert(row.status.header.member.value).second) continue;
      row.name = row.status.name;
      row.reason = reason_of(row.status);
    } else {
      row.error = answer.status().detail();
      const auto known = hearsay.name_of.find(endpoint);
      if (known != hearsay.name_of.end()) row.name = known->second;
    }
    rows.push_back(std::move(row));
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const MemberRow& a, const MemberRow& b) { return a.name < b.name; });
  return rows;
}

MemberRow* leader_of(std::vector<MemberRow>& rows) {
  MemberRow* leader = nullptr;
  for (auto& row : rows)
    if (row.reachable && row.status.leads() &&
        (leader == nullptr || row.status.header.term > leader->status.header.term))
      leader = &row;
  return leader;
}

bool is_well(const MemberRow& row) {
  return row.reachable && !row.status.stalled && !row.status.quarantined &&
         (row.status.ready || row.leader);
}

ordered_json member_json(const MemberRow& row) {
  ordered_json json = {{"name", row.name},
                       {"leader", row.leader},
                       {"endpoint", row.endpoint},
                       {"reachable", row.reachable}};
  if (!row.reachable) {
    json["role"] = "unreachable";
    json["error"] = row.error;
    return json;
  }
  const MemberStatus& s = row.status;
  json.update({{"role", s.role},
               {"ready", s.ready},
               {"reason", row.reason},
               {"stalled", s.stalled},
               {"quarantined", s.quarantined},
               {"step_down_reason", s.step_down_reason},
               {"leader_name", s.leader_name},
               {"member_id", base::to_hex(s.header.member.value)},
               {"cluster_id", base::to_hex(s.header.cluster.value)},
               {"generation", s.header.generation},
               {"term", s.header.term.value},
               {"revision", s.header.revision.value},
               {"compacted", s.compacted.value},
               {"keep_revisions", s.retention.revisions},
               {"keep_age_ms", s.retention.age_ms},
               {"first", s.first.value},
               {"last", s.last.value},
               {"durable", s.durable.value},
               {"commit", s.commit.value},
               {"applied", s.header.applied.value},
               {"hash", base::to_hex(s.header.hash.value)},
               {"digest", base::to_hex(s.digest)},
               {"leader_changes", s.leader_changes},
               {"log_syncs", s.log_syncs},
               {"log_bytes", s.log_bytes},
               {"applied_entries", s.applied_entries},
               {"sessions", s.sessions},
               {"version", s.version},
               {"http_address", s.http_address}});
  json["faults"] = json_of(s.faults);
  ordered_json peers = ordered_json::array();
  for (const auto& peer : s.peers)
    peers.push_back({{"name", peer.name},
                     {"member_id", base::to_hex(peer.member.value)},
                     {"link_up", peer.link_up},
                     {"match", peer.match.value},
                     {"silent_ms", peer.silent_ms},
                     {"stalled", peer.stalled},
                     {"quarantined", peer.quarantined}});
  json["peers"] = peers;
  return json;
}

/// " for 3 s", or nothing if that is not known.
std::string since(std::uint64_t for_ms) {
  if (for_ms == 0) return "";
  return " for " + (for_ms < 1000 ? "less than 1" : std::to_string(for_ms / 1000)) + " s";
}

/// For how long the leader has not heard a member.
std::string silence_of(const ClusterStatus& cluster, const std::string& name) {
  for (const MemberRow& row : cluster.members) {
    if (!row.leader) continue;
    for (const auto& peer : row.status.peers)
      if (peer.name == name) return since(peer.silent_ms);
  }
  return "";
}

std::vector<std::string> cells_of(const MemberRow& row) {
  const std::string name = row.name.empty() ? "?" : row.name;
  if (!row.reachable)
    return {name, row.endpoint, "unreachable", "-", "-", "-", "-", "-", row.error};
  const MemberStatus& s = row.status;
  return {name,
          row.endpoint,
          s.role,
          std::to_string(s.header.term.value),
          std::to_string(s.last.value),
          std::to_string(s.durable.value),
          std::to_string(s.commit.value),
          std::to_string(s.header.applied.value),
          row.reason.empty() ? "ok" : row.reason};
}

}  // namespace

ClusterStatus combine(const Answers& answers) {
  ClusterStatus cluster;
  const Hearsay hearsay = hearsay_of(answers);
  cluster.members = rows_of(answers, hearsay);
  // What nobody could be asked about still counts as the members that were named.
  cluster.size = hearsay.members.empty() ? answers.size() : hearsay.members.size();
  MemberRow* leader = leader_of(cluster.members);
  if (leader != nullptr) {
    leader->leader = true;
    cluster.leader = leader->name;
    for (const auto& peer : leader->status.peers)
      for (auto& row : cluster.members)
        if (row.reachable && row.status.header.member == peer.member && row.reason.empty())
          row.reason = peer.quarantined ? "in quarantine" : peer.stalled ? "stalled" : "";
  }
  for (const auto& row : cluster.members) cluster.well += is_well(row) ? 1 : 0;
  return cluster;
}

Answers ask_members(net::Loop& loop, const std::vector<std::string>& endpoints,
                    std::uint32_t timeout_ms) {
  auto answers = std::make_shared<Answers>();
  std::set<std::string> asked;
  std::vector<std::string> next = endpoints;
  // Twice: the given ones, then those that they name.
  for (int round = 0; round < 2 && !next.empty(); ++round) {
    auto promises = kj::heapArrayBuilder<kj::Promise<void>>(next.size());
    for (const auto& endpoint : next) {
      asked.insert(endpoint);
      promises.add(status(loop, endpoint, timeout_ms)
                       .then([answers, endpoint](base::Result<MemberStatus>&& answer) {
                         answers->emplace(endpoint, std::move(answer));
                       }));
    }
    (void)loop.wait(kj::joinPromises(promises.finish()), timeout_ms + 1000);
    for (const auto& endpoint : next)
      answers->emplace(endpoint, base::Status(base::Code::kUnavailable, endpoint + ": no answer"));
    next.clear();
    for (const auto& [address, name] : hearsay_of(*answers).name_of)
      if (!asked.contains(address)) next.push_back(address);
  }
  return *answers;
}

std::string summary_of(const ClusterStatus& cluster) {
  const std::size_t more = cluster.tolerates();
  const std::string tolerates = "tolerates " + std::to_string(more) + " more failure" +
                                (more == 1 ? "" : "s") + ", led by " + cluster.leader;
  std::string wrong;
  for (const MemberRow& row : cluster.members) {
    if (is_well(row)) continue;
    wrong += (wrong.empty() ? ": " : "; ") + (row.name.empty() ? row.endpoint : row.name);
    if (!row.reachable) {
      wrong += " unreachable" + silence_of(cluster, row.name);
    } else {
      wrong += " not well" + since(row.status.unready_for_ms) + " (" +
               (row.reason.empty() ? "not ready" : row.reason) + ")";
    }
  }
  if (cluster.leader.empty()) return "unavailable, nobody leads" + wrong;
  if (cluster.well == cluster.size) return "healthy, " + tolerates;
  return "degraded, " + tolerates + wrong;
}

std::string json_of(const ClusterStatus& cluster) {
  ordered_json members = ordered_json::array();
  for (const auto& row : cluster.members) members.push_back(member_json(row));
  const ordered_json json = {{"summary", summary_of(cluster)}, {"leader", cluster.leader},
                             {"healthy", cluster.healthy()},   {"tolerates", cluster.tolerates()},
                             {"size", cluster.size},           {"members", members}};
  return json_line(json);
}

std::string simple_of(const ClusterStatus& cluster) {
  std::string text = summary_of(cluster) + "\n";
  std::vector<std::vector<std::string>> rows = {
      {"NAME", "ENDPOINT", "ROLE", "TERM", "LAST", "DURABLE", "COMMIT", "APPLIED", "CONDITION"}};
  for (const auto& row : cluster.members) rows.push_back(cells_of(row));
  return text + table(rows);
}

int run_status(const Arguments& arguments) {
  net::Loop loop;
  const Global& global = arguments.global;
  constexpr std::uint32_t kMemberMs = 1000;
  const ClusterStatus cluster = combine(
      ask_members(loop, global.client.endpoints, std::min(kMemberMs, global.client.timeout_ms)));
  const std::string text = global.format == Format::kJson ? json_of(cluster) : simple_of(cluster);
  return print(stdout, text, cluster.leader.empty() ? kExitUnavailable : kExitOk);
}

}  // namespace client::ctl
