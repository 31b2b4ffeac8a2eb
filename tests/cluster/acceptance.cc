#include "tests/cluster/acceptance.h"

#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/cluster/writers.h"

namespace cluster {
namespace {

using nlohmann::json;

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

bool tells_of_a_fault(const std::string& what) {
  for (const char* each : {"verdict", "stalled", "stepped-down", "became-pre-candidate",
                           "became-candidate", "support-withdrawn"}) {
    if (what == each) return true;
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
      if (tells_of_a_fault(what) && (run.detected_ms < 0 || after_ms < run.detected_ms)) {
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

AcceptanceRow moves(std::string name, std::uint32_t bound_ms, std::vector<std::string> words) {
  AcceptanceRow row;
  row.name = std::move(name);
  row.leadership = Leadership::kMoves;
  row.leader_bound_ms = bound_ms;
  row.inject = [words](Nodes& nodes, std::size_t leader) { return inject(nodes, leader, words); };
  return row;
}

/// At the member after the leader.
AcceptanceRow at_follower(std::string name, std::vector<std::string> words) {
  AcceptanceRow row;
  row.name = std::move(name);
  row.leader_is_sick = false;
  row.inject = [words](Nodes& nodes, std::size_t leader) {
    return inject(nodes, (leader + 1) % nodes.size(), words);
  };
  return row;
}

AcceptanceRow at_leader(std::string name, std::vector<std::string> words) {
  AcceptanceRow row = at_follower(std::move(name), {});
  row.inject = [words](Nodes& nodes, std::size_t leader) { return inject(nodes, leader, words); };
  return row;
}

AcceptanceRow at_all(std::string name, std::vector<std::string> words) {
  AcceptanceRow row = at_follower(std::move(name), {});
  row.inject = [words](Nodes& nodes, std::size_t) {
    bool all = true;
    for (std::size_t i = 0; i < nodes.size(); ++i) all = inject(nodes, i, words) && all;
    return all;
  };
  return row;
}

AcceptanceRow stopped() {
  AcceptanceRow row = moves("leader-stopped", 650, {});
  row.inject = [](Nodes& nodes, std::size_t leader) {
    nodes.signal(leader, SIGSTOP);
    return true;
  };
  row.heal = [](Nodes& nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i) nodes.signal(i, SIGCONT);
  };
  return row;
}

AcceptanceRow killed() {
  AcceptanceRow row = moves("leader-killed", 400, {});
  row.inject = [](Nodes& nodes, std::size_t leader) {
    nodes.kill(leader);
    return true;
  };
  row.heal = [](Nodes& nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (!nodes.runs(i)) nodes.start(i);
    }
  };
  return row;
}

AcceptanceRow starved() {
  AcceptanceRow row = moves("leader-cpu-5-percent", 10'000, {});
  auto starver = std::make_shared<std::unique_ptr<Starver>>();
  row.inject = [starver](Nodes& nodes, std::size_t leader) {
    *starver = std::make_unique<Starver>(nodes, leader, 5);
    return true;
  };
  row.heal = [starver](Nodes&) { starver->reset(); };
  row.observed_ms = 10'000;
  return row;
}

/// The leader keeps one follower, which alone reaches the others: with five members only that one
/// can lead; with three the leader keeps its majority.
AcceptanceRow partial() {
  AcceptanceRow row;
  row.name = "partial-partition";
  row.leadership = Leadership::kMoves;
  row.leader_bound_ms = 2100;
  row.inject = [](Nodes& nodes, std::size_t leader) {
    bool all = true;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (i == leader || i == (leader + 1) % nodes.size()) continue;
      all = inject(nodes, leader, {"cut-link", "peer=" + nodes.name(i)}) && all;
    }
    return all;
  };
  return row;
}

}  // namespace

bool inject(Nodes& nodes, std::size_t i, std::vector<std::string> words) {
  words.insert(words.begin(), {"--endpoints", nodes.client_address(i), "fault"});
  return nodes.holdfast(words).exit_code == 0;
}

std::vector<AcceptanceRow> acceptance_rows() {
  std::vector<AcceptanceRow> rows = {
      moves("log-sync-never-returns", 900, {"hang-log-sync"}),
      stopped(),
      moves("loop-thread-stuck", 900, {"stall-loop"}),
      moves("log-thread-stuck", 900, {"stall-log"}),
      moves("apply-thread-stuck", 900, {"stall-apply"}),
      moves("one-way-leader-to-all", 650, {"cut-link", "peer=all", "direction=out"}),
      moves("one-way-all-to-leader", 1500, {"cut-link", "peer=all", "direction=in"}),
      moves("large-packets-lost-leader", 1800, {"drop-large", "peer=all"}),
      killed(),
      partial(),
      moves("slow-sync-leader", 10'000, {"slow-log-sync", "delay=50ms"}),
      starved(),
      at_follower("one-way-leader-to-one", {"cut-link", "peer=all", "direction=in"}),
      at_follower("slow-sync-follower", {"slow-log-sync", "delay=50ms"}),
      at_all("slow-sync-all", {"slow-log-sync", "delay=50ms"}),
      at_follower("slow-link-follower", {"slow-link", "peer=all", "delay=500ms"}),
      at_follower("narrow-link-follower", {"narrow-link", "peer=all", "rate=10kB/s"}),
      at_follower("large-packets-lost-follower", {"drop-large", "peer=all"}),
      at_leader("log-lines-blocked", {"block-log-lines"}),
      at_follower("corrupt-frames", {"corrupt-link", "peer=all"}),
      at_all("lossy-links", {"lossy-link", "peer=all", "loss=30%"}),
  };
  for (AcceptanceRow& row : rows) {
    // A leader is not moved for slowness in its first ten seconds.
    if (row.name == "slow-sync-leader") row.before_ms = 10'500, row.observed_ms = 10'000;
    if (row.name == "slow-sync-follower" || row.name == "slow-sync-all") row.observed_ms = 10'000;
    if (row.name == "lossy-links") row.observed_ms = 10'000;
    // Time for the sick one to win again and to give up again, if it stood with the others.
    if (row.name == "large-packets-lost-leader") row.observed_ms = 5000;
  }
  return rows;
}

AcceptanceRun run_acceptance(Nodes& nodes, const AcceptanceRow& row, std::uint64_t number) {
  AcceptanceRun run;
  Writers writers(load(nodes, number));
  std::this_thread::sleep_for(std::chrono::milliseconds(row.before_ms));
  const auto leader = nodes.leader();
  if (!leader) {
    run.wrong.push_back("nobody led before the fault");
    return run;
  }
  const std::uint64_t wall = wall_ms(), start_ms = now_ms(), before = writers.acknowledged();
  if (!row.inject(nodes, *leader)) run.wrong.push_back("the fault could not be injected");
  while (now_ms() < start_ms + row.observed_ms) {
    if (run.leader_ms < 0 && another_leads(nodes, *leader)) {
      run.leader_ms = static_cast<std::int64_t>(now_ms() - start_ms);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const std::uint64_t end_ms = now_ms();
  run.writes = writers.acknowledged() - before;
  read_journals(nodes, wall, run);
  if (row.heal) row.heal(nodes);
  for (std::size_t i = 0; i < nodes.size(); ++i) (void)inject(nodes, i, {"clear"});
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
