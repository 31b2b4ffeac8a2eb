// holdfast-sim: runs seeds of the simulator and says what they found. Each seed is one thread's;
// several seeds may run side by side.
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <atomic>
#include <map>
#include <mutex>

#include "tests/sim/simulation.h"

namespace {

struct Arguments {
  std::uint64_t seed = 0;
  std::string seeds;
  std::size_t nodes = 0;
  unsigned jobs = 1;
  bool trace = false;
  bool coverage = false;
};

/// The seed that this thread runs, for a CHECK that ends the process.
thread_local char current_seed[32] = "none";

void print_seed(int) {
  const char* parts[] = {"holdfast-sim: aborted in seed ", current_seed, "\n"};
  for (const char* part : parts) {
    if (write(STDERR_FILENO, part, std::strlen(part)) < 0) break;
  }
}

std::size_t nodes_of(const Arguments& arguments, std::uint64_t seed) {
  if (arguments.nodes != 0) return arguments.nodes;
  return seed % 4 == 3 ? 5 : 3;
}

std::unique_ptr<sim::Simulation> prepare(const Arguments& arguments, std::uint64_t seed) {
  std::snprintf(current_seed, sizeof current_seed, "%llu", static_cast<unsigned long long>(seed));
  return std::make_unique<sim::Simulation>(seed,
                                           sim::draw_options(seed, nodes_of(arguments, seed)));
}

/// Runs the seed again, since it goes alike, and keeps its last lines.
void explain(const Arguments& arguments, std::uint64_t seed) {
  constexpr std::size_t kLines = 60;
  auto again = prepare(arguments, seed);
  again->journal().keep(kLines);
  again->run();
  std::fprintf(stderr, "\nseed %llu, %zu nodes, commit %s\n", static_cast<unsigned long long>(seed),
               again->cluster().size(), *HOLDFAST_COMMIT ? HOLDFAST_COMMIT : "not given");
  for (const std::string& line : again->journal().kept())
    std::fprintf(stderr, "  %s\n", line.c_str());
  std::fprintf(
      stderr, "FAILED %s\nagain: holdfast-sim --seed %llu --nodes %zu --trace\n",
      again->journal().violation().value_or("not again: the run is not deterministic").c_str(),
      static_cast<unsigned long long>(seed), again->cluster().size());
}

/// What all seeds of this call found. Any thread.
struct Totals {
  std::mutex mutex;
  std::map<std::string, std::uint64_t> counts;      // guarded by mutex
  std::map<std::string, std::uint64_t> seeds_with;  // guarded by mutex
  std::vector<std::uint64_t> failed;                // guarded by mutex
  std::uint64_t done = 0;                           // guarded by mutex
};

void run_seed(const Arguments& arguments, std::uint64_t seed, std::uint64_t seeds, Totals& totals) {
  auto simulation = prepare(arguments, seed);
  if (arguments.trace) {
    simulation->journal().print_to(
        [](const std::string& line) { std::printf("%s\n", line.c_str()); });
  }
  simulation->run();
  const sim::Journal& journal = simulation->journal();
  if (seeds == 1) {
    std::printf("seed %llu trace %016llx events %llu operations %zu %s\n",
                static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(journal.hash()),
                static_cast<unsigned long long>(simulation->events()), simulation->history().size(),
                journal.violation() ? "FAILED" : "ok");
  }
  std::lock_guard lock(totals.mutex);
  for (const auto& [what, times] : journal.counts()) {
    totals.counts[what] += times;
    ++totals.seeds_with[what];
  }
  if (journal.violation()) {
    totals.failed.push_back(seed);
    explain(arguments, seed);
  }
  if (++totals.done % 50 == 0 || totals.done == seeds) {
    std::fprintf(stderr, "%llu of %llu seeds, %zu failed\n",
                 static_cast<unsigned long long>(totals.done),
                 static_cast<unsigned long long>(seeds), totals.failed.size());
  }
}

int run_all(const Arguments& arguments, std::uint64_t first, std::uint64_t last) {
  Totals totals;
  std::atomic<std::uint64_t> next{first};
  const auto work = [&] {
    for (std::uint64_t seed = next++; seed <= last; seed = next++) {
      run_seed(arguments, seed, last - first + 1, totals);
    }
  };
  std::vector<std::thread> others;
  for (unsigned i = 1; i < arguments.jobs; ++i) others.emplace_back(work);
  work();
  for (auto& other : others) other.join();
  if (arguments.coverage) {
    for (const auto& [what, times] : totals.counts) {
      std::printf("%10llu times in %5llu seeds  %s\n", static_cast<unsigned long long>(times),
                  static_cast<unsigned long long>(totals.seeds_with[what]), what.c_str());
    }
  }
  for (const std::uint64_t seed : totals.failed) {
    std::fprintf(stderr, "failed seed %llu\n", static_cast<unsigned long long>(seed));
  }
  return totals.failed.empty() ? 0 : 1;
}

bool parse_seeds(const std::string& text, std::uint64_t* first, std::uint64_t* last) {
  unsigned long long a = 0;
  unsigned long long b = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "%llu..%llu%n", &a, &b, &end) != 2) return false;
  if (static_cast<std::size_t>(end) != text.size() || a > b) return false;
  *first = a;
  *last = b;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Runs whole clusters on one thread from one seed, and checks what they promise."};
  Arguments arguments;
  auto* one = app.add_option("--seed", arguments.seed, "One seed");
  auto* many = app.add_option("--seeds", arguments.seeds, "Seeds A..B, both included");
  one->excludes(many);
  app.add_option("--nodes", arguments.nodes, "3 or 5; by the seed if not given")
      ->check(CLI::IsMember({3, 5}));
  app.add_option("--jobs", arguments.jobs, "Seeds side by side")->check(CLI::Range(1, 256));
  app.add_flag("--trace", arguments.trace, "Every event on stdout; needs --seed")->needs(one);
  app.add_flag("--print-coverage", arguments.coverage, "How often each thing was met, on stdout");
  std::uint64_t first = 1;
  std::uint64_t last = 200;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (one->count() > 0) first = last = arguments.seed;
  if (many->count() > 0 && !parse_seeds(arguments.seeds, &first, &last)) {
    std::fprintf(stderr, "--seeds: expected A..B with A <= B, not %s\n", arguments.seeds.c_str());
    return 2;
  }
  std::signal(SIGABRT, print_seed);
  return run_all(arguments, first, last);
}
