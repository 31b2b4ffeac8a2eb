// What the playground's verbs inject, and where: pure words to faults.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "client/ctl/arguments.h"

namespace client::ctl::playground {

/// One fault at one node.
struct Injection {
  std::string node;
  FaultChange change;
};

/// The node of `nodes` that is meant by "n1", "1", "leader" (`leader`, who leads; empty: nobody),
/// "follower" (the next after it) or "follower2" (the second). Errors: kInvalidArgument, kNoLeader.
base::Result<std::string> resolve_node(const std::string& word,
                                       const std::vector<std::string>& nodes,
                                       const std::string& leader);
/// Whether it takes somebody who knows the leader.
bool names_by_leader(const std::string& word);

/// Whether the action is one that injections() knows.
bool injects(PlaygroundArguments::Action action);
/// `resolve` tells the node that is meant by a word other than "all"; `nodes`: all of them. Errors:
/// those of resolve, kInvalidArgument (groups that do not name nodes, a node in two of them).
base::Result<std::vector<Injection>> injections(
    const PlaygroundArguments& how, const std::vector<std::string>& nodes,
    const std::function<base::Result<std::string>(const std::string&)>& resolve);

/// What was done, for people.
std::string words(const PlaygroundArguments& how);

}  // namespace client::ctl::playground
