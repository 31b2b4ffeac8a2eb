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

/// `resolve` tells the node that is meant by "n1", "1" or "leader"; `nodes`: all of them. Errors:
/// those of resolve, kInvalidArgument (groups that do not name nodes, a node in two of them).
base::Result<std::vector<Injection>> injections(
    const PlaygroundArguments& how, const std::vector<std::string>& nodes,
    const std::function<base::Result<std::string>(const std::string&)>& resolve);

/// What was done, for people.
std::string words(const PlaygroundArguments& how);

}  // namespace client::ctl::playground
