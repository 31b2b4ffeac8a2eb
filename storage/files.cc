#include "storage/files.h"

#include <system_error>

#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace storage {

using base::Code;
using base::Status;

Status file_error(std::string_view what, const std::string& path, int error_number) {
  const bool full = error_number == ENOSPC || error_number == EDQUOT;
  return {full ? Code::kDiskFull : Code::kIo,
          "cannot " + std::string(what) + " " + path + ": " + std::strerror(error_number)};
}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = other.release();
  }
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int File::release() {
  return std::exchange(descriptor_, -1);
}

base::Result<File> File::open(const std::string& path, int flags, unsigned mode) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (descriptor < 0) return file_error("open", path, errno);
  return File(descriptor);
}

base::Result<std::optional<std::string>> read_file(const std::string& path) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.descriptor() < 0) {
    if (errno == ENOENT) return std::optional<std::string>();
    return file_error("open", path, errno);
  }
  std::string bytes;
  char buffer[1 << 16];
  while (true) {
    const ssize_t n = ::read(file.descriptor(), buffer, sizeof buffer);
    if (n == 0) return std::optional(std::move(bytes));
    if (n > 0) bytes.append(buffer, static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) return file_error("read", path, errno);
  }
}

Status write_at(const File& file, const std::string& path, std::string_view bytes,
                std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t n =
        ::pwrite(file.descriptor(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return file_error("write", path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return Status::ok();
}

Status replace_file(const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp";
  auto file = File::open(temporary, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file) return file.status();
  if (Status status = write_at(file.value(), temporary, bytes, 0); !status.is_ok()) return status;
  if (::fsync(file->descriptor()) != 0) return file_error("sync", temporary, errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return file_error("rename", temporary, errno);
  return sync_directory(std::filesystem::path(path).parent_path());
}

Status sync_directory(const std::string& path) {
  auto directory = File::open(path.empty() ? "." : path, O_RDONLY | O_DIRECTORY);
  if (!directory) return directory.status();
  if (::fsync(directory->descriptor()) != 0) return file_error("sync", path, errno);
  return Status::ok();
}

Status make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno == EEXIST) return Status::ok();
    return file_error("make the directory", path, errno);
  }
  return sync_directory(std::filesystem::path(path).parent_path());
}

base::Status exchange_directories(const std::string& one, const std::string& other) {
  if (::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) != 0) {
    return file_error("exchange with " + other, one, errno);
  }
  return sync_directory(std::filesystem::path(one).parent_path().string());
}

base::Status remove_directory(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  return error ? file_error("remove", path, error.value()) : base::Status::ok();
}

}  // namespace storage
