#include "tests/sim/campaign.h"

#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "tests/sim/shrink.h"
#include "tests/sim/simulation.h"
#include "tests/sim/totals.h"

namespace sim {
namespace {

constexpr std::uint64_t kShrinkRuns = 300;
constexpr double kSecondsBetweenLines = 5;
constexpr double kSecondsBetweenSaves = 20;

using Seed = unsigned long long;  // as printf wants it

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

Options options_of(const CampaignOptions& campaign, std::uint64_t seed) {
  Options options = draw_options(seed, nodes_of(campaign, seed), campaign.length);
  options.only_faults = campaign.only_faults;
  return options;
}

std::string numbers(const std::vector<PlannedFault>& faults) {
  std::string text;
  for (const PlannedFault& fault : faults) {
    text += (text.empty() ? "" : ",") + std::to_string(fault.number);
  }
  return text.empty() ? "none" : text;
}

void print_shrunk(const CampaignOptions& campaign, std::uint64_t seed, const Shrunk& shrunk) {
  std::fprintf(stderr, "%zu faults are enough for it%s, found in %llu runs:\n",
               shrunk.faults.size(), shrunk.minimal ? "" : " (perhaps fewer)",
               static_cast<Seed>(shrunk.runs));
  for (const PlannedFault& fault : shrunk.faults) {
    std::fprintf(stderr, "  %s fault %llu %s\n", show_time(kCalm + fault.after).c_str(),
                 static_cast<Seed>(fault.number), std::string(name_of(fault.fault)).c_str());
  }
  std::fprintf(stderr, "again: %s --only-faults %s --trace\n", command_of(campaign, seed).c_str(),
               numbers(shrunk.faults).c_str());
}

std::vector<PlannedFault> planned_before(const Simulation& simulation) {
  std::vector<PlannedFault> planned;
  for (const PlannedFault& fault : simulation.planned()) {
    if (kCalm + fault.after <= simulation.now()) planned.push_back(fault);
  }
  return planned;
}

/// Runs the seed again, since it goes alike, and keeps its last lines; then makes it smaller.
void explain(const CampaignOptions& campaign, std::uint64_t seed) {
  constexpr std::size_t kLines = 60;
  const Options options = options_of(campaign, seed);
  Simulation again(seed, options);
  again.journal().keep(kLines);
  again.run();
  std::fprintf(stderr, "\nseed %llu, %zu nodes, commit %s\n", static_cast<Seed>(seed),
               again.cluster().size(), *HOLDFAST_COMMIT ? HOLDFAST_COMMIT : "not given");
  for (const std::string& line : again.journal().kept()) {
    std::fprintf(stderr, "  %s\n", line.c_str());
  }
  std::fprintf(
      stderr, "FAILED %s\nagain: %s --trace\n",
      again.journal().violation().value_or("not again: the run is not deterministic").c_str(),
      command_of(campaign, seed).c_str());
  if (!campaign.shrinks || !again.journal().violation()) return;
  const Shrunk shrunk = shrink(
      planned_before(again),
      [&](const std::set<std::uint64_t>& only) {
        Options fewer = options;
        fewer.only_faults = only;
        Simulation run(seed, fewer);
        run.run();
        return run.journal().violation().has_value();
      },
      kShrinkRuns);
  print_shrunk(campaign, seed, shrunk);
}

/// The seed that this thread runs, for a CHECK that ends the process.
thread_local char again_after_abort[160];

class Campaign {
 public:
  explicit Campaign(const CampaignOptions& options)
      : options_(options),
        what_("holdfast-sim seeds " + std::to_string(options.first) + ".." +
              std::to_string(options.last) +
              (options.length == Length::kShort ? " short" : " whole") + " nodes " +
              std::to_string(options.nodes) + " commit " + HOLDFAST_COMMIT) {
    totals_.floor = options.first;
  }

  int run() {
    if (!options_.resume.empty()) {
      auto known = load(what_, options_.resume);
      if (!known.is_ok()) return complain(known.status());
      if (known.value()) totals_ = *std::move(known).value();
    }
    next_ = totals_.floor;
    started_ = said_ = saved_ = seconds_of(CLOCK_MONOTONIC);
    done_before_ = done();
    std::vector<std::thread> others;
    for (unsigned i = 1; i < options_.jobs; ++i) others.emplace_back([this] { work(); });
    work();
    for (auto& other : others) other.join();
    return finish();
  }

 private:
  std::uint64_t seeds() const { return options_.last - options_.first + 1; }
  std::uint64_t done() const { return totals_.floor - options_.first + totals_.above.size(); }

  static int complain(const base::Status& status) {
    std::fprintf(stderr, "holdfast-sim: %s\n", status.detail().c_str());
    return 2;
  }

  void work() {
    for (std::uint64_t seed = next_++; seed <= options_.last; seed = next_++) {
      {
        std::lock_guard lock(mutex_);
        if (options_.fail_fast && !totals_.failed.empty()) return;
        if (totals_.done(seed)) continue;
      }
      run_seed(seed);
    }
  }

  void run_seed(std::uint64_t seed) {
    std::snprintf(again_after_abort, sizeof again_after_abort,
                  "holdfast-sim: aborted; again: %s --shrink\n",
                  command_of(options_, seed).c_str());
    const double began = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    Simulation simulation(seed, options_of(options_, seed));
    if (options_.trace) {
      simulation.journal().print_to(
          [](const std::string& line) { std::printf("%s\n", line.c_str()); });
    }
    simulation.run();
    const double cpu = seconds_of(CLOCK_THREAD_CPUTIME_ID) - began;
    const Journal& journal = simulation.journal();
    if (options_.each || seeds() == 1) {
      std::printf("seed %llu trace %016llx events %llu operations %zu %s\n",
                  static_cast<Seed>(seed), static_cast<Seed>(journal.hash()),
                  static_cast<Seed>(simulation.events()), simulation.history().size(),
                  journal.violation() ? "FAILED" : "ok");
    }
    if (journal.violation()) {
      std::lock_guard lock(explaining_);
      explain(options_, seed);
    }
    std::lock_guard lock(mutex_);
    totals_.add(seed, journal, simulation.now(), static_cast<std::uint64_t>(cpu * 1e6));
    report();
  }

  /// Requires: mutex_ is held.
  void report() {
    const double now = seconds_of(CLOCK_MONOTONIC);
    if (!options_.resume.empty() && now - saved_ >= kSecondsBetweenSaves) {
      saved_ = now;
      saving_ = save(totals_, what_, options_.resume);
    }
    const bool terminal = isatty(STDERR_FILENO) != 0;
    if (done() < seeds() && now - said_ < (terminal ? 0.2 : kSecondsBetweenLines)) return;
    said_ = now;
    const double share = static_cast<double>(done()) / static_cast<double>(seeds());
    const double fresh = static_cast<double>(done() - done_before_);
    const double left = (now - started_) / fresh * static_cast<double>(seeds() - done());
    std::string bar;
    constexpr int kBar = 30;
    if (terminal) {
      bar = "\r[";
      for (int i = 0; i < kBar; ++i) bar += i < share * kBar ? '#' : '.';
      bar += "] ";
    }
    std::fprintf(stderr, "%s%llu of %llu seeds, %zu failed, %.1f simulated hours, %.0f s left%s",
                 bar.c_str(), static_cast<Seed>(done()), static_cast<Seed>(seeds()),
                 totals_.failed.size(), static_cast<double>(totals_.simulated_us) / 3.6e9, left,
                 terminal && done() < seeds() ? " " : "\n");
  }

  int finish() {
    if (!options_.resume.empty()) saving_ = save(totals_, what_, options_.resume);
    if (options_.coverage) {
      for (const auto& [what, times] : totals_.counts) {
        std::printf("%10llu times in %5llu seeds  %s\n", static_cast<Seed>(times),
                    static_cast<Seed>(totals_.seeds_with[what]), what.c_str());
      }
    }
    const double simulated = static_cast<double>(totals_.simulated_us) / 1e6;
    const double cpu = static_cast<double>(totals_.cpu_us) / 1e6;
    std::fprintf(stderr, "%.2f simulated hours, %.0f simulated seconds a CPU second\n",
                 simulated / 3600, cpu > 0 ? simulated / cpu : 0);
    for (const std::uint64_t seed : totals_.failed) {
      std::fprintf(stderr, "failed seed %llu\n", static_cast<Seed>(seed));
    }
    if (!saving_.is_ok()) return complain(saving_);
    return totals_.failed.empty() ? 0 : 1;
  }

  const CampaignOptions options_;
  const std::string what_;
  std::atomic<std::uint64_t> next_{0};
  std::mutex explaining_;  // one failure after the other; the other seeds go on meanwhile
  std::mutex mutex_;
  Totals totals_;                // guarded by mutex_
  base::Status saving_;          // guarded by mutex_
  double said_ = 0, saved_ = 0;  // guarded by mutex_
  double started_ = 0;
  std::uint64_t done_before_ = 0;
};

}  // namespace

std::size_t nodes_of(const CampaignOptions& options, std::uint64_t seed) {
  return options.nodes != 0 ? options.nodes : draw_nodes(seed);
}

std::string command_of(const CampaignOptions& options, std::uint64_t seed) {
  return "holdfast-sim --seed " + std::to_string(seed) + " --nodes " +
         std::to_string(nodes_of(options, seed)) +
         (options.length == Length::kShort ? " --short" : "");
}

const char* last_words() {
  return again_after_abort;
}

int run_campaign(const CampaignOptions& options) {
  return Campaign(options).run();
}

int shrink_seed(const CampaignOptions& options, std::uint64_t seed) {
  const Options all = options_of(options, seed);
  const auto fails = [&](const std::set<std::uint64_t>& only) {
    const pid_t child = fork();
    if (child == 0) {
      Options fewer = all;
      fewer.only_faults = only;
      // What a CHECK says each time is not what is asked for.
      if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(2);
      Simulation run(seed, fewer);
      run.run();
      _exit(run.journal().violation() ? 1 : 0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0) return false;
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  };
  const auto planned = Simulation(seed, all).planned();
  std::set<std::uint64_t> every;
  for (const PlannedFault& fault : planned) every.insert(fault.number);
  if (!fails(every)) {
    std::fprintf(stderr, "seed %llu does not fail\n", static_cast<Seed>(seed));
    return 0;
  }
  print_shrunk(options, seed, shrink(planned, fails, kShrinkRuns));
  return 1;
}

}  // namespace sim
