#include "jepsen/arguments.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "client/ctl/duration.h"

namespace jepsen {
namespace {

constexpr int kExitUsage = 2;

void add_run(CLI::App& app, Arguments& to, std::string& duration, std::string& ports) {
  RunArguments& run = to.run;
  auto* verb =
      app.add_subcommand("run", "one cluster, one workload, one nemesis, judged at the end");
  verb->callback([&to] { to.verb = Verb::kRun; });
  verb->add_option("--nodes", run.nodes, "3 (default) or 5")->check(CLI::IsMember({3, 5}));
  verb->add_option("--workload", run.workload, "see `list` (default: register)");
  verb->add_option("--nemesis", run.nemesis, "see `list`; several with + (default: none)");
  verb->add_option("--seed", run.seed, "of the plan: what is done when, to whom");
  verb->add_option("--duration", duration, "of the load under faults (default 20s)");
  verb->add_option("--out", run.out, "a folder for history, logs and report (default: runs/NAME)");
  verb->add_option("--target", run.target,
                   "who is hit: leader, follower, random, all; mixed (default): each in turn")
      ->check(CLI::IsMember({"leader", "follower", "random", "all", "mixed"}));
  verb->add_option("--rate", run.rate, "operations a second (default 300, of sets 100)")
      ->check(CLI::Range(1, 20'000));
  verb->add_option("--clients", run.clients,
                   "that call, each one call at a time (default: four a node)")
      ->check(CLI::Range(1, 200));
  verb->add_option("--keys", run.keys, "in use at a time (default 8)")->check(CLI::Range(1, 1000));
  verb->add_option("--operations-a-key", run.operations_a_key,
                   "after so many another one follows (default 200)")
      ->check(CLI::Range(10, 1'000'000));
  verb->add_option("--time-scale", run.time_scale, "stretches every time, for slow builds")
      ->check(CLI::Range(1, 100));
  verb->add_flag("!--no-retries", run.retries,
                 "a call is sent once; otherwise an operation is all its attempts");
  verb->add_option("--bound-ms", run.bound_ms,
                   "how long a fault of one member may keep writes away (default 1500)");
  verb->add_option("--ports", ports, "of the members, from a range (default 12000-31999)");
  verb->add_option("--server", run.server, "holdfastd (default: the one beside this program)");
}

void add_check(CLI::App& app, Arguments& to, std::int64_t& initial, CLI::Option*& given) {
  CheckArguments& check = to.check;
  auto* verb = app.add_subcommand("check", "judges recorded histories, JSON lines or EDN");
  verb->callback([&to] { to.verb = Verb::kCheck; });
  verb->add_option("FILE", check.files, "history.jsonl of a run, or EDN of Knossos or Elle")
      ->required();
  given =
      verb->add_option("--initial", initial, "what a register holds at first (default: nothing)");
  verb->add_option("--seconds", check.seconds_max, "of each search (default 60)");
  verb->add_option("--states", check.states_max, "of each search, at most (default 32000000)");
  verb->add_flag("--expect", check.expect,
                 "a file in a folder `good` must be valid, one in `bad` invalid");
}

void add_suite(CLI::App& app, Arguments& to) {
  SuiteArguments& suite = to.suite;
  auto* verb = app.add_subcommand("suite", "many runs, and an index of them");
  verb->callback([&to] { to.verb = Verb::kSuite; });
  verb->add_option("NAME", suite.name, "ci or nightly")
      ->required()
      ->check(CLI::IsMember({"ci", "nightly"}));
  verb->add_option("--out", suite.out, "a folder (default: runs/NAME)");
  verb->add_flag("--resume", suite.resume, "leave out what was run already into that folder");
  verb->add_option("--only", suite.only, "these cells, as `list` names them");
  verb->add_option("--jobs", suite.jobs, "runs at a time (default 1)")->check(CLI::Range(1, 16));
  verb->add_option("--server", suite.server, "holdfastd (default: the one beside this program)");
  verb->add_option("--seed", suite.seed, "of all plans (default 1)");
  verb->add_option("--time-scale", suite.time_scale, "stretches every time, for slow builds")
      ->check(CLI::Range(1, 100));
}

void add_generate(CLI::App& app, Arguments& to) {
  GenerateArguments& how = to.generate;
  auto* verb = app.add_subcommand("generate",
                                  "a history of registers on stdout, right but for so many lies");
  verb->callback([&to] { to.verb = Verb::kGenerate; });
  verb->add_option("--operations", how.operations, "(default 1000)");
  verb->add_option("--clients", how.clients, "(default 8)")->check(CLI::Range(1, 1000));
  verb->add_option("--keys", how.keys, "(default 1)")->check(CLI::Range(1, 1'000'000));
  verb->add_option("--unknown", how.unknown_permille, "writes of a thousand with an unknown end")
      ->check(CLI::Range(0, 1000));
  verb->add_option("--lies", how.lies, "reads of what was there before");
  verb->add_option("--seed", how.seed, "");
  verb->add_flag("--repeated-values", how.repeated_values, "five values instead of unique ones");
}

bool read_range(const std::string& text, client::ctl::playground::PortRange& range) {
  unsigned lowest = 0, highest = 0;
  char more = 0;
  if (std::sscanf(text.c_str(), "%5u-%5u%c", &lowest, &highest, &more) != 2) return false;
  if (lowest < 1024 || highest > 65535 || lowest >= highest) return false;
  range.lowest = static_cast<std::uint16_t>(lowest);
  range.highest = static_cast<std::uint16_t>(highest);
  return true;
}

}  // namespace

Parsed parse_arguments(int argc, char** argv) {
  Arguments arguments;
  Parsed parsed;
  CLI::App app("Jepsen-style testing of real Holdfast clusters.", "holdfast-jepsen");
  app.require_subcommand(1);
  app.footer("Exit codes: 0 valid; 1 not valid, or nothing was tested; 2 usage.");
  std::string duration, ports;
  std::int64_t initial = 0;
  CLI::Option* initial_given = nullptr;
  add_run(app, arguments, duration, ports);
  add_check(app, arguments, initial, initial_given);
  add_suite(app, arguments);
  auto* report = app.add_subcommand("report", "checks a run again and writes its page anew");
  report->callback([&arguments] { arguments.verb = Verb::kReport; });
  report->add_option("DIR", arguments.folder, "of a run or a suite")->required();
  auto* list = app.add_subcommand("list", "workloads, nemeses and the cells of the suites");
  list->callback([&arguments] { arguments.verb = Verb::kList; });
  add_generate(app, arguments);
  const auto refuse = [&](const std::string& why) {
    parsed.text = "holdfast-jepsen: " + why + "\nTry `holdfast-jepsen --help`.\n";
    parsed.exit_code = kExitUsage;
  };
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    for (auto* sub : app.get_subcommands()) parsed.text = sub->help();
    if (parsed.text.empty()) parsed.text = app.help();
    return parsed;
  } catch (const CLI::ParseError& error) {
    refuse(error.what());
    return parsed;
  }
  if (initial_given->count() > 0) arguments.check.initial = initial;
  if (!duration.empty()) {
    const auto ms = client::ctl::parse_duration_ms(duration);
    if (!ms.is_ok()) {
      refuse("--duration: " + ms.status().detail());
      return parsed;
    }
    arguments.run.duration_ms = ms.value();
  }
  if (!ports.empty() && !read_range(ports, arguments.run.ports)) {
    refuse("--ports: two numbers are wanted, as in 12000-12999, and not \"" + ports + "\"");
    return parsed;
  }
  parsed.arguments = std::move(arguments);
  return parsed;
}

}  // namespace jepsen
