// holdfastd: one member. The only place of the server that makes threads.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "server/config.h"
#include "server/fault_plane.h"
#include "server/log_sink.h"
#include "server/node.h"
#include "server/offline.h"
#include "server/watchdog.h"

namespace {

constexpr std::uint32_t kDrainMs = 2000;
constexpr std::uint32_t kStopMs = 2000;

/// SIGTERM and SIGINT wait for wait_for_signal() in every thread; a broken pipe is an error code.
sigset_t block_signals() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return ends;
}

void start(std::vector<std::thread>& threads, server::Node& node) {
  for (auto& role : node.roles()) {
    threads.emplace_back([role = std::move(role)] {
      pthread_setname_np(pthread_self(), role.name.c_str());
      role.run();
    });
  }
}

/// Ends the threads. A disk that hangs is left behind with the process: nothing that anybody was
/// told rests on what it still has to do. Returns false then.
bool stop(server::Node& node, std::vector<std::thread>& threads) {
  node.stop();
  if (!node.wait_until_stopped(kStopMs)) return false;
  for (auto& thread : threads) thread.join();
  return true;
}

/// From listening to SIGTERM or SIGINT. Returns the exit code.
int serve(const server::Config& config, server::Node& node, server::LogSink& lines,
          const sigset_t& ends) {
  if (const auto status = node.wait_until_listening(); !status.is_ok()) {
    lines.write(server::LogLevel::kError, "cannot listen", {{"reason", status.to_string()}});
    return 1;
  }
  lines.write(server::LogLevel::kInfo, "listening",
              {{"client", config.listen_client.to_string()},
               {"peer", config.listen_peer.to_string()},
               {"http", config.listen_http.to_string()},
               {"version", std::string(HOLDFAST_VERSION)},
               {"pid", static_cast<std::uint64_t>(::getpid())}});
  int signal_number = 0;
  sigwait(&ends, &signal_number);
  lines.write(server::LogLevel::kInfo, "shutting down",
              {{"signal", static_cast<std::uint64_t>(signal_number)}});
  const bool drained = node.drain(kDrainMs);
  lines.write(server::LogLevel::kInfo, "drained", {{"complete", drained}});
  return 0;
}

int run(const server::Config& config, const sigset_t& ends) {
  // Like the log it outlives threads that hang.
  auto faults = std::make_unique<server::FaultPlane>();
  auto lines = std::make_unique<server::LogSink>(
      server::LogOptions{.node = config.name,
                         .format = config.log_format,
                         .level = config.log_level,
                         .blocked = &faults->process().block_lines});
  auto opened = server::Node::open(config, *lines, *faults, server::end_process);
  if (!opened) {
    lines->write(server::LogLevel::kError, "cannot start",
                 {{"reason", opened.status().to_string()}});
    return 1;
  }
  server::Node& node = *opened.value();
  std::vector<std::thread> threads;
  start(threads, node);
  const int exit_code = serve(config, node, *lines, ends);
  const bool stopped = stop(node, threads);
  lines->write(server::LogLevel::kInfo, "stopped", {{"clean", stopped}});
  if (stopped) return exit_code;
  lines.release();  // the hung threads still refer to both
  faults.release();
  ::_exit(exit_code);
}

}  // namespace

int main(int argc, char** argv) {
  const auto getenv = [](const char* name) -> const char* { return std::getenv(name); };
  if (const auto exit_code = server::run_offline(argc, argv, getenv)) return *exit_code;
  const sigset_t ends = block_signals();
  const server::CommandLine line = server::parse_command_line(argc, argv, getenv);
  if (!line.config) {
    std::fputs(line.text.c_str(), line.exit_code == 0 ? stdout : stderr);
    return line.exit_code;
  }
  return run(*line.config, ends);
}
