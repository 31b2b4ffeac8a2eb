// Runs one test of this same program in a process of its own, to be killed at any moment. By exec:
// a forked RocksDB has lost its threads.
//
// The child's test is called DISABLED_…, so that it runs only here; it finds its directory in the
// environment and reports progress as lines on a pipe.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "base/check.h"

namespace storage_test {

inline constexpr const char* kChildDirectory = "HOLDFAST_CHILD_DIRECTORY";
inline constexpr int kReportDescriptor = 9;

class Child {
 public:
  Child(const std::string& test, const std::string& directory) {
    int ends[2];
    CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    reports_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], kReportDescriptor);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    ::setenv(kChildDirectory, directory.c_str(), 1);
    std::string name = "holdfast-child", filter = "--gtest_filter=" + test,
                disabled = "--gtest_also_run_disabled_tests";
    char* arguments[] = {name.data(), filter.data(), disabled.data(), nullptr};
    CHECK(::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
  }
  ~Child() {
    kill();
    ::close(reports_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// The next line; empty at the child's end. Blocks.
  std::string next_line() {
    std::string line;
    char byte = 0;
    while (::read(reports_, &byte, 1) == 1) {
      if (byte == '\n') return line;
      line.push_back(byte);
    }
    return {};
  }
  /// kill -9, and waits for the end.
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int reports_ = -1;
};

/// In the child.
inline std::string child_directory() {
  const char* directory = std::getenv(kChildDirectory);
  CHECK(directory != nullptr, "this test is run by another one");
  return directory;
}
inline void report(const std::string& line) {
  const std::string bytes = line + "\n";
  // The parent has gone: so should we.
  if (::write(kReportDescriptor, bytes.data(), bytes.size()) < 0) ::_exit(1);
}

}  // namespace storage_test
