// A directory of its own for each test, removed at its end. In memory where the system has such a
// place, since tests open hundreds of databases and a killed process needs no disk to lose what it
// did not write.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/check.h"

namespace conformance {

class ScratchDirectory {
 public:
  ScratchDirectory() {
    const std::filesystem::path memory = "/dev/shm";
    const bool use_memory =
        std::getenv("TMPDIR") == nullptr && ::access(memory.c_str(), W_OK | X_OK) == 0;
    const auto parent = use_memory ? memory : std::filesystem::temp_directory_path();
    std::string pattern = parent / "holdfast-test-XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr, "cannot make a scratch directory");
    path_ = pattern;
  }
  ~ScratchDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace conformance
