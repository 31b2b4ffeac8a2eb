// holdfast-sim: runs seeds of the simulator and says what they found.
#include <unistd.h>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>

#include <CLI/CLI.hpp>

#include "tests/sim/campaign.h"
#include "tests/sim/scenario_table.h"

namespace {

void print_last_words(int) {
  const char* words = sim::last_words();
  if (write(STDERR_FILENO, words, std::strlen(words)) < 0) return;
}

bool parse_seeds(const std::string& text, sim::CampaignOptions& options) {
  unsigned long long a = 0;
  unsigned long long b = 0;
  int end = 0;
  if (std::sscanf(text.c_str(), "%llu..%llu%n", &a, &b, &end) != 2) return false;
  if (static_cast<std::size_t>(end) != text.size() || a > b) return false;
  options.first = a;
  options.last = b;
  return true;
}

bool parse_faults(const std::string& text, sim::CampaignOptions& options) {
  options.only_faults.emplace();
  if (text == "none") return true;
  for (const std::string& number : CLI::detail::split(text, ',')) {
    unsigned long long value = 0;
    int end = 0;
    const bool whole = std::sscanf(number.c_str(), "%llu%n", &value, &end) == 1 &&
                       static_cast<std::size_t>(end) == number.size();
    if (!whole) return false;
    options.only_faults->insert(value);
  }
  return true;
}

int usage(const char* option, const char* expected, const std::string& found) {
  std::fprintf(stderr, "%s: expected %s, not %s\n", option, expected, found.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Runs whole clusters on one thread from one seed, and checks what they promise."};
  sim::CampaignOptions options;
  std::uint64_t seed = 0;
  std::string seeds;
  std::string faults;
  std::vector<std::string> scenarios;
  bool shorter = false;
  bool shrinks = false;
  bool whole_only = false;
  auto* one = app.add_option("--seed", seed, "One seed");
  auto* many = app.add_option("--seeds", seeds, "Seeds A..B, both included (1..200)");
  one->excludes(many);
  app.add_option("--scenario", scenarios,
                 "Files of what is to happen (see `holdfast playground run`), with each seed and "
                 "with three and five nodes; a line of figures each")
      ->check(CLI::ExistingFile);
  app.add_option("--nodes", options.nodes, "3 or 5; by the seed if not given")
      ->check(CLI::IsMember({3, 5}));
  app.add_flag("--short", shorter, "4 to 11 simulated seconds a seed, not 60 and more");
  app.add_option("--jobs", options.jobs, "Seeds side by side")->check(CLI::Range(1, 256));
  app.add_option("--resume", options.resume, "Goes on from this file, and writes it now and then");
  app.add_option("--only-faults", faults, "Of the planned faults only these, by number: 3,17")
      ->needs(one);
  app.add_flag("--shrink", shrinks, "Finds few faults with which the seed fails")->needs(one);
  app.add_flag("--no-shrink", whole_only, "Leaves failures as they are");
  app.add_flag("--trace", options.trace, "Every event on stdout; needs --seed")->needs(one);
  app.add_flag("--fail-fast", options.fail_fast, "Ends with the first failure");
  app.add_flag("--each", options.each, "A line for each seed on stdout, with its trace's hash");
  app.add_flag("--print-coverage", options.coverage, "How often each thing was met, on stdout");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.length = shorter ? sim::Length::kShort : sim::Length::kWhole;
  options.shrinks = !whole_only;
  if (one->count() > 0) options.first = options.last = seed;
  if (many->count() > 0 && !parse_seeds(seeds, options)) {
    return usage("--seeds", "A..B with A <= B", seeds);
  }
  if (!faults.empty() && !parse_faults(faults, options)) {
    return usage("--only-faults", "numbers with commas between them, or none", faults);
  }
  if (shrinks) return sim::shrink_seed(options, seed);
  std::signal(SIGABRT, print_last_words);
  if (!scenarios.empty()) return sim::run_scenarios(scenarios, options);
  return sim::run_campaign(options);
}
