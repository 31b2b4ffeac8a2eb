#include "client/ctl/playground/playground.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "client/client.h"
#include "client/ctl/bad_argument.h"
#include "client/ctl/commands.h"
#include "client/ctl/faults.h"
#include "client/ctl/playground/control.h"
#include "client/ctl/playground/injections.h"
#include "client/roamer.h"

namespace client::ctl::playground {
namespace {

using Action = PlaygroundArguments::Action;

/// Looks every 20 ms whether it holds.
bool wait_until(std::uint32_t timeout_ms, const std::function<bool()>& holds) {
  const std::uint64_t end = boot_clock_ms() + timeout_ms;
  while (!holds()) {
    if (boot_clock_ms() >= end) return false;
    usleep(20'000);
  }
  return true;
}

/// What every action but `up` and `down` begins with.
struct Place {
  const Arguments& arguments;
  std::string directory;
  State state;

  int failed(const base::Status& status) const {
    return report("playground", status, arguments.global.format);
  }
  int done(const std::string& text) const { return print(stdout, text + "\n", kExitOk); }
  base::Result<State> ask() const { return ask_state(arguments.playground.tag, directory); }
  const Node& node(const std::string& name) const { return *state.find(name); }
};

bool answers(const Node& node) {
  net::Loop loop;
  return ask_members(loop, {node.endpoint()}, kMemberMs).at(node.endpoint()).is_ok();
}

/// kill, stop, restart, pause, resume, starve: told to the supervisor, then awaited.
int change(const Place& place, const std::string& verb, const std::string& name) {
  constexpr std::uint32_t kDownMs = 10000, kUpMs = 20000;
  const ProcessId before = place.node(name).process;
  auto answer = request(place.directory, verb + " " + name);
  if (!answer.is_ok()) return place.failed(answer.status());
  const std::string& action = verb;
  const auto now = [&] {
    auto state = place.ask();
    const Node* node = state.is_ok() ? state.value().find(name) : nullptr;
    return node == nullptr ? Node{} : *node;
  };
  if (action == "kill" || action == "stop") {
    if (!wait_until(kDownMs, [&] { return now().state == "down"; }))
      return place.failed({base::Code::kTimeout, name + " does not end"});
    return place.done(name + " is down; `restart` starts it again");
  }
  if (action == "restart") {
    const auto started = [&] {
      const Node node = now();
      return node.process && node.process != before && node.state == "running" && answers(node);
    };
    if (!wait_until(kUpMs, started))
      return place.failed({base::Code::kTimeout,
                           name + " does not answer yet; read " + place.state.log_path(name)});
    return place.done(name + " runs as pid " + std::to_string(now().process.pid));
  }
  if (action.starts_with("starve-"))
    return place.done(name + " gets " + action.substr(7) + "% of a CPU; `heal` ends it");
  return place.done(name + (action == "pause" ? " is paused" : " goes on"));
}

int inject(const Place& place) {
  const PlaygroundArguments& how = place.arguments.playground;
  const auto wanted = injections(how, place.state.names(), [&](const std::string& name) {
    return resolve(place.state, name);
  });
  if (!wanted.is_ok()) return place.failed(wanted.status());
  for (const Injection& each : wanted.value()) {
    auto faults = change_faults(place.node(each.node).endpoint(), each.change, kMemberMs);
    if (!faults.is_ok()) return place.failed(faults.status());
  }
  const std::string whom = how.action == Action::kPartition ? how.groups
                           : how.node == "all"              ? "all nodes"
                                                            : wanted.value().front().node;
  return place.done(whom + ": " + words(how));
}

base::Status heal_node(const Place& place, const Node& node) {
  if (node.state == "paused" || node.state == "starved") {
    auto answer = request(place.directory, "resume " + node.name);
    if (!answer.is_ok()) return answer.status();
  } else if (node.state != "running") {
    return {};  // faults end with the process
  }
  FaultChange change;
  change.kind = FaultChange::Kind::kClear;
  return change_faults(node.endpoint(), change, kMemberMs).status();
}

int heal(const Place& place, const std::string& name) {
  std::string healed;
  for (const auto& node : place.state.nodes) {
    if (!name.empty() && node.name != name) continue;
    const auto status = heal_node(place, node);
    if (!status.is_ok()) return place.failed(status);
    healed += (healed.empty() ? "" : ", ") + node.name;
  }
  return place.done(healed + (name.empty() ? " have no fault" : " has no fault"));
}

int print_env(const Place& place) {
  std::string endpoints;
  for (const auto& endpoint : place.state.endpoints())
    endpoints += (endpoints.empty() ? "" : ",") + endpoint;
  return print(stdout, "export HOLDFAST_ENDPOINTS=" + endpoints + "\n", kExitOk);
}

int print_status(const Place& place) {
  net::Loop loop;
  const auto cluster = combine(ask_members(loop, place.state.endpoints(), kMemberMs));
  return print(stdout,
               place.arguments.global.format == Format::kJson ? json_of(place.state, cluster)
                                                              : simple_of(place.state, cluster),
               kExitOk);
}

std::string last_lines(const std::string& text, std::uint32_t lines) {
  if (lines == 0) return text;
  std::size_t from = text.size();
  for (std::uint32_t i = 0; i <= lines && from != 0; ++i) {
    from = text.rfind('\n', from - 1);
    if (from == std::string::npos) return text;
  }
  return text.substr(from == 0 ? 0 : from + 1);
}

/// Works on a playground whose supervisor is gone, too: that is when logs are wanted most.
int print_logs(const Arguments& arguments, const std::string& directory) {
  const PlaygroundArguments& how = arguments.playground;
  auto state = load(directory);
  if (!state.is_ok())
    return report("playground", bad("there is no playground \"" + how.tag + "\""),
                  arguments.global.format);
  auto name = how.node == "supervisor" ? base::Result<std::string>(how.node)
                                       : resolve(state.value(), how.node);
  if (!name.is_ok()) return report("playground", name.status(), arguments.global.format);
  const std::string path = state.value().log_path(name.value());
  auto text = read_file(path);
  if (!text.is_ok()) return report("playground", text.status(), arguments.global.format);
  std::size_t shown = text.value().size();
  int exit_code = print(stdout, last_lines(text.value(), how.lines), kExitOk);
  while (how.follow && exit_code == kExitOk && is_locked(directory)) {
    usleep(200'000);
    text = read_file(path);
    if (!text.is_ok()) break;
    if (text.value().size() > shown)
      exit_code = print(stdout, text.value().substr(shown), exit_code);
    shown = text.value().size();
  }
  return exit_code;
}

/// The lock is free a moment before its holder has ended, and nodes die after their supervisor.
bool has_processes(const base::Result<State>& state) {
  if (!state.is_ok()) return false;
  const auto& nodes = state.value().nodes;
  return is_alive(state.value().supervisor) ||
         std::any_of(nodes.begin(), nodes.end(),
                     [](const Node& node) { return is_alive(node.process); });
}

int down(const Arguments& arguments, const std::string& directory) {
  constexpr std::uint32_t kDownMs = 15000, kKilledMs = 5000;
  const PlaygroundArguments& how = arguments.playground;
  auto state = load(directory);
  const auto gone = [&] { return !is_locked(directory) && !has_processes(state); };
  if (!gone()) {
    // A supervisor that does not listen is killed; its nodes die with it.
    const bool asked = request(directory, "down").is_ok() && wait_until(kDownMs, gone);
    if (!asked && state.is_ok()) send_signal(state.value().supervisor, SIGKILL);
    if (!wait_until(kKilledMs, gone))
      return report("playground down", {base::Code::kTimeout, "\"" + how.tag + "\" does not end"},
                    arguments.global.format);
  } else if (!state.is_ok()) {
    std::fprintf(stderr, "holdfast: there is no playground \"%s\"\n", how.tag.c_str());
    return kExitOk;
  }
  if (std::filesystem::exists(directory + "/state.json")) {
    auto lock = Lock::take(directory);
    if (lock.is_ok() && lock.value().has_value()) {
      clear_stale(directory);
      remove_if_empty(directory);
    }
  }
  const bool kept = state.is_ok() && state.value().keep_data;
  return print(
      stdout,
      how.tag + " is down" + (kept ? "; its data is kept in " + state.value().data : "") + "\n",
      kExitOk);
}

/// What the supervisor does to one node.
int act_on(const Place& place, const std::string& name) {
  const PlaygroundArguments& how = place.arguments.playground;
  switch (how.action) {
    case Action::kKill:
      return change(place, "kill", name);
    case Action::kStop:
      return change(place, "stop", name);
    case Action::kRestart:
      return change(place, "restart", name);
    case Action::kPause:
      return change(place, "pause", name);
    case Action::kStarve:
      return change(place, "starve-" + std::to_string(how.share_percent), name);
    case Action::kResume:
      return change(place, "resume", name);
    case Action::kHeal:
      return heal(place, name);
    default:
      return place.failed(bad("unknown action"));
  }
}

int act_at(const Place& place) {
  const PlaygroundArguments& how = place.arguments.playground;
  if (how.action == Action::kEnv) return print_env(place);
  if (how.action == Action::kStatus) return print_status(place);
  if (how.action == Action::kHeal && how.node.empty()) return heal(place, "");
  if (injects(how.action)) return inject(place);
  std::vector<std::string> names = place.state.names();
  if (how.node != "all") {
    auto name = resolve(place.state, how.node);
    if (!name.is_ok()) return place.failed(name.status());
    names = {std::move(name).value()};
  }
  int exit_code = kExitOk;
  for (std::size_t i = 0; i < names.size() && exit_code == kExitOk; ++i) {
    exit_code = act_on(place, names[i]);
  }
  return exit_code;
}

}  // namespace

base::Result<State> ask_state(const std::string& tag, const std::string& directory) {
  auto answer = request(directory, "list");
  if (answer.is_ok()) return from_json(answer.value());
  if (!std::filesystem::exists(directory + "/state.json"))
    return base::Status(base::Code::kUnavailable, "there is no playground \"" + tag +
                                                      "\"; `holdfast playground up --tag " + tag +
                                                      "` starts one");
  return base::Status(
      base::Code::kUnavailable,
      answer.status().detail() + "; `holdfast playground down --tag " + tag + "` cleans up");
}

base::Result<std::string> resolve(const State& state, const std::string& name) {
  std::string leader;
  if (names_by_leader(name)) {
    net::Loop loop;
    leader = combine(ask_members(loop, state.endpoints(), kMemberMs)).leader;
  }
  return resolve_node(name, state.names(), leader);
}

std::string not_ready(const State& state, const ClusterStatus& cluster) {
  std::string why;
  base::MemberId leader;
  for (const auto& row : cluster.members)
    if (row.leader && row.status.ready) leader = row.status.header.member;
  for (const auto& row : cluster.members) {
    const bool knows = row.reachable && leader && row.status.leader == leader;
    if (knows) continue;
    std::string name = row.name;
    for (const auto& node : state.nodes)
      if (node.endpoint() == row.endpoint) name = node.name;
    why += (why.empty() ? "" : "; ") + name + " " +
           (!row.reachable
                ? "does not answer"
                : row.status.role + ", " + (row.reason.empty() ? "no leader yet" : row.reason)) +
           " (log: " + state.log_path(name) + ")";
  }
  return why;
}

int report(const std::string& what, const base::Status& status, Format format) {
  if (format == Format::kJson) return fail(what, status, format);
  return print(stderr, "holdfast: " + what + ": " + status.detail() + "\n",
               base::traits(status.code()).exit_code);
}

void remove_if_empty(const std::string& directory) {
  std::error_code error;
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error))
    files += entry.path().filename() == "lock" ? 0 : 1;
  if (error || files > 0) return;
  unlink((directory + "/lock").c_str());
  std::filesystem::remove(directory, error);
}

void clear_stale(const std::string& directory) {
  auto state = load(directory);
  std::error_code error;
  if (state.is_ok()) {
    for (const auto& node : state.value().nodes) send_signal(node.process, SIGKILL);
    const auto& data = state.value().data;
    if (!state.value().keep_data && data.starts_with(directory + "/"))
      std::filesystem::remove_all(data, error);
  }
  unlink((directory + "/state.json").c_str());
  unlink((directory + "/control.sock").c_str());
}

int run(const Arguments& arguments) {
  const PlaygroundArguments& how = arguments.playground;
  if (how.action == Action::kUp) return up(arguments);
  auto directory = directory_of(how.tag);
  if (!directory.is_ok()) return report("playground", directory.status(), arguments.global.format);
  if (how.action == Action::kDown) return down(arguments, directory.value());
  if (how.action == Action::kLogs) return print_logs(arguments, directory.value());
  if (how.action == Action::kRun) return run_scenario(arguments, directory.value());
  return act(arguments, directory.value());
}

int act(const Arguments& arguments, const std::string& directory) {
  auto state = ask_state(arguments.playground.tag, directory);
  if (!state.is_ok()) {
    (void)report("playground", state.status(), arguments.global.format);
    return kExitFailure;
  }
  return act_at({arguments, directory, std::move(state).value()});
}

}  // namespace client::ctl::playground
