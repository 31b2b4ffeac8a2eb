#include "tests/cluster/command.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "client/ctl/playground/process.h"

namespace cluster {

std::uint32_t time_scale() {
  const char* value = std::getenv("HOLDFAST_TIME_SCALE");
  const int scale = value == nullptr ? 1 : std::atoi(value);
  return scale < 1 ? 1 : static_cast<std::uint32_t>(scale);
}

std::uint64_t now_ms() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

bool wait_until(std::uint64_t timeout_ms, const std::function<bool()>& holds) {
  const std::uint64_t end = now_ms() + timeout_ms;
  while (!holds()) {
    if (now_ms() >= end) return false;
    usleep(10'000);
  }
  return true;
}

std::string holdfast_path() {
  return HOLDFAST_PATH;
}
std::string holdfastd_path() {
  return HOLDFASTD_PATH;
}

Scratch::Scratch() {
  // Beside the binaries: temporary folders are often in memory, where nothing is synced.
  path_ = std::filesystem::path(HOLDFASTD_PATH).parent_path() / "cluster-XXXXXX";
  if (mkdtemp(path_.data()) == nullptr) ADD_FAILURE() << "cannot make " << path_;
}
Scratch::~Scratch() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Ended run(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
          std::uint64_t timeout_ms, const std::string& input) {
  using client::ctl::playground::spawn;
  const Scratch scratch;
  const std::string in = scratch.path() + "/in", out = scratch.path() + "/out",
                    err = scratch.path() + "/err";
  std::ofstream(in, std::ios::binary) << input;
  // A shell, for the redirections; it turns into the program, so that the pid is the program's.
  std::vector<std::string> words = {"/bin/sh", "-c",
                                    "exec env \"$@\" <\"$0\" >\"$0.out\" 2>\"$0.err\"", in};
  words.insert(words.end(), environment.begin(), environment.end());
  words.insert(words.end(), argv.begin(), argv.end());
  Ended ended;
  const std::uint64_t started = now_ms();
  const auto process = spawn({words, "", false, false});
  if (!process.is_ok()) {
    ended.err = process.status().to_string();
    return ended;
  }
  const pid_t pid = process.value().pid;
  int status = 0;
  const bool in_time =
      wait_until(timeout_ms, [&] { return waitpid(pid, &status, WNOHANG) == pid; });
  if (!in_time) {
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
  } else {
    ended.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  ended.took_ms = now_ms() - started;
  ended.out = read_file(in + ".out");
  ended.err = read_file(in + ".err");
  return ended;
}

}  // namespace cluster
