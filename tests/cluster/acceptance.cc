#include "tests/cluster/acceptance.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/check.h"
#include "client/ctl/faults.h"
#include "client/ctl/playground/injections.h"
#include "tests/cluster/writers.h"

namespace cluster {
namespace {

using client::ctl::playground::Step;
using nlohmann::json;
using Action = client::ctl::PlaygroundArguments::Action;

std::uint64_t wall_ms() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

/// Sixteen sessions with four calls each: 64 clients.
WritersOptions load(const Nodes& nodes, std::uint64_t number) {
  WritersOptions options;
  options.endpoints = nodes.endpoints();
  options.prefix = "a" + std::to_string(number) + "/";
  options.clients = 16;
  return options;
}

/// Whether somebody but `than` leads. Its probes may still tell of an earlier fault.
bool another_leads(Nodes& nodes, std::size_t than) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i == than) continue;
    const auto status = nodes.status(i);
    if (status && status->leads()) return true;
  }
  return false;
}

/// From the journals: when the first of them wrote something down, and how many began to lead.
void read_journals(Nodes& nodes, std::uint64_t since_wall_ms, AcceptanceRun& run) {
  const json documents = json::parse(nodes.holdfast({"health", "-w", "json"}).out, nullptr, false);
  if (!documents.is_array()) return;
  for (const json& document : documents) {
    if (!document.contains("events")) continue;
    for (const json& event : document["events"]) {
      const auto at_ms = event["at_ms"].get<std::uint64_t>();
      if (at_ms < since_wall_ms) continue;
      const auto after_ms = static_cast<std::int64_t>(at_ms - since_wall_ms);
      const std::string what = event["what"];
      if (what == "became-leader") ++run.changes;
      if (client::ctl::playground::tells_of_a_fault(what) &&
          (run.detected_ms < 0 || after_ms < run.detected_ms)) {
        run.detected_ms = after_ms;
      }
    }
  }
}

/// Stops and wakes a process as a CPU quota does, until it is destroyed.
class Starver {
 public:
  Starver(Nodes& nodes, std::size_t i, std::uint32_t percent)
      : nodes_(nodes), i_(i), thread_([this, percent] {
          constexpr std::uint32_t kPeriodMs = 100;
          while (!ended_.load()) {
            nodes_.signal(i_, SIGSTOP);
            std::this_thread::sleep_for(std::chrono::milliseconds(kPeriodMs - percent));
            nodes_.signal(i_, SIGCONT);
            std::this_thread::sleep_for(std::chrono::milliseconds(percent));
          }
        }) {}
  ~Starver() {
    ended_ = true;
    thread_.join();
  }

 private:
  Nodes& nodes_;
  const std::size_t i_;
  std::atomic<bool> ended_{false};
  std::thread thread_;
};

/// Does what the steps say, and undoes it.
class Steps {
 public:
  explicit Steps(Nodes& nodes) : nodes_(nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i) names_.push_back(nodes.name(i));
  }

  /// Errors: what could not be done.
  base::Status take(const Step& step) {
    if (client::ctl::playground::injects(step.how.action)) return inject(step);
    if (step.how.action == Action::kHeal && step.how.node.empty()) return heal_all();
    for (const std::string& name : names_) {
      if (step.how.node == "all") {
        act(step, index(name));
        continue;
      }
      auto node = resolve(step.how.node);
      if (!node.is_ok()) return node.status();
      if (node.value() != name) continue;
      act(step, index(name));
      break;
    }
    return base::Status::ok();
  }

  base::Status heal_all() {
    starvers_.clear();
    base::Status status;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (!nodes_.runs(i)) {
        nodes_.start(i);  // its faults ended with its process
        continue;
      }
      nodes_.signal(i, SIGCONT);
      client::FaultChange clear;
      clear.kind = client::FaultChange::Kind::kClear;
      auto cleared = client::ctl::change_faults(nodes_.client_address(i), clear, kFaultMs);
      if (!cleared.is_ok()) status = cleared.status();
    }
    return status;
  }

 private:
  static constexpr std::uint32_t kFaultMs = 5000;

  std::size_t index(const std::string& name) const {
    return static_cast<std::size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
  }
  base::Result<std::string> resolve(const std::string& word) {
    const auto leader = nodes_.leader();
    return client::ctl::playground::resolve_node(word, names_, leader ? names_[*leader] : "");
  }
  base::Status inject(const Step& step) {
    auto all = client::ctl::playground::injections(
        step.how, names_, [this](const std::string& word) { return resolve(word); });
    if (!all.is_ok()) return all.status();
    for (const auto& each : all.value()) {
      auto set = client::ctl::change_faults(nodes_.client_address(index(each.node)), each.change,
                                            kFaultMs);
      if (!set.is_ok()) return set.status();
    }
    return base::Status::ok();
  }
  void act(const Step& step, std::size_t i) {
    switch (step.how.action) {
      case Action::kKill:
        return nodes_.kill(i);
      case Action::kStop:
        return void(nodes_.terminate(i, 10'000));
      case Action::kRestart:
        if (!nodes_.runs(i)) nodes_.start(i);
        return;
      case Action::kPause:
        return nodes_.signal(i, SIGSTOP);
      case Action::kStarve:
        return void(
            starvers_.emplace(i, std::make_unique<Starver>(nodes_, i, step.how.share_percent)));
      default:
        starvers_.erase(i);
        return nodes_.signal(i, SIGCONT);
    }
  }

  Nodes& nodes_;
  std::vector<std::string> names_;
  std::map<std::size_t, std::unique_ptr<Starver>> starvers_;
};

}  // namespace

std::vector<AcceptanceRow> acceptance_rows() {
  std::vector<AcceptanceRow> rows;
  for (const auto& file : std::filesystem::directory_iterator(HOLDFAST_SCENARIOS)) {
    auto scenario = client::ctl::playground::read_scenario(file.path());
    CHECK(scenario.is_ok(), scenario.status().to_string());
    rows.push_back({file.path().stem(), std::move(scenario).value()});
  }
  std::sort(rows.begin(), rows.end(),
            [](const AcceptanceRow& a, const AcceptanceRow& b) { return a.name < b.name; });
  return rows;
}

AcceptanceRun run_acceptance(Nodes& nodes, const AcceptanceRow& row, std::uint64_t number) {
  AcceptanceRun run;
  Writers writers(load(nodes, number));
  Steps steps(nodes);
  const Scenario& scenario = row.scenario;
  const std::uint64_t begin_ms = now_ms();
  const std::uint32_t first_ms = scenario.steps.front().at_ms;
  std::optional<std::size_t> leader;
  std::uint64_t wall = 0, start_ms = 0, before = 0;
  const auto wait_until_ms = [&](std::uint64_t at_ms) {
    while (now_ms() < at_ms) {
      if (leader && run.leader_ms < 0 && now_ms() < start_ms + scenario.lasts_ms() &&
          another_leads(nodes, *leader)) {
        run.leader_ms = static_cast<std::int64_t>(now_ms() - start_ms);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  };
  for (const Step& step : scenario.steps) {
    // Once the first step is taken, the others keep their distance from it.
    wait_until_ms((start_ms == 0 ? begin_ms : start_ms - first_ms) + step.at_ms);
    if (start_ms == 0) {
      // On a busy machine a leader may have been late before anything was done to it.
      (void)wait_until(5000 * time_scale(), [&] { return (leader = nodes.leader()).has_value(); });
      if (!leader) {
        run.wrong.push_back("nobody led before the fault");
        return run;
      }
      wall = wall_ms(), start_ms = now_ms(), before = writers.acknowledged();
    }
    const bool last = step.at_ms == first_ms + scenario.lasts_ms() && run.writes == 0;
    if (last) {
      run.writes = writers.acknowledged() - before;
      read_journals(nodes, wall, run);
    }
    const base::Status status = steps.take(step);
    if (!status.is_ok()) run.wrong.push_back(step.text + ": " + status.to_string());
  }
  const std::uint64_t end_ms = now_ms();
  (void)steps.heal_all();
  if (!nodes.wait_ready()) run.wrong.push_back("the cluster is not ready after the fault");
  const std::uint64_t after = writers.acknowledged();
  if (!wait_until(20'000, [&] { return writers.acknowledged() > after + 100; })) {
    run.wrong.push_back("writing does not go on after the fault");
  }
  writers.stop();
  run.unknown = writers.unknown();
  run.gap_ms = writers.longest_gap_ms(start_ms, end_ms);
  const std::string prefix = "a" + std::to_string(number) + "/";
  for (auto& wrong : compare_with_cluster(writers.history(), prefix, nodes.endpoints()))
    run.wrong.push_back(std::move(wrong));
  for (auto& wrong : compare_registers(writers.registers(), prefix, nodes.endpoints()))
    run.wrong.push_back(std::move(wrong));
  return run;
}

}  // namespace cluster
