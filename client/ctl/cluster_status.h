// The whole cluster as its members tell it: asked one by one, put together, judged. Loop thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "client/ctl/arguments.h"
#include "client/outcome.h"
#include "net/loop.h"

namespace client::ctl {

/// One member's row. Invariant: either `reachable` and `status` holds, or `error` says why not.
struct MemberRow {
  std::string name;  // as told by peers where it did not answer; empty if nobody knows
  std::string endpoint;
  bool reachable = false;
  std::string error;
  MemberStatus status;
  std::string reason;  // its own, or what the leader says of it; empty if well
  bool leader = false;
};

struct ClusterStatus {
  std::vector<MemberRow> members;  // by name
  std::string leader;              // name; empty: nobody leads
  std::size_t size = 0;            // members of the configuration, as far as known
  std::size_t well = 0;            // reachable, ready or leading, neither stalled nor quarantined
  bool healthy() const { return !leader.empty() && well >= size / 2 + 1; }
  /// How many more of them may fail.
  std::size_t tolerates() const {
    const std::size_t majority = size / 2 + 1;
    return !leader.empty() && well > majority ? well - majority : 0;
  }
};

using Answers = std::map<std::string, base::Result<MemberStatus>>;  // by endpoint

/// Puts answers together. The leader is the one that says so in the highest term.
ClusterStatus combine(const Answers& answers);

/// Asks the endpoints, and those that their answers name, at once; each has `timeout_ms`.
Answers ask_members(net::Loop& loop, const std::vector<std::string>& endpoints,
                    std::uint32_t timeout_ms);

std::string json_of(const ClusterStatus& cluster);
/// "healthy, tolerates 1 more failure, led by n2", or what is wrong, with whom and for how long.
std::string summary_of(const ClusterStatus& cluster);
/// The summary and a table.
std::string simple_of(const ClusterStatus& cluster);

/// `holdfast status`. Exit code 0 while somebody leads, 4 otherwise.
int run_status(const Arguments& arguments);

}  // namespace client::ctl
