// The command line of `holdfast-jepsen`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/ctl/playground/ports.h"

namespace jepsen {

enum class Verb : std::uint8_t { kRun, kCheck, kSuite, kReport, kList, kGenerate };

struct RunArguments {
  std::uint32_t nodes = 3;
  std::string workload = "register";
  std::string nemesis = "none";
  std::uint64_t seed = 1;
  std::uint32_t duration_ms = 20'000;  // of the load under faults
  std::string out;                     // a folder that does not exist yet; empty: runs/NAME
  std::string target = "mixed";        // leader, follower, random, all, mixed
  std::uint32_t rate = 0;     // operations a second, all clients together; 0: as fits the workload
  std::uint32_t clients = 0;  // 0: four a node
  std::uint32_t keys = 8;     // at a time; others follow
  std::uint32_t operations_a_key = 200;
  std::uint32_t time_scale = 1;
  bool retries = true;
  std::uint32_t bound_ms = 1500;  // 5T: how long a single fault may keep writes away
  client::ctl::playground::PortRange ports;
  std::string server;  // holdfastd; empty: beside this program
};

struct CheckArguments {
  std::vector<std::string> files;
  std::optional<std::int64_t> initial;  // of registers
  std::uint32_t seconds_max = 60;
  std::size_t states_max = 32'000'000;
  bool expect = false;  // a file below "good" or "bad" must get that verdict
};

struct SuiteArguments {
  std::string name;  // ci, nightly
  std::string out;
  bool resume = false;
  std::string server;
  std::vector<std::string> only;  // names of cells
  std::uint32_t jobs = 1;         // cells at a time
  std::uint64_t seed = 1;
  std::uint32_t time_scale = 1;
};

struct GenerateArguments {
  std::uint64_t operations = 1000;
  std::uint32_t clients = 8;
  std::uint32_t keys = 1;
  std::uint32_t unknown_permille = 0;
  std::uint64_t lies = 0;
  std::uint64_t seed = 1;
  bool repeated_values = false;
};

struct Arguments {
  Verb verb = Verb::kList;
  RunArguments run;
  CheckArguments check;
  SuiteArguments suite;
  GenerateArguments generate;
  std::string folder;  // report
};

/// What a command line says; otherwise what to print, and the exit code: 0 for help, 2 for what is
/// not understood.
struct Parsed {
  std::optional<Arguments> arguments;
  std::string text;
  int exit_code = 0;
};
Parsed parse_arguments(int argc, char** argv);

}  // namespace jepsen
