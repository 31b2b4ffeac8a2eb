// member …, move-leader: who belongs to the cluster, and who leads it.
#pragma once

#include <string>
#include <vector>

#include "client/ctl/arguments.h"
#include "client/outcome.h"

namespace client::ctl {

int run_member(const Arguments& arguments);
int run_move_leader(const Arguments& arguments);

/// A line a member: id, name, role, addresses.
std::string simple_members(const std::vector<Member>& members);
std::string json_members(const std::vector<Member>& members);
/// "voter", "learner", "learner, to be promoted", "voter until the change is done".
std::string role_of(const Member& member);

}  // namespace client::ctl
