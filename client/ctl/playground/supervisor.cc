#include "client/ctl/playground/supervisor.h"

#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "client/ctl/playground/playground.h"
#include "client/roamer.h"

namespace client::ctl::playground {
namespace {

constexpr std::uint64_t kStopMs = 5000;  // from SIGTERM to SIGKILL
constexpr std::uint64_t kDownMs = 3000;  // the same at `down`
constexpr std::uint64_t kReapMs = 5000;  // and from there until we go without it

std::string how_it_ended(int wait_status) {
  if (WIFSIGNALED(wait_status))
    return "signal " + std::to_string(WTERMSIG(wait_status)) + " (" +
           strsignal(WTERMSIG(wait_status)) + ")";
  return "exit code " + std::to_string(WEXITSTATUS(wait_status));
}

int open_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

void note(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::fflush(stderr);
}

}  // namespace

std::uint64_t Backoff::ended(std::uint64_t ran_ms) {
  if (ran_ms >= kSoundMs) failures_ = 0;
  const std::uint32_t before = failures_++;
  return before == 0 ? 0 : std::min(kFirstMs << std::min(before - 1, 10u), kMostMs);
}

std::vector<std::string> server_arguments(const State& state, const Node& node) {
  const auto local = [](std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); };
  std::string cluster;
  for (const auto& each : state.nodes)
    cluster += (cluster.empty() ? "" : ",") + each.name + "=" + local(each.peer_port) + "@" +
               local(each.client_port);
  std::vector<std::string> arguments = {state.server,
                                        "--name",
                                        node.name,
                                        "--data-dir",
                                        state.data + "/" + node.name,
                                        "--cluster-token",
                                        state.token,
                                        "--initial-cluster",
                                        cluster,
                                        "--listen-client",
                                        local(node.client_port),
                                        "--listen-peer",
                                        local(node.peer_port),
                                        "--listen-http",
                                        local(node.http_port),
                                        "--allow-faults"};
  arguments.insert(arguments.end(), state.server_flags.begin(), state.server_flags.end());
  return arguments;
}

Supervisor::Supervisor(State state) : state_(std::move(state)), children_(state_.nodes.size()) {}

void Supervisor::save() {
  const auto status = write_file(state_.state_path(), to_json(state_));
  if (!status.is_ok()) note(status.to_string());
}

int Supervisor::run() {
  const int signals = open_signals();
  auto socket = ControlSocket::listen(state_.directory);
  if (!socket.is_ok() || signals < 0) {
    note(socket.status().to_string());
    return 1;
  }
  state_.supervisor = find_process(getpid()).value_or(ProcessId{});
  for (std::size_t i = 0; i < children_.size(); ++i) start(i);
  save();
  while (!ending_) {
    pollfd waits[2] = {{signals, POLLIN, 0}, {socket.value().descriptor(), POLLIN, 0}};
    (void)poll(waits, 2, poll_timeout_ms());
    signalfd_siginfo info{};
    while (read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      if (info.ssi_signo != SIGCHLD) ending_ = true;
    reap();
    on_time();
    if ((waits[1].revents & POLLIN) != 0)
      socket.value().serve([this](const std::string& line) { return handle(line); });
  }
  take_down();
  return 0;
}

void Supervisor::start(std::size_t i) {
  Node& node = state_.nodes[i];
  Child& child = children_[i];
  child.start_at_ms = 0;
  child.kill_at_ms = 0;
  child.wanted = Wanted::kRunning;
  child.started_ms = boot_clock_ms();
  auto process = spawn({server_arguments(state_, node), state_.log_path(node.name), true, false});
  if (!process.is_ok()) {
    note(node.name + ": " + process.status().to_string());
    node.last_exit = process.status().detail();
    node.state = "crashed";
    child.start_at_ms = boot_clock_ms() + Backoff::kMostMs;
    return;
  }
  node.process = process.value();
  node.state = "running";
  note(node.name + " runs as pid " + std::to_string(node.process.pid));
}

void Supervisor::reap() {
  for (std::size_t i = 0; i < children_.size(); ++i) {
    int wait_status = 0;
    if (state_.nodes[i].process && waitpid(state_.nodes[i].process.pid, &wait_status, WNOHANG) > 0)
      ended(i, wait_status);
  }
}

void Supervisor::ended(std::size_t i, int wait_status) {
  Node& node = state_.nodes[i];
  Child& child = children_[i];
  node.process = ProcessId{};
  node.last_exit = how_it_ended(wait_status);
  note(node.name + " ended: " + node.last_exit);
  child.kill_at_ms = 0;
  child.share_percent = 0;
  const std::uint64_t now = boot_clock_ms();
  if (child.wanted == Wanted::kDown) {
    node.state = "down";
  } else if (node.state == "stopping") {  // a restart: asked for, so no crash
    child.start_at_ms = now;
  } else {
    node.state = "crashed";
    ++node.restarts;
    child.start_at_ms = now + child.backoff.ended(now - child.started_ms);
  }
  save();
}

void Supervisor::on_time() {
  const std::uint64_t now = boot_clock_ms();
  for (std::size_t i = 0; i < children_.size(); ++i) {
    Child& child = children_[i];
    if (child.kill_at_ms != 0 && now >= child.kill_at_ms) {
      note(state_.nodes[i].name + " does not end: SIGKILL");
      child.kill_at_ms = 0;
      signal(i, SIGKILL);
    }
    if (child.share_percent != 0 && now >= child.turn_at_ms) turn(i, now);
    if (!ending_ && child.start_at_ms != 0 && now >= child.start_at_ms) {
      start(i);
      save();
    }
  }
}

int Supervisor::poll_timeout_ms() const {
  const std::uint64_t now = boot_clock_ms();
  std::uint64_t next = now + 3'600'000;
  for (const auto& child : children_) {
    if (child.start_at_ms != 0) next = std::min(next, child.start_at_ms);
    if (child.kill_at_ms != 0) next = std::min(next, child.kill_at_ms);
    if (child.share_percent != 0) next = std::min(next, child.turn_at_ms);
  }
  return static_cast<int>(next > now ? next - now : 0);
}

void Supervisor::signal(std::size_t i, int number) {
  if (state_.nodes[i].process) ::kill(state_.nodes[i].process.pid, number);
}

void Supervisor::turn(std::size_t i, std::uint64_t now) {
  Child& child = children_[i];
  const std::uint64_t run_ms = kStarvePeriodMs * child.share_percent / 100;
  child.stopped = !child.stopped;
  signal(i, child.stopped ? SIGSTOP : SIGCONT);
  child.turn_at_ms = now + (child.stopped ? kStarvePeriodMs - run_ms : run_ms);
}

void Supervisor::stop(std::size_t i, Wanted wanted) {
  children_[i].share_percent = 0;
  children_[i].wanted = wanted;
  children_[i].start_at_ms = 0;
  children_[i].kill_at_ms = boot_clock_ms() + kStopMs;
  signal(i, SIGTERM);
  signal(i, SIGCONT);  // a paused node takes SIGTERM only once it goes on
  state_.nodes[i].state = state_.nodes[i].process ? "stopping" : "down";
}

base::Result<std::string> Supervisor::handle(const std::string& line) {
  if (line == "list") {
    std::string json = to_json(state_);
    json.pop_back();
    return json;
  }
  if (line == "down" || line == "halt") {
    ending_ = true;
    remove_ = line == "down";
    return std::string("going down");
  }
  const auto space = line.find(' ');
  const std::string name = space == std::string::npos ? "" : line.substr(space + 1);
  for (std::size_t i = 0; i < state_.nodes.size(); ++i)
    if (state_.nodes[i].name == name) {
      auto answer = command(line.substr(0, space), i);
      save();
      return answer;
    }
  return base::Status(base::Code::kInvalidArgument, "there is no node \"" + name + "\"");
}

base::Result<std::string> Supervisor::command(const std::string& verb, std::size_t i) {
  Node& node = state_.nodes[i];
  Child& child = children_[i];
  const bool runs = static_cast<bool>(node.process);
  const auto refuse = [&](const char* why) {
    return base::Status(base::Code::kInvalidArgument, node.name + " " + why);
  };
  if (verb == "restart") {
    if (!runs)
      start(i);
    else
      stop(i, Wanted::kRunning);
    return node.name;
  }
  if (verb == "kill" || verb == "stop") {
    if (!runs) {
      // Between a crash and its restart: now it stays down.
      child.wanted = Wanted::kDown;
      child.start_at_ms = 0;
      node.state = "down";
    } else if (verb == "stop") {
      stop(i, Wanted::kDown);
    } else {
      child.wanted = Wanted::kDown;
      node.state = "stopping";
      signal(i, SIGKILL);
    }
    return node.name;
  }
  if (!runs) return refuse("does not run: `holdfast playground restart` starts it");
  if (node.state == "stopping") return refuse("is on its way down");
  return hold(verb, i);
}

/// pause, resume, starve-5. Requires: it runs.
base::Result<std::string> Supervisor::hold(const std::string& verb, std::size_t i) {
  constexpr std::string_view kStarve = "starve-";
  Node& node = state_.nodes[i];
  Child& child = children_[i];
  const bool starves = verb.starts_with(kStarve);
  if (!starves && verb != "pause" && verb != "resume")
    return base::Status(base::Code::kInvalidArgument, "unknown command " + verb);
  child.share_percent =
      starves ? static_cast<std::uint32_t>(std::atoi(verb.c_str() + kStarve.size())) : 0;
  child.stopped = false;
  child.turn_at_ms = boot_clock_ms();
  signal(i, verb == "pause" ? SIGSTOP : SIGCONT);
  node.state = starves ? "starved" : verb == "pause" ? "paused" : "running";
  return node.name;
}

void Supervisor::take_down() {
  note("going down");
  const std::uint64_t end = boot_clock_ms() + kDownMs;
  const auto left = [this] {
    return std::any_of(state_.nodes.begin(), state_.nodes.end(),
                       [](const Node& node) { return static_cast<bool>(node.process); });
  };
  for (std::size_t i = 0; i < children_.size(); ++i) {
    stop(i, Wanted::kDown);
    children_[i].kill_at_ms = end;
  }
  while (left() && boot_clock_ms() < end + kReapMs) {
    pollfd none{-1, 0, 0};
    constexpr int kLookMs = 10;
    (void)poll(&none, 1, kLookMs);
    reap();
    on_time();
  }
  std::error_code error;
  unlink(state_.socket_path().c_str());
  state_.supervisor = ProcessId{};
  save();
  if (!remove_) return;
  if (!state_.keep_data) std::filesystem::remove_all(state_.data, error);
  unlink(state_.state_path().c_str());
  remove_if_empty(state_.directory);  // data that is kept inside it stays, and it with them
}

int run_supervisor(int argc, char** argv) {
  if (argc != 3) return 2;
  // The lock came with us; the nodes must not hold it too.
  syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC);
  auto state = load(argv[2]);
  if (!state.is_ok()) {
    note(state.status().to_string());
    return 1;
  }
  return Supervisor(std::move(state).value()).run();
}

}  // namespace client::ctl::playground
