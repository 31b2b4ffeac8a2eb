// `holdfast playground up`: plans a cluster, starts its supervisor, waits until it is ready.
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>

#include "client/ctl/bad_argument.h"
#include "client/ctl/commands.h"
#include "client/ctl/playground/control.h"
#include "client/ctl/playground/playground.h"
#include "client/ctl/playground/ports.h"
#include "client/ctl/playground/supervisor.h"
#include "client/ctl/server_program.h"
#include "client/roamer.h"

namespace client::ctl::playground {
namespace {

constexpr std::uint32_t kAskMs = 300;
constexpr std::uint32_t kCrashLoop = 4;  // a node that ended itself so often will not become ready

std::uint64_t random_number() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

/// Token and ports of the cluster whose data this is, if there is any.
base::Status reuse_cluster(State& state, std::uint32_t nodes) {
  auto text = read_file(state.data + "/cluster.json");
  if (!text.is_ok()) return {};
  auto before = from_json(text.value());
  if (!before.is_ok()) return before.status();
  if (nodes != 0 && nodes != before.value().nodes.size())
    return bad(state.data + " holds a cluster of " + std::to_string(before.value().nodes.size()) +
               " nodes, not " + std::to_string(nodes));
  state.token = before.value().token;
  for (const auto& known : before.value().nodes) {
    Node node;
    node.name = known.name;
    node.client_port = known.client_port;
    node.peer_port = known.peer_port;
    node.http_port = known.http_port;
    state.nodes.push_back(node);
  }
  return {};
}

base::Status assign_ports(State& state, std::uint16_t port_base) {
  std::vector<std::uint16_t> ports;
  for (const auto& node : state.nodes)
    for (const std::uint16_t port : {node.client_port, node.peer_port, node.http_port})
      ports.push_back(port);
  const bool known = !ports.empty() && ports.front() != 0;
  if (port_base != 0) {
    if (port_base + ports.size() > 65535) return bad("--port-base is too high");
    for (std::size_t i = 0; i < ports.size(); ++i)
      ports[i] = static_cast<std::uint16_t>(port_base + i);
    auto status = ports_are_free(ports);
    if (!status.is_ok()) return status;
  } else if (!known || !ports_are_free(ports).is_ok()) {
    auto free = free_ports(ports.size(), random_number());
    if (!free.is_ok()) return free.status();
    ports = std::move(free).value();
  }
  for (std::size_t i = 0; i < state.nodes.size(); ++i) {
    state.nodes[i].client_port = ports[3 * i];
    state.nodes[i].peer_port = ports[3 * i + 1];
    state.nodes[i].http_port = ports[3 * i + 2];
  }
  return {};
}

base::Result<State> plan(const PlaygroundArguments& arguments, const std::string& directory) {
  State state;
  state.tag = arguments.tag;
  state.directory = directory;
  state.data = arguments.data.empty() ? directory + "/data"
                                      : std::filesystem::absolute(arguments.data).string();
  state.keep_data = arguments.keep || !arguments.data.empty();
  state.server_flags = arguments.server_flags;
  auto server = find_server_program();
  if (!server.is_ok()) return server.status();
  state.server = server.value();
  auto status = reuse_cluster(state, arguments.nodes);
  if (!status.is_ok()) return status;
  if (state.nodes.empty()) {
    state.token = base::to_hex(random_number()) + base::to_hex(random_number());
    state.nodes.resize(arguments.nodes == 0 ? 3 : arguments.nodes);
    for (std::size_t i = 0; i < state.nodes.size(); ++i)
      state.nodes[i].name = "n" + std::to_string(i + 1);
  }
  status = assign_ports(state, arguments.port_base);
  if (!status.is_ok()) return status;
  return state;
}

base::Status write_plan(const State& state) {
  std::error_code error;
  std::filesystem::create_directories(state.data + "/logs", error);
  if (error) return {base::Code::kIo, state.data + ": " + error.message()};
  auto status = write_file(state.data + "/cluster.json", to_json(state));
  return status.is_ok() ? write_file(state.state_path(), to_json(state)) : status;
}

/// Ctrl-C and SIGTERM as something to look at, so that the cluster is taken down on the way out.
class Signals {
 public:
  Signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    fd_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~Signals() { close(fd_); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  bool came() {
    signalfd_siginfo info{};
    return read(fd_, &info, sizeof info) == static_cast<ssize_t>(sizeof info);
  }

 private:
  int fd_;
};

/// Lets `ms` pass on the loop.
void pass(net::Loop& loop, std::uint32_t ms) {
  (void)loop.wait(loop.timer().afterDelay(ms * kj::MILLISECONDS), ms + 1000);
}

std::string crash_loop(const State& state) {
  for (const auto& node : state.nodes)
    if (node.restarts >= kCrashLoop)
      return node.name + " ended " + std::to_string(node.restarts) + " times, the last time with " +
             node.last_exit + "; read " + state.log_path(node.name);
  return "";
}

/// Until every node knows the leader. Returns why not, in the end; empty if ready.
std::string wait_ready(net::Loop& loop, const State& planned, std::uint32_t wait_ms,
                       Signals& signals, ClusterStatus& cluster) {
  const std::uint64_t end = boot_clock_ms() + wait_ms;
  std::uint64_t next_word = boot_clock_ms() + 1000;
  std::string why = "the supervisor did not start";
  while (boot_clock_ms() < end) {
    if (signals.came()) return "interrupted";
    pass(loop, 50);
    auto state = ask_state(planned.tag, planned.directory);
    if (!state.is_ok()) continue;
    const std::string crash = crash_loop(state.value());
    if (!crash.empty()) return crash;
    cluster = combine(ask_members(loop, planned.endpoints(), kAskMs));
    why = not_ready(state.value(), cluster);
    if (why.empty()) return "";
    if (boot_clock_ms() < next_word) continue;
    std::fprintf(stderr, "waiting: %s\n", why.c_str());
    next_word = boot_clock_ms() + 2000;
  }
  return "not ready after " + std::to_string(wait_ms / 1000) + " s: " + why;
}

/// Stops the processes and keeps the files, so that the logs can be read.
int give_up(const State& state, const std::string& why) {
  std::fprintf(stderr, "holdfast: playground up: %s\n", why.c_str());
  (void)request(state.directory, "halt");
  const std::uint64_t end = boot_clock_ms() + 10000;
  while (is_locked(state.directory) && boot_clock_ms() < end) usleep(20'000);
  std::fprintf(stderr, "Everything was stopped; the logs are in %s/logs.\n", state.data.c_str());
  return kExitFailure;
}

std::string greeting(const State& state, const ClusterStatus& cluster) {
  std::string text = simple_of(state, cluster);
  text += "\nReach it with:  eval \"$(holdfast playground env --tag " + state.tag + ")\"\n";
  text += "End it with:    holdfast playground down --tag " + state.tag + "\n";
  return text;
}

/// The foreground: until a signal, or until somebody else took the playground down.
int stay(const State& state, pid_t supervisor, Signals& signals) {
  int wait_status = 0;
  bool asked = false;
  while (waitpid(supervisor, &wait_status, WNOHANG) == 0) {
    if (signals.came()) {
      if (asked) ::kill(supervisor, SIGKILL);  // the second time: at once; the nodes go with it
      std::fprintf(stderr, "going down\n");
      (void)request(state.directory, "down");
      asked = true;
    }
    usleep(50'000);
  }
  const bool ended = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
  return ended ? kExitOk : kExitFailure;
}

}  // namespace

int up(const Arguments& arguments) {
  const PlaygroundArguments& how = arguments.playground;
  const Format format = arguments.global.format;
  const std::string what = "playground up";
  auto directory = directory_of(how.tag);
  if (!directory.is_ok()) return report(what, directory.status(), format);
  Signals signals;
  State state;
  ProcessId supervisor;
  {
    auto lock = Lock::take(directory.value());
    if (!lock.is_ok()) return report(what, lock.status(), format);
    if (!lock.value().has_value())
      return report(what,
                    bad("\"" + how.tag + "\" is up already; `holdfast playground down --tag " +
                        how.tag + "` ends it"),
                    format);
    clear_stale(directory.value());
    auto planned = plan(how, directory.value());
    if (!planned.is_ok()) return report(what, planned.status(), format);
    state = std::move(planned).value();
    auto written = write_plan(state);
    if (!written.is_ok()) return report(what, written, format);
    lock.value()->inherit();
    auto started = spawn({{self_path(), kSuperviseVerb, state.directory},
                          state.log_path("supervisor"),
                          !how.detach,
                          how.detach});
    if (!started.is_ok()) return report(what, started.status(), format);
    supervisor = started.value();
  }
  net::Loop loop;
  ClusterStatus cluster;
  const std::string why = wait_ready(loop, state, how.wait_ms, signals, cluster);
  if (!why.empty()) return give_up(state, why);
  auto running = ask_state(state.tag, state.directory);
  if (running.is_ok()) state = std::move(running).value();
  const int printed =
      print(stdout, format == Format::kJson ? json_of(state, cluster) : greeting(state, cluster),
            kExitOk);
  return how.detach ? printed : stay(state, supervisor.pid, signals);
}

}  // namespace client::ctl::playground
