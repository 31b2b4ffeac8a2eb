// A member directory with a RocksDB log in it that tests may copy, damage and open again.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "storage/files.h"
#include "storage/identity.h"
#include "storage/rocks_log.h"
#include "tests/conformance/log_writer.h"
#include "tests/conformance/scratch.h"

namespace storage_test {

namespace fs = std::filesystem;

/// One directory; each opening raises the epoch, as DataDirectory does.
class LogHost {
 public:
  LogHost() = default;
  /// The same files as another host has now.
  explicit LogHost(const LogHost& other) : initialised_(other.initialised_), epoch_(other.epoch_) {
    fs::copy(other.path(), path(),
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }

  base::Result<std::unique_ptr<storage::RocksLog>> try_open(
      storage::VolumeFaults* faults = nullptr) {
    const base::Opening opening{++epoch_, 5};
    CHECK(storage::write_opening(path(), opening).is_ok());
    auto log = storage::RocksLog::open(
        {.member_directory = path(),
         .identity = {base::ClusterId(1), base::MemberId(2), base::Incarnation(3)},
         .opening = opening,
         .initialised = initialised_,
         .faults = faults});
    initialised_ = initialised_ || log.is_ok();
    return log;
  }
  std::unique_ptr<storage::RocksLog> open(storage::VolumeFaults* faults = nullptr) {
    auto log = try_open(faults);
    CHECK(log.is_ok(), log.status().to_string());
    return std::move(log).value();
  }

  const std::string& path() const { return scratch_.path(); }
  fs::path log_directory() const { return path() + "/log"; }
  fs::path watermark() const { return path() + "/watermark"; }
  fs::path evidence() const { return path() + "/evidence"; }
  bool quarantined() const { return fs::exists(path() + "/QUARANTINE"); }

  /// The log's write-ahead files, oldest first.
  std::vector<fs::path> write_ahead_files() const {
    std::vector<fs::path> files;
    for (const auto& file : fs::directory_iterator(log_directory())) {
      if (file.path().extension() == ".log") files.push_back(file.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  fs::path newest_write_ahead_file() const { return write_ahead_files().back(); }

 private:
  conformance::ScratchDirectory scratch_;
  bool initialised_ = false;
  std::uint64_t epoch_ = 0;
};

inline std::string read(const fs::path& path) {
  auto bytes = storage::read_file(path.string());
  CHECK(bytes.is_ok() && bytes.value().has_value(), path.string());
  return *bytes.value();
}

inline void write(const fs::path& path, std::string_view bytes) {
  CHECK(storage::replace_file(path.string(), bytes).is_ok(), path.string());
}

inline void flip(const fs::path& path, std::size_t at, unsigned bit) {
  std::string bytes = read(path);
  bytes.at(at) = static_cast<char>(bytes[at] ^ 1 << bit);
  write(path, bytes);
}

inline void append(storage::LogStore& log, const raft::PersistRequest& request) {
  const base::Status status = log.append({&request, 1});
  CHECK(status.is_ok(), status.to_string());
}

/// Appends entries of this payload size, one an append.
inline void fill(storage::LogStore& log, conformance::LogWriter& writer, std::size_t entries,
                 std::size_t payload_bytes = 8) {
  for (std::size_t i = 0; i < entries; ++i) {
    append(log, writer.append({std::string(payload_bytes, static_cast<char>('a' + i % 26))}));
  }
}

}  // namespace storage_test
