#include "tests/sim/scenario.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/check.h"
#include "client/ctl/duration.h"
#include "client/ctl/playground/injections.h"

namespace sim {
namespace {

namespace playground = client::ctl::playground;
using Action = client::ctl::PlaygroundArguments::Action;
using Parameters = std::vector<std::pair<std::string, std::string>>;

constexpr Time kTick = 10 * kMillisecond;
constexpr Time kForEver = 3600 * kSecond;  // until `restart`

/// What FaultPlane takes where nothing is said.
Time time_in(const Parameters& parameters, const std::string& name, Time otherwise) {
  for (const auto& [key, value] : parameters) {
    if (key != name) continue;
    const auto ms = client::ctl::parse_duration_ms(value);
    CHECK(ms.is_ok(), ms.status().to_string());
    return ms.value() * kMillisecond;
  }
  return otherwise;
}
/// "30%", "10kB/s".
std::uint64_t number_in(const Parameters& parameters, const std::string& name,
                        std::uint64_t otherwise) {
  for (const auto& [key, value] : parameters) {
    if (key != name) continue;
    const std::uint64_t unit = value.find('k') != std::string::npos ? 1000 : 1;
    return std::strtoull(value.c_str(), nullptr, 10) * unit;
  }
  return otherwise;
}
std::string word_in(const Parameters& parameters, const std::string& name) {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return "";
}

/// Does what the steps say, at a simulated cluster.
class Steps {
 public:
  explicit Steps(Simulation& simulation) : simulation_(simulation) {
    for (std::size_t i = 0; i < cluster().size(); ++i)
      names_.push_back("n" + std::to_string(i + 1));
  }

  void take(const playground::Step& step) {
    if (playground::injects(step.how.action)) return inject(step);
    if (step.how.action == Action::kHeal && step.how.node.empty()) return heal_all();
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (step.how.node == "all" || resolve(step.how.node) == i) {
        act(step, i);
        if (step.how.node != "all") return;
      }
    }
  }
  void heal_all() {
    starved_.clear();
    cluster().heal();
  }

 private:
  Cluster& cluster() { return simulation_.cluster(); }
  base::Result<std::string> name_of(const std::string& word) {
    const auto leader = cluster().leader();
    return playground::resolve_node(word, names_, leader ? names_[*leader] : "");
  }
  std::size_t resolve(const std::string& word) {
    const auto name = name_of(word);
    CHECK(name.is_ok(), name.status().to_string());
    return static_cast<std::size_t>(std::find(names_.begin(), names_.end(), name.value()) -
                                    names_.begin());
  }

  void inject(const playground::Step& step) {
    const auto all = playground::injections(
        step.how, names_, [this](const std::string& word) { return name_of(word); });
    CHECK(all.is_ok(), all.status().to_string());
    for (const auto& each : all.value()) {
      const std::string& fault = each.change.name;
      const std::size_t i = resolve(each.node);
      if (fault.ends_with("-link") || fault == "drop-large") {
        at_links(i, fault, each.change.parameters);
      } else {
        at_node(cluster().node(i), fault, each.change.parameters);
      }
    }
  }

  void at_node(Node& node, const std::string& fault, const Parameters& parameters) {
    if (fault == "hang-log-sync" || fault == "stall-log") {
      node.disk().hangs = true;
    } else if (fault == "slow-log-sync") {
      const Time delay = time_in(parameters, "delay", 100 * kMillisecond);
      node.disk().sync_delay.low += delay;
      node.disk().sync_delay.high += delay;
    } else if (fault == "fail-log-sync") {
      node.disk().fails = true;
    } else if (fault == "fill-disk") {
      node.set_full(true);
    } else if (fault == "stall-loop") {
      node.pause();
    } else if (fault == "stall-apply") {
      node.engine().hangs = true;
    } else if (fault == "slow-apply") {
      const Time delay = time_in(parameters, "delay", 100 * kMillisecond);
      node.engine().delay = {delay, delay};
    } else {
      const auto by = static_cast<std::int64_t>(time_in(parameters, "by", 5 * kSecond));
      CHECK(fault == "clock-ahead" || fault == "clock-behind", fault);
      node.set_clock_offset((fault == "clock-ahead" ? by : -by) /
                            static_cast<std::int64_t>(kMillisecond));
    }
  }

  void at_links(std::size_t i, const std::string& fault, const Parameters& parameters) {
    const std::string peer = word_in(parameters, "peer");
    const std::string direction = word_in(parameters, "direction");
    for (std::size_t other = 0; other < names_.size(); ++other) {
      if (other == i || (peer != "all" && resolve(peer) != other)) continue;
      if (direction != "in") at_link(i, other, fault, parameters);
      if (direction != "out") at_link(other, i, fault, parameters);
    }
  }

  void at_link(std::size_t from, std::size_t to, const std::string& fault,
               const Parameters& parameters) {
    Network& network = cluster().network();
    if (fault == "cut-link") {
      network.cut(from, to, true);
    } else if (fault == "slow-link") {
      network.delay(from, to, time_in(parameters, "delay", 100 * kMillisecond));
    } else if (fault == "lossy-link") {
      network.lose_packets(from, to, number_in(parameters, "loss", 30));
    } else if (fault == "narrow-link") {
      network.narrow(from, to, number_in(parameters, "rate", 10'000));
    } else if (fault == "drop-large") {
      network.drop_large(from, to);
    } else if (fault == "corrupt-link") {
      network.corrupt(from, to);
    } else {
      CHECK(fault == "reset-link", fault);
      network.reset(from, to);
    }
  }

  void act(const playground::Step& step, std::size_t i) {
    Node& node = cluster().node(i);
    switch (step.how.action) {
      case Action::kKill:
        return cluster().crash(i, Crash::kKill, kForEver);
      case Action::kStop:
        return node.shut_down();
      case Action::kRestart:
        return cluster().start(i);
      case Action::kPause:
        return node.pause();
      case Action::kStarve:
        starved_.insert_or_assign(i, step.how.share_percent);
        return starve(i);
      case Action::kHeal:
        for (std::size_t other = 0; other < names_.size(); ++other) {
          cluster().network().heal(i, other);
          cluster().network().heal(other, i);
        }
        starved_.erase(i);
        return cluster().heal(i);
      default:
        starved_.erase(i);
        return node.resume();
    }
  }

  /// As under a CPU quota: of each 100 ms it runs for its share.
  void starve(std::size_t i) {
    if (!starved_.contains(i)) return;
    const Time runs = starved_.at(i) * kMillisecond;
    cluster().node(i).pause();
    simulation_.queue().after(100 * kMillisecond - runs, [this, i] {
      if (starved_.contains(i)) cluster().node(i).resume();
    });
    simulation_.queue().after(100 * kMillisecond, [this, i] { starve(i); });
  }

  Simulation& simulation_;
  std::vector<std::string> names_;
  std::map<std::size_t, std::uint64_t> starved_;  // and their share of a hundred
};

/// One run: it watches while the steps are taken.
class Run {
 public:
  Run(const playground::Scenario& scenario, std::uint64_t seed, const Options& options, bool trace)
      : scenario_(scenario), simulation_(seed, options), steps_(simulation_) {
    if (trace)
      simulation_.journal().print_to([](const std::string& line) { std::puts(line.c_str()); });
    simulation_.cluster().listen([this](std::size_t, std::string_view what) { noted(what); });
  }

  ScenarioRun run() {
    simulation_.start();
    simulation_.run_until(kCalm);
    for (int i = 0; i < 200 && !simulation_.cluster().leader(); ++i) {
      simulation_.run_until(simulation_.now() + kTick);
    }
    const Time begin = simulation_.now();
    for (const playground::Step& step : scenario_.steps) {
      watch_until(begin + step.at_ms * kMillisecond);
      if (!leader_) {
        leader_ = simulation_.cluster().leader();
        if (!leader_) {
          run_.wrong = "nobody led before the fault";
          return run_;
        }
        start_ = simulation_.now();
        end_ = start_ + scenario_.lasts_ms() * kMillisecond;
      }
      steps_.take(step);
    }
    watch_until(std::max(end_, begin + scenario_.end_ms * kMillisecond));
    run_.gap_ms =
        static_cast<std::int64_t>(longest_gap(simulation_.history(), start_, end_) / kMillisecond);
    steps_.heal_all();
    simulation_.run_until(simulation_.now() + kSecond);
    simulation_.finish();
    run_.wrong = simulation_.journal().violation().value_or("");
    for (const auto& [what, count] : simulation_.journal().counts()) {
      if (what.starts_with("verdict ")) run_.verdicts[what.substr(8)] = count;
    }
    return run_;
  }

 private:
  void noted(std::string_view what) {
    if (!leader_ || simulation_.now() >= end_) return;
    if (what == "became-leader") ++run_.changes;
    if (run_.detected_ms < 0 && playground::tells_of_a_fault(what))
      run_.detected_ms = since_start();
  }
  std::int64_t since_start() {
    return static_cast<std::int64_t>((simulation_.now() - start_) / kMillisecond);
  }
  void watch_until(Time time) {
    while (simulation_.now() + kTick <= time && !simulation_.journal().violation()) {
      simulation_.run_until(simulation_.now() + kTick);
      if (!leader_ || run_.leader_ms >= 0 || simulation_.now() > end_) continue;
      const auto now = simulation_.cluster().leader();
      if (now && now != leader_ && simulation_.cluster().node(*now).summary().can_read) {
        run_.leader_ms = since_start();
      }
    }
  }

  const playground::Scenario& scenario_;
  Simulation simulation_;
  Steps steps_;
  ScenarioRun run_;
  std::optional<std::size_t> leader_;  // when the first step was taken
  Time start_ = 0;
  Time end_ = 0;
};

}  // namespace

Time longest_gap(const History& history, Time from, Time to) {
  std::vector<Time> returns{from, to};
  for (const Operation& operation : history) {
    if (!operation.writes() || operation.invoked < from || operation.returned > to) continue;
    returns.push_back(operation.returned);
  }
  std::sort(returns.begin(), returns.end());
  Time longest = 0;
  for (std::size_t i = 1; i < returns.size(); ++i) {
    longest = std::max(longest, returns[i] - returns[i - 1]);
  }
  return longest;
}

std::string not_simulated(const playground::Scenario& scenario) {
  for (const playground::Step& step : scenario.steps) {
    if (step.how.action == Action::kBlockLogs) return "block-logs";
    const std::string& fault = step.how.fault;
    if (fault.ends_with("-dns") || fault.starts_with("block-") || fault.find("state") != fault.npos)
      return fault;
  }
  return "";
}

ScenarioRun run_scenario(const playground::Scenario& scenario, std::size_t nodes,
                         std::uint64_t seed, const ScenarioOptions& how) {
  CHECK(not_simulated(scenario).empty(), not_simulated(scenario));
  Options options;
  options.nodes = nodes;
  options.clients = how.clients;
  options.keys = std::max<std::size_t>(4, how.clients / 2);
  if (how.tune != nullptr) how.tune(options);
  return Run(scenario, seed, options, how.trace).run();
}

}  // namespace sim
