// The process that owns a playground's nodes: starts them, restarts what ended itself, does what
// the commands ask, and takes everything down with it. One thread, one poll.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "client/ctl/playground/control.h"
#include "client/ctl/playground/state.h"

namespace client::ctl::playground {

/// When to start a node again that ended itself: at once at first, then 200 ms, doubling to 5 s;
/// from the start again after one that ran for 10 s. Pure.
class Backoff {
 public:
  static constexpr std::uint64_t kFirstMs = 200, kMostMs = 5000, kSoundMs = 10000;
  /// The node ended after having run for `ran_ms`. Returns how long to wait.
  std::uint64_t ended(std::uint64_t ran_ms);

 private:
  std::uint32_t failures_ = 0;
};

/// The arguments of holdfastd for a node.
std::vector<std::string> server_arguments(const State& state, const Node& node);

/// Invariants:
/// - a node whose state is "down" has no process; it starts only by `restart`;
/// - only children that are not yet reaped are signalled, so their pids are surely theirs;
/// - a starved node runs for its share of each kStarvePeriodMs, as under a CPU quota;
/// - the state file is written after every change, before a command is answered.
class Supervisor {
 public:
  explicit Supervisor(State state);
  /// Until `down` or SIGTERM. Returns the exit code. Requires: the directory's lock is held.
  int run();

 private:
  static constexpr std::uint64_t kStarvePeriodMs = 100;
  enum class Wanted : std::uint8_t { kRunning, kDown };
  struct Child {
    Wanted wanted = Wanted::kRunning;
    Backoff backoff;
    std::uint64_t started_ms = 0;
    std::uint64_t start_at_ms = 0;    // 0: no start is due
    std::uint64_t kill_at_ms = 0;     // 0: no SIGKILL is due
    std::uint32_t share_percent = 0;  // of the CPU time that it gets; 0: all that it wants
    std::uint64_t turn_at_ms = 0;     // when a starved node is stopped or goes on
    bool stopped = false;             // a starved node, now
  };

  void start(std::size_t i);
  void reap();
  void ended(std::size_t i, int wait_status);
  void on_time();
  int poll_timeout_ms() const;
  base::Result<std::string> handle(const std::string& line);
  base::Result<std::string> command(const std::string& verb, std::size_t i);
  void signal(std::size_t i, int number);
  void turn(std::size_t i, std::uint64_t now_ms);
  base::Result<std::string> hold(const std::string& verb, std::size_t i);
  void stop(std::size_t i, Wanted wanted);
  void take_down();
  void save();

  State state_;
  std::vector<Child> children_;  // as state_.nodes
  bool ending_ = false;
  bool remove_ = true;  // the data too, unless it is to be kept
};

/// `holdfast playground-supervise DIRECTORY`: what `up` starts.
int run_supervisor(int argc, char** argv);
inline constexpr char kSuperviseVerb[] = "playground-supervise";

}  // namespace client::ctl::playground
