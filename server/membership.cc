#include "server/membership.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "net/connection.h"

namespace server {
namespace {

using base::Code;
using base::Result;
using base::Status;
using raft::Configuration;
using raft::Member;

void insert(std::vector<Member>& members, Member member) {
  const auto at = std::lower_bound(members.begin(), members.end(), member,
                                   [](const Member& a, const Member& b) { return a.id < b.id; });
  members.insert(at, std::move(member));
}

void erase(std::vector<Member>& members, base::MemberId id) {
  std::erase_if(members, [&](const Member& each) { return each.id == id; });
}

Status wrong(const MemberChange& change, const std::string& why) {
  return {Code::kInvalidArgument, "member '" + change.name + "': " + why};
}

Status check_addresses(const MemberChange& change) {
  for (const auto* address : {&change.peer_address, &change.client_address}) {
    if (address->empty()) continue;
    if (auto parsed = net::parse_address(*address); !parsed.is_ok()) {
      return wrong(change, parsed.status().detail());
    }
  }
  return Status::ok();
}

void set_addresses(const MemberChange& change, Member& member) {
  if (!change.peer_address.empty()) member.peer_address = change.peer_address;
  if (!change.client_address.empty()) member.client_address = change.client_address;
}

Result<Configuration> add(Configuration next, const MemberChange& change) {
  if (change.name.empty() || !change.id) return wrong(change, "a name is needed");
  if (change.peer_address.empty()) return wrong(change, "a peer address is needed");
  if (const Member* known = next.find(change.id)) {
    const bool same = known->peer_address == change.peer_address;
    if (same) return next;
    return wrong(change, "is a member already, at " + known->peer_address +
                             "; `member update` changes its addresses");
  }
  Member member{change.id};
  member.name = change.name;
  member.promote = !change.learner;
  set_addresses(change, member);
  insert(next.learners, std::move(member));
  return next;
}

Result<Configuration> promote(Configuration next, const Member& member) {
  for (Member& learner : next.learners) {
    if (learner.id == member.id) learner.promote = true;
  }
  return next;
}

Result<Configuration> replace(Configuration next, const MemberChange& change, Member member) {
  if (next.find_voter(member.id) != nullptr && next.voters.size() == 1) {
    return wrong(change, "is the only voter: there is nobody from whom its state could come");
  }
  erase(next.voters, member.id);
  erase(next.learners, member.id);
  if (member.incarnation) member.replaced = std::exchange(member.incarnation, base::Incarnation());
  member.promote = true;
  set_addresses(change, member);
  insert(next.learners, std::move(member));
  return next;
}

Result<Configuration> update(Configuration next, const MemberChange& change, base::MemberId id) {
  if (change.peer_address.empty() && change.client_address.empty()) {
    return wrong(change, "no address given");
  }
  for (auto* members : {&next.voters, &next.learners}) {
    for (Member& each : *members) {
      if (each.id == id) set_addresses(change, each);
    }
  }
  return next;
}

}  // namespace

const Member* find_member(const Configuration& configuration, const std::string& name) {
  for (const auto* members :
       {&configuration.voters, &configuration.outgoing, &configuration.learners}) {
    for (const Member& member : *members) {
      if (member.name == name || base::to_hex(member.id.value) == name) return &member;
    }
  }
  return nullptr;
}

Result<Configuration> apply_change(const Configuration& now, const MemberChange& change) {
  CHECK(!now.joint(), "one change at a time");
  if (change.kind == MemberChangeKind::kList) return now;
  if (Status status = check_addresses(change); !status.is_ok()) return status;
  if (change.kind == MemberChangeKind::kAdd) return add(now, change);
  const Member* member = find_member(now, change.name);
  if (member == nullptr) {
    // Removed already: the request may be a repetition.
    if (change.kind == MemberChangeKind::kRemove) return now;
    return wrong(change, "there is no such member");
  }
  Configuration next = now;
  switch (change.kind) {
    case MemberChangeKind::kPromote:
      return promote(std::move(next), *member);
    case MemberChangeKind::kRemove:
      erase(next.voters, member->id);
      erase(next.learners, member->id);
      if (next.voters.empty()) return wrong(change, "is the only voter");
      return next;
    case MemberChangeKind::kReplace:
      return replace(std::move(next), change, *member);
    case MemberChangeKind::kUpdate:
      return update(std::move(next), change, member->id);
    default:
      return wrong(change, "this kind of change is not known here");
  }
}

}  // namespace server
