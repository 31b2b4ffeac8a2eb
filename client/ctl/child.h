// A command that a verb runs: `watch --exec`, `lock NAME -- CMD`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "base/status.h"

namespace client::ctl {

/// Invariant: it is waited for or ended before this goes.
class Child {
 public:
  Child() = default;
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Starts `command`, found as a shell finds it, with these variables added to the environment.
  /// Requires: it was not started. Errors: kInvalidArgument: it cannot be run.
  base::Status start(const std::vector<std::string>& command,
                     const std::vector<std::pair<std::string, std::string>>& variables);
  /// Its exit code, as a shell says it (128 + the signal that ended it), once it has ended; -1: it
  /// runs.
  int poll();
  /// Waits, however long.
  int wait();
  void signal(int signal) const;
  bool runs() { return pid_ > 0 && poll() < 0; }

 private:
  int ended(int status);

  pid_t pid_ = 0;
  int exit_code_ = -1;
};

}  // namespace client::ctl
