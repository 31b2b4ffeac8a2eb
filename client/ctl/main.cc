// The `holdfast` binary: parses its command line and runs one command.
#include <csignal>
#include <cstdio>
#include <string_view>

#include "client/ctl/arguments.h"
#include "client/ctl/bench.h"
#include "client/ctl/cluster_status.h"
#include "client/ctl/commands.h"
#include "client/ctl/faults.h"
#include "client/ctl/guard.h"
#include "client/ctl/health.h"
#include "client/ctl/lease.h"
#include "client/ctl/lock.h"
#include "client/ctl/member.h"
#include "client/ctl/playground/playground.h"
#include "client/ctl/playground/supervisor.h"
#include "client/ctl/server_program.h"
#include "client/ctl/snapshot.h"
#include "client/ctl/trace.h"
#include "client/ctl/watch.h"

int main(int argc, char** argv) {
  using namespace client::ctl;
  std::signal(SIGPIPE, SIG_IGN);
  // Two verbs for ourselves, which no user types: they come before the parser.
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == playground::kChildVerb) return playground::run_child(argc, argv);
  if (verb == playground::kSuperviseVerb) return playground::run_supervisor(argc, argv);
  const Parsed parsed = parse_arguments(argc, argv);
  if (!parsed.arguments.has_value())
    return print(parsed.exit_code == kExitOk ? stdout : stderr, parsed.text, parsed.exit_code);
  const Arguments& arguments = *parsed.arguments;
  switch (arguments.verb) {
    case Verb::kPut:
      return run_put(arguments);
    case Verb::kGet:
      return run_get(arguments);
    case Verb::kDel:
      return run_del(arguments);
    case Verb::kTxn:
      return run_txn(arguments);
    case Verb::kResolve:
      return run_resolve(arguments);
    case Verb::kHistory:
      return run_history(arguments);
    case Verb::kCompact:
      return run_compact(arguments);
    case Verb::kWatch:
      return run_watch(arguments);
    case Verb::kLock:
      return run_lock(arguments);
    case Verb::kElect:
      return run_elect(arguments);
    case Verb::kGuard:
      return run_guard(arguments);
    case Verb::kLease:
      return run_lease(arguments);
    case Verb::kStatus:
      return run_status(arguments);
    case Verb::kHealth:
      return run_health(arguments);
    case Verb::kMatrix:
      return run_matrix(arguments);
    case Verb::kTrace:
      return client::ctl::run_trace(arguments);
    case Verb::kWhy:
      return run_why(arguments);
    case Verb::kMember:
      return run_member(arguments);
    case Verb::kMoveLeader:
      return run_move_leader(arguments);
    case Verb::kFault:
      return run_fault(arguments);
    case Verb::kBench:
      return run_bench(arguments);
    case Verb::kSnapshotSave:
      return run_snapshot_save(arguments);
    case Verb::kOffline:
      return become_server_program(arguments);
    case Verb::kPlayground:
      return playground::run(arguments);
  }
  return kExitFailure;
}
