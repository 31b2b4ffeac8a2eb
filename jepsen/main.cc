// The `holdfast-jepsen` binary: parses its command line and runs one command.
#include <csignal>
#include <cstdio>
#include <string_view>

#include "client/ctl/playground/process.h"
#include "jepsen/arguments.h"
#include "jepsen/check_command.h"
#include "jepsen/generate_command.h"
#include "jepsen/run_command.h"
#include "jepsen/suite.h"

int main(int argc, char** argv) {
  using namespace jepsen;
  namespace playground = client::ctl::playground;
  std::signal(SIGPIPE, SIG_IGN);
  // How members are started so that they die with us: no user types it.
  if (argc > 1 && std::string_view(argv[1]) == playground::kChildVerb)
    return playground::run_child(argc, argv);
  const Parsed parsed = parse_arguments(argc, argv);
  if (!parsed.arguments) {
    std::fputs(parsed.text.c_str(), parsed.exit_code == 0 ? stdout : stderr);
    return parsed.exit_code;
  }
  switch (parsed.arguments->verb) {
    case Verb::kRun:
      return run_one(parsed.arguments->run);
    case Verb::kCheck:
      return run_check(parsed.arguments->check);
    case Verb::kGenerate:
      return run_generate(parsed.arguments->generate);
    case Verb::kSuite:
      return run_suite(parsed.arguments->suite);
    case Verb::kReport:
      return run_report(parsed.arguments->folder);
    case Verb::kList:
      return run_list();
  }
  return 1;
}
