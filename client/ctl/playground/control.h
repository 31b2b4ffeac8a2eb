// The Unix socket between the playground's commands and its supervisor: one request a connection,
// one line each way. Blocking, with bounds.
#pragma once

#include <functional>
#include <string>

#include "base/status.h"

namespace client::ctl::playground {

/// Sends a line and returns the answer, without its "ok ". Errors: kUnavailable (nobody listens, no
/// answer in 5 s), kInvalidArgument (the supervisor refused, with its text).
base::Result<std::string> request(const std::string& directory, const std::string& line);

/// The listening end.
class ControlSocket {
 public:
  /// Replaces a socket that a dead supervisor left: requires the directory's lock. Errors: kIo.
  static base::Result<ControlSocket> listen(const std::string& directory);
  ControlSocket(ControlSocket&& other) noexcept;
  ControlSocket& operator=(ControlSocket&&) = delete;
  ~ControlSocket();
  int descriptor() const { return fd_; }
  /// Takes one connection and answers it by `handle`; one that says nothing for 1 s is dropped.
  void serve(const std::function<base::Result<std::string>(const std::string&)>& handle);

 private:
  explicit ControlSocket(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace client::ctl::playground
