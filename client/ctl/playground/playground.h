// `holdfast playground …`: a cluster on this machine, to try failures on.
#pragma once

#include "client/ctl/arguments.h"
#include "client/ctl/cluster_status.h"
#include "client/ctl/playground/state.h"

namespace client::ctl::playground {

/// Runs the action and returns the exit code. Main thread only (see spawn()).
int run(const Arguments& arguments);

// ---- For the files of this folder ----

/// How long a member may take to answer one of our calls.
inline constexpr std::uint32_t kMemberMs = 1000;

/// `up`, in up.cc.
int up(const Arguments& arguments);
/// `run`, in run.cc: one step after the other, under load, then what came of it.
int run_scenario(const Arguments& arguments, const std::string& directory);
/// Any action on a playground that is up.
int act(const Arguments& arguments, const std::string& directory);

/// What the supervisor says now. Errors: kUnavailable, saying what to do.
base::Result<State> ask_state(const std::string& tag, const std::string& directory);
/// The node meant by "n1", "1" or "leader". Errors: kInvalidArgument, kNoLeader.
base::Result<std::string> resolve(const State& state, const std::string& name);

/// Why a cluster is not ready; empty if it is: every node answers, and names the same leader, which
/// is ready itself.
std::string not_ready(const State& state, const ClusterStatus& cluster);

/// Prints what went wrong, in the words of the detail alone: they are the playground's own. Returns
/// the exit code.
int report(const std::string& what, const base::Status& status, Format format);

/// Removes a directory that holds nothing but its lock. Requires: the lock is held.
void remove_if_empty(const std::string& directory);
/// Ends processes and removes files that a dead supervisor left. Requires: the lock is held.
void clear_stale(const std::string& directory);

std::string json_of(const State& state, const ClusterStatus& cluster);
std::string simple_of(const State& state, const ClusterStatus& cluster);

}  // namespace client::ctl::playground
