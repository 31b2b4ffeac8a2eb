// Fencing outside of the store (DESIGN section 1, promise 6): the highest lock token that a
// resource has seen, kept on disk. Whoever comes with a lower one held the lock before and does not
// any more. Any thread, any number of processes of one machine.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace client::guard {

/// While it lives, nobody else is admitted to the resource.
class Admitted {
 public:
  explicit Admitted(int lock_fd) : lock_fd_(lock_fd) {}
  ~Admitted();
  Admitted(Admitted&& other) noexcept : lock_fd_(other.lock_fd_) { other.lock_fd_ = -1; }
  Admitted& operator=(Admitted&&) = delete;
  Admitted(const Admitted&) = delete;
  Admitted& operator=(const Admitted&) = delete;

 private:
  int lock_fd_;
};

/// Invariants:
/// - the mark on disk never falls, and is durable before who raised it is admitted;
/// - the check and what follows from it are one: others wait until Admitted is gone.
class Mark {
 public:
  /// `path`: where the mark is kept; PATH.lock beside it is what processes wait on.
  explicit Mark(std::string path) : path_(std::move(path)) {}

  /// Waits while another is admitted. Errors: kFenced, naming the mark: the token is lower;
  /// kInvalidArgument: it is 0; kIo, kDiskFull; kCorrupt: nobody is admitted until a person has
  /// looked.
  base::Result<Admitted> admit(std::uint64_t token) const;
  /// 0: nobody was admitted yet. Errors: kIo, kCorrupt.
  base::Result<std::uint64_t> read() const;
  const std::string& path() const { return path_; }

 private:
  base::Status write(std::uint64_t token) const;

  const std::string path_;
};

/// Replaces a file as a whole, durably, if the token is admitted. Errors: as Mark::admit.
base::Status replace_file(const Mark& mark, std::uint64_t token, const std::string& path,
                          const std::string& bytes);

}  // namespace client::guard
