// Runs a role of this same program in a process of its own, to be killed at any moment. By exec: a
// forked RocksDB has lost its threads.
//
// The role takes the place of the tests where the environment names it; it finds its directory
// there too, and reports progress as lines on a pipe.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "base/check.h"

namespace storage_test {

inline constexpr const char* kChildRole = "HOLDFAST_CHILD_ROLE";
inline constexpr const char* kChildDirectory = "HOLDFAST_CHILD_DIRECTORY";
inline constexpr int kReportDescriptor = 9;

/// What a child does instead of the tests; `run` never returns. Registered before main().
class ChildRole final : public testing::Environment {
 public:
  ChildRole(std::string name, void (*run)()) : name_(std::move(name)), run_(run) {}
  void SetUp() override {
    const char* role = std::getenv(kChildRole);
    if (role != nullptr && role == name_) run_();
  }

 private:
  const std::string name_;
  void (*const run_)();
};

class Child {
 public:
  Child(const std::string& role, const std::string& directory) {
    int ends[2];
    CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    reports_ = ends[0];
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], kReportDescriptor);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    ::setenv(kChildDirectory, directory.c_str(), 1);
    ::setenv(kChildRole, role.c_str(), 1);
    std::string name = "holdfast-child";
    char* arguments[] = {name.data(), nullptr};
    CHECK(::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments, environ) == 0);
    ::unsetenv(kChildRole);
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
  CHECK(directory != nullptr, "a child is started with a directory");
  return directory;
}
inline void report(const std::string& line) {
  const std::string bytes = line + "\n";
  // The parent has gone: so should we.
  if (::write(kReportDescriptor, bytes.data(), bytes.size()) < 0) ::_exit(1);
}

}  // namespace storage_test
