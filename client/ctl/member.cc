#include "client/ctl/member.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "client/ctl/commands.h"
#include "client/ctl/print.h"
#include "client/ctl/session.h"

namespace client::ctl {
namespace {

using nlohmann::ordered_json;
using Kind = MemberChange::Kind;

constexpr std::uint32_t kAskEveryMs = 200;
constexpr std::uint32_t kProgressEveryMs = 2000;

const Member* find(const std::vector<Member>& members, const std::string& name) {
  const auto at = std::find_if(members.begin(), members.end(), [&](const Member& each) {
    return each.name == name || base::to_hex(each.id.value) == name;
  });
  return at == members.end() ? nullptr : &*at;
}

/// What is left to do after a change, for a person.
std::string what_now(const MemberChange& change, const std::vector<Member>& members) {
  const Member* member = find(members, change.name);
  if (member == nullptr || member->voter) return "";
  if (member->incarnation) {
    return change.learner ? "" : change.name + " catches up, and then votes by itself\n";
  }
  return "start " + change.name + " with --join and an empty data directory" +
         (change.learner ? "\n" : "; once it has caught up it votes by itself\n");
}

/// Asks until the member votes, with a word now and then, as long as the command may take.
Outcome wait_for_vote(Session& session, const std::string& name, Outcome outcome,
                      std::uint32_t timeout_ms) {
  std::uint32_t waited_ms = 0;
  while (outcome.status.is_ok()) {
    const Member* member = find(outcome.members, name);
    if (member == nullptr || member->voter) break;
    if (waited_ms >= timeout_ms) {
      outcome.status = base::Status(
          base::Code::kTimeout, name + " does not vote yet" +
                                    (member->incarnation ? "" : ": it has not been heard from") +
                                    "; the change stands, `member list` tells how far it is");
      break;
    }
    if (waited_ms % kProgressEveryMs == 0) {
      std::fprintf(stderr, "holdfast: member: waiting until %s %s\n", name.c_str(),
                   member->incarnation ? "has caught up" : "is started");
    }
    session.sleep_ms(kAskEveryMs);
    waited_ms += kAskEveryMs;
    outcome = session.members({});
  }
  return outcome;
}

}  // namespace

std::string role_of(const Member& member) {
  if (member.voter) return "voter";
  if (member.outgoing) return "voter until the change is done";
  if (!member.promote) return "learner";
  return member.incarnation ? "learner, to be promoted" : "learner, not heard from yet";
}

std::string simple_members(const std::vector<Member>& members) {
  std::vector<std::vector<std::string>> rows = {{"ID", "NAME", "ROLE", "PEER", "CLIENT"}};
  for (const Member& each : members) {
    rows.push_back({base::to_hex(each.id.value), each.name, role_of(each), each.peer_address,
                    each.client_address.empty() ? "-" : each.client_address});
  }
  std::sort(rows.begin() + 1, rows.end(), [](const auto& a, const auto& b) { return a[1] < b[1]; });
  return table(rows);
}

std::string json_members(const std::vector<Member>& members) {
  ordered_json list = ordered_json::array();
  for (const Member& each : members) {
    list.push_back({{"id", base::to_hex(each.id.value)},
                    {"name", each.name},
                    {"voter", each.voter},
                    {"outgoing", each.outgoing},
                    {"promote", each.promote},
                    {"incarnation", base::to_hex(each.incarnation.value)},
                    {"peer_address", each.peer_address},
                    {"client_address", each.client_address}});
  }
  const ordered_json json = {{"members", list}};
  return json_line(json);
}

int run_member(const Arguments& arguments) {
  const Format format = arguments.global.format;
  const MemberChange& change = arguments.member.change;
  auto session = Session::open(arguments.global);
  if (!session.is_ok()) return fail("member", session.status(), format);
  Outcome outcome = session.value()->members(change);
  if (arguments.member.wait) {
    outcome = wait_for_vote(*session.value(), change.name, std::move(outcome),
                            arguments.global.client.timeout_ms);
  }
  if (!outcome.status.is_ok()) return fail("member", outcome.status, format);
  if (format == Format::kJson) return print(stdout, json_members(outcome.members), kExitOk);
  if (change.kind != Kind::kList) {
    const std::string text = what_now(change, outcome.members);
    std::fprintf(stderr, "%s%s", text.empty() ? "" : "holdfast: member: ", text.c_str());
  }
  return print(stdout, simple_members(outcome.members), kExitOk);
}

int run_move_leader(const Arguments& arguments) {
  const Format format = arguments.global.format;
  auto session = Session::open(arguments.global);
  if (!session.is_ok()) return fail("move-leader", session.status(), format);
  const Outcome outcome = session.value()->move_leader(arguments.move_leader_to);
  if (!outcome.status.is_ok()) return fail("move-leader", outcome.status, format);
  const ordered_json json = {{"leader", arguments.move_leader_to},
                             {"term", outcome.header.term.value}};
  return print(stdout,
               format == Format::kJson ? json.dump() + "\n" : arguments.move_leader_to + " leads\n",
               kExitOk);
}

}  // namespace client::ctl
