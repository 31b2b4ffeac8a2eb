// The few file operations that storage/ needs beside RocksDB, with errors as Status in plain words.
// Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace storage {

/// kDiskFull or kIo: "cannot WHAT PATH: the system's words".
base::Status file_error(std::string_view what, const std::string& path, int error_number);

/// A file descriptor that closes itself.
class File {
 public:
  File() = default;
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(File&& other) noexcept : descriptor_(other.release()) {}
  File& operator=(File&& other) noexcept;
  ~File();

  /// flags, mode: as of open(2); O_CLOEXEC is added.
  static base::Result<File> open(const std::string& path, int flags, unsigned mode = 0600);
  int descriptor() const { return descriptor_; }
  int release();

 private:
  int descriptor_ = -1;
};

/// The whole file; nullopt if there is none. Errors: kIo.
base::Result<std::optional<std::string>> read_file(const std::string& path);
/// Writes all bytes at an offset. Errors: kIo, kDiskFull.
base::Status write_at(const File& file, const std::string& path, std::string_view bytes,
                      std::uint64_t offset);
/// Replaces the file as a whole: after a crash there is the old one or the new one, and after a
/// return without error the new one. Errors: kIo, kDiskFull.
base::Status replace_file(const std::string& path, std::string_view bytes);
/// Swaps two directories, at once and durably: after a crash both names are swapped or neither is.
/// Errors: kIo; also where the file system cannot swap.
base::Status exchange_directories(const std::string& one, const std::string& other);
/// Removes the directory and all in it; nothing happens if there is none. Errors: kIo.
base::Status remove_directory(const std::string& path);
/// Makes the names in a directory durable. Errors: kIo.
base::Status sync_directory(const std::string& path);
/// Creates the directory with mode 0700 unless it is there, and makes its name durable.
/// Errors: kIo, kDiskFull.
base::Status make_directory(const std::string& path);

}  // namespace storage
