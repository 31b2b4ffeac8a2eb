// Runs a program to its end and keeps what it said; small things that every test here needs. Main
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace cluster {

/// By how much times are stretched: HOLDFAST_TIME_SCALE, 1 if it is not set.
std::uint32_t time_scale();
/// Milliseconds of the monotonic clock.
std::uint64_t now_ms();
/// Looks every 10 ms whether it holds, for at most timeout_ms.
bool wait_until(std::uint64_t timeout_ms, const std::function<bool()>& holds);

struct Ended {
  int exit_code = -1;  // 128 + the signal's number; -1: it did not end in time and was killed
  std::string out, err;
  std::uint64_t took_ms = 0;
};
/// `environment`: NAME=VALUE, added to ours. `input`: stdin. Killed after timeout_ms.
Ended run(const std::vector<std::string>& argv, const std::vector<std::string>& environment = {},
          std::uint64_t timeout_ms = 30000, const std::string& input = "");

std::string holdfast_path();
std::string holdfastd_path();

/// A directory of its own under the build's, removed at the end.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string read_file(const std::string& path);

}  // namespace cluster
