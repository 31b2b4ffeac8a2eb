// The `holdfast` binary: parses its command line and runs one command.
#include <csignal>
#include <cstdio>

#include "client/ctl/arguments.h"
#include "client/ctl/bench.h"
#include "client/ctl/cluster_status.h"
#include "client/ctl/commands.h"

int main(int argc, char** argv) {
  using namespace client::ctl;
  std::signal(SIGPIPE, SIG_IGN);
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
    case Verb::kStatus:
      return run_status(arguments);
    case Verb::kFault:
      return run_fault(arguments);
    case Verb::kBench:
      return run_bench(arguments);
    case Verb::kPlayground:
      return kExitUsage;
  }
  return kExitFailure;
}
