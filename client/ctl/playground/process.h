// Processes: started so that they die with their parent, named so that a foreign one is never
// signalled. Any thread, but spawn() only on the main one (see below).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace client::ctl::playground {

/// A pid may be given to another process later; together with the start time (clock ticks since
/// boot, from /proc/PID/stat) it names one process for ever.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_time = 0;
  explicit operator bool() const { return pid > 0; }
  bool operator==(const ProcessId&) const = default;
};

/// The process that has this pid now; nothing if there is none or it is a zombie.
std::optional<ProcessId> find_process(pid_t pid);
bool is_alive(const ProcessId& process);
/// Signals this very process, or nobody. Returns whether it was there.
bool send_signal(const ProcessId& process, int signal);

struct Spawn {
  std::vector<std::string> argv;  // argv[0]: the program's path
  std::string log_path;           // stdout and stderr are appended to it; empty: inherited
  bool dies_with_parent = true;   // by SIGKILL, even if this process is killed -9
  bool own_session = false;       // of its own, else only a process group of its own
};
/// Starts a program. With dies_with_parent the kernel watches the *thread* that spawns: requires
/// that it lives as long as the process, so the main one. Errors: kIo, naming the program.
base::Result<ProcessId> spawn(const Spawn& how);

/// The other end of dies_with_parent: `holdfast playground-child PARENT_PID PROGRAM ARGUMENT…` asks
/// the kernel for the signal and turns into the program. Returns an exit code only if that fails.
int run_child(int argc, char** argv);
inline constexpr char kChildVerb[] = "playground-child";

/// The running binary.
std::string self_path();

}  // namespace client::ctl::playground
