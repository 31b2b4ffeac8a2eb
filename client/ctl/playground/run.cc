// `holdfast playground run SCENARIO`.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "client/ctl/bench.h"
#include "client/ctl/commands.h"
#include "client/ctl/health.h"
#include "client/ctl/playground/playground.h"
#include "client/ctl/playground/scenario.h"
#include "client/ctl/why.h"

namespace client::ctl::playground {
namespace {

/// After the end: for the last calls of the load.
constexpr std::uint32_t kLoadEndsMs = 10'000;

std::uint64_t wall_ms() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

std::string seconds(std::uint64_t ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%5.1f s", static_cast<double>(ms) / 1000);
  return text;
}

void say(const std::string& text) {
  (void)print(stdout, text + "\n", kExitOk);
  std::fflush(stdout);
}

/// A `holdfast bench put` of its own, so that it goes on while a step is done.
class Load {
 public:
  Load(const State& state, std::uint32_t clients, std::uint32_t duration_ms)
      : path_(state.directory + "/load.json") {
    unlink(path_.c_str());
    std::string endpoints;
    for (const auto& each : state.endpoints()) endpoints += (endpoints.empty() ? "" : ",") + each;
    process_ =
        spawn({{self_path(), "--endpoints", endpoints, "-w", "json", "bench", "put", "--clients",
                std::to_string(clients), "--duration", std::to_string(duration_ms) + "ms"},
               path_});
  }
  base::Status started() const { return process_.status(); }
  /// One line for people; waits for the last calls.
  std::string end() {
    const std::uint64_t until = wall_ms() + kLoadEndsMs;
    while (is_alive(process_.value()) && wall_ms() < until) usleep(20'000);
    const auto text = read_file(path_);
    unlink(path_.c_str());
    const auto json = nlohmann::json::parse(text.is_ok() ? text.value() : "", nullptr, false);
    if (!json.is_object()) {
      return "the load said: " + (text.is_ok() ? text.value() : text.status().detail());
    }
    char line[256];
    std::snprintf(line, sizeof line,
                  "%llu writes were acknowledged; the longest time without one was %.0f ms",
                  json.value("operations", 0ULL), json.value("longest_gap_ms", 0.0));
    std::string all = line;
    for (const auto& [name, count] : json["errors"].items())
      all += "; " + count.dump() + " ended with " + name;
    return all;
  }

 private:
  const std::string path_;
  base::Result<ProcessId> process_ = base::Status(base::Code::kInternal, "");
};

class Run {
 public:
  Run(const Arguments& arguments, std::string directory, State state, Scenario scenario)
      : arguments_(arguments),
        directory_(std::move(directory)),
        state_(std::move(state)),
        scenario_(std::move(scenario)) {}

  int run() {
    if (!scenario_.about.empty()) say(scenario_.about);
    Load load(state_, arguments_.playground.clients, scenario_.end_ms);
    if (!load.started().is_ok()) return failed(load.started());
    start_ms_ = wall_ms();
    say(seconds(0) + "  " + std::to_string(arguments_.playground.clients) + " clients write");
    for (const Step& step : scenario_.steps) {
      wait_until(step.at_ms);
      if (first_ms_ == 0) {
        leader_ = leader();
        first_ms_ = wall_ms();
      }
      std::fputs((seconds(wall_ms() - start_ms_) + "  ").c_str(), stdout);
      Arguments how = arguments_;
      how.playground = step.how;
      how.playground.tag = arguments_.playground.tag;
      const int exit_code = act(how, directory_);
      std::fflush(stdout);
      if (exit_code != kExitOk) return exit_code;
    }
    wait_until(scenario_.end_ms);
    say(seconds(wall_ms() - start_ms_) + "  the end");
    const std::string written = load.end();
    return conclude(written);
  }

 private:
  int failed(const base::Status& status) const {
    return report("playground run", status, arguments_.global.format);
  }

  void wait_until(std::uint32_t at_ms) const {
    while (wall_ms() < start_ms_ + at_ms) {
      if (isatty(STDERR_FILENO) != 0)
        std::fprintf(stderr, "\r%s", seconds(wall_ms() - start_ms_).c_str());
      usleep(10'000);
    }
    if (isatty(STDERR_FILENO) != 0) std::fprintf(stderr, "\r\033[K");
  }

  std::string leader() const {
    net::Loop loop;
    return combine(ask_members(loop, state_.endpoints(), kMemberMs)).leader;
  }

  int conclude(const std::string& written) {
    Global global = arguments_.global;
    global.client.endpoints = state_.endpoints();
    std::vector<Happening> story = story_of(ask_health(global));
    std::erase_if(story, [&](const Happening& each) { return each.at_ms < start_ms_; });
    say("\nWhat came of it:\n" + simple_why(story) + written);
    if (scenario_.leadership == Leadership::kUnsaid) return kExitOk;
    const auto moved = std::find_if(story.begin(), story.end(), [&](const Happening& each) {
      return each.kind == Happening::Kind::kLeaderChange && each.at_ms >= first_ms_ &&
             each.at_ms < first_ms_ + scenario_.lasts_ms() && each.member != leader_;
    });
    const std::string now =
        moved == story.end()
            ? leader_ + " stayed"
            : moved->member + " led after " + std::to_string(moved->at_ms - first_ms_) + " ms";
    bool met = moved == story.end();
    std::string expected = "leader stays";
    if (scenario_.leadership == Leadership::kMoves) {
      met = moved != story.end() && moved->at_ms - first_ms_ <= scenario_.within_ms;
      expected = "leader moves within " + std::to_string(scenario_.within_ms) + " ms";
    }
    say("expected: " + expected + ": " + (met ? "yes, " : "no: ") + now);
    return met ? kExitOk : kExitFailure;
  }

  const Arguments& arguments_;
  const std::string directory_;
  const State state_;
  const Scenario scenario_;
  std::uint64_t start_ms_ = 0;
  std::uint64_t first_ms_ = 0;  // when the first step was taken; 0: not yet
  std::string leader_;          // at that moment
};

}  // namespace

int run_scenario(const Arguments& arguments, const std::string& directory) {
  const Format format = arguments.global.format;
  auto scenario = read_scenario(arguments.playground.scenario);
  if (!scenario.is_ok()) {
    (void)report("playground run", scenario.status(), format);
    return kExitUsage;
  }
  auto state = ask_state(arguments.playground.tag, directory);
  if (!state.is_ok()) {
    (void)report("playground run", state.status(), format);
    return kExitFailure;
  }
  const std::size_t size = state.value().nodes.size();
  if (!scenario.value().fits(size)) {
    (void)report(
        "playground run",
        {base::Code::kInvalidArgument,
         arguments.playground.scenario + " is not meant for " + std::to_string(size) + " nodes"},
        format);
    return kExitUsage;
  }
  return Run(arguments, directory, std::move(state).value(), std::move(scenario).value()).run();
}

}  // namespace client::ctl::playground
