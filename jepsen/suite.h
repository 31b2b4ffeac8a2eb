// holdfast-jepsen suite, report and list: many runs and the page that leads to them. Main thread.
#pragma once

#include <string>
#include <vector>

#include "jepsen/arguments.h"

namespace jepsen {

/// One run of a suite.
struct Cell {
  std::string workload, nemesis;
  std::uint32_t nodes = 3;
  std::uint32_t duration_ms = 20'000;
  std::string target = "mixed";
  std::string name() const { return workload + "-" + nemesis + "-" + std::to_string(nodes); }
};
/// "ci": what each change must pass, a few minutes. "nightly": 8 workloads under 12 kinds of
/// trouble, two minutes each.
std::vector<Cell> cells_of(const std::string& suite);

/// Exit code 0: all cells are valid. A cell whose result is in the folder already is left out with
/// `resume`, whatever it was.
int run_suite(const SuiteArguments& arguments);
/// Judges a run, or all of a suite, again, and writes the pages anew. Exit code 0: all are valid.
int run_report(const std::string& folder);
int run_list();

}  // namespace jepsen
