#include "client/guard/mark.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/hash.h"
#include "base/ids.h"

namespace client::guard {
namespace {

using base::Code;
using base::Result;
using base::Status;

constexpr char kHead[] = "holdfast guard mark 1";

Status failed(const std::string& what, const std::string& path) {
  const int error = errno;
  return Status(error == ENOSPC || error == EDQUOT ? Code::kDiskFull : Code::kIo,
                what + " " + path + ": " + std::strerror(error));
}

std::string checksum(std::uint64_t token) {
  base::Hasher hasher;
  return base::to_hex(hasher.add(std::string_view(kHead)).add(token).value());
}

Status write_all(int fd, const std::string& bytes, const std::string& path) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return failed("writing", path);
    done += static_cast<std::size_t>(wrote);
  }
  return ::fsync(fd) == 0 ? Status::ok() : failed("syncing", path);
}

/// All of the old bytes are there after a crash, or all of the new ones.
Status replace(const std::string& path, const std::string& bytes) {
  const std::string partial = path + ".partial";
  const int fd = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return failed("opening", partial);
  const Status written = write_all(fd, bytes, partial);
  ::close(fd);
  if (!written.is_ok()) return written;
  if (::rename(partial.c_str(), path.c_str()) != 0) return failed("renaming", partial);
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int directory = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return failed("opening", folder);
  const bool synced = ::fsync(directory) == 0;
  ::close(directory);
  return synced ? Status::ok() : failed("syncing", folder);
}

}  // namespace

Admitted::~Admitted() {
  if (lock_fd_ < 0) return;
  (void)::flock(lock_fd_, LOCK_UN);  // a child that was forked meanwhile has it open, too
  ::close(lock_fd_);
}

Result<std::uint64_t> Mark::read() const {
  const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT) return std::uint64_t{0};
  if (fd < 0) return failed("opening", path_);
  char buffer[256];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  const Status failure = got < 0 ? failed("reading", path_) : Status::ok();
  ::close(fd);
  if (!failure.is_ok()) return failure;
  const std::string text(buffer, static_cast<std::size_t>(got));
  const std::string head = std::string(kHead) + "\n";
  std::uint64_t token = 0;
  if (text.starts_with(head)) token = std::strtoull(text.c_str() + head.size(), nullptr, 10);
  if (token == 0 || text != head + std::to_string(token) + "\n" + checksum(token) + "\n")
    return Status(Code::kCorrupt, path_ + " holds no mark: look at what it guards, then write " +
                                      "the token in force there, or remove it");
  return token;
}

Status Mark::write(std::uint64_t token) const {
  return replace(path_,
                 std::string(kHead) + "\n" + std::to_string(token) + "\n" + checksum(token) + "\n");
}

Result<Admitted> Mark::admit(std::uint64_t token) const {
  if (token == 0) return Status(Code::kInvalidArgument, "a lock's token is not 0");
  const std::string lock_path = path_ + ".lock";
  const int fd = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return failed("opening", lock_path);
  Admitted admitted(fd);
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) return failed("locking", lock_path);
  }
  const Result<std::uint64_t> mark = read();
  if (!mark.is_ok()) return mark.status();
  if (token < mark.value())
    return Status(Code::kFenced, "token " + std::to_string(token) + "; " + path_ + " has seen " +
                                     std::to_string(mark.value()));
  if (token > mark.value()) {
    const Status written = write(token);
    if (!written.is_ok()) return written;
  }
  return admitted;
}

Status replace_file(const Mark& mark, std::uint64_t token, const std::string& path,
                    const std::string& bytes) {
  const Result<Admitted> admitted = mark.admit(token);
  return admitted.is_ok() ? replace(path, bytes) : admitted.status();
}

}  // namespace client::guard
