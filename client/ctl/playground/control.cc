#include "client/ctl/playground/control.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace client::ctl::playground {
namespace {

constexpr std::size_t kLineBytes = 1 << 20;

/// An address in `directory`, whose path may be longer than sockaddr_un holds: reached through an
/// open descriptor of it.
class Address {
 public:
  explicit Address(const std::string& directory)
      : fd_(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    address_.sun_family = AF_UNIX;
    std::snprintf(address_.sun_path, sizeof address_.sun_path, "/proc/self/fd/%d/control.sock",
                  fd_);
  }
  ~Address() {
    if (fd_ >= 0) close(fd_);
  }
  Address(const Address&) = delete;
  Address& operator=(const Address&) = delete;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  static constexpr socklen_t kSize = sizeof(sockaddr_un);

 private:
  int fd_;
  sockaddr_un address_{};
};

void set_timeout(int fd, int seconds) {
  const timeval timeout{seconds, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
}

bool send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// Up to the line's end, which is cut off; false on an error, a time-out or a line without end.
bool receive_line(int fd, std::string* line) {
  char buffer[4096];
  line->clear();
  while (line->size() < kLineBytes) {
    const ssize_t got = recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    line->append(buffer, static_cast<std::size_t>(got));
    if (line->back() == '\n') {
      line->pop_back();
      return true;
    }
  }
  return false;
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
};

}  // namespace

base::Result<std::string> request(const std::string& directory, const std::string& line) {
  constexpr int kAnswerSeconds = 5;
  const auto unavailable = [](const std::string& why) {
    return base::Status(base::Code::kUnavailable, "the playground's supervisor " + why);
  };
  const Address address(directory);
  const Descriptor socket_fd{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  set_timeout(socket_fd.fd, kAnswerSeconds);
  if (connect(socket_fd.fd, address.get(), Address::kSize) != 0)
    return unavailable(std::string("cannot be reached: ") + std::strerror(errno));
  std::string answer;
  if (!send_all(socket_fd.fd, line + "\n") || !receive_line(socket_fd.fd, &answer))
    return unavailable("did not answer");
  if (answer == "ok" || answer.starts_with("ok ")) return answer.substr(answer.size() > 2 ? 3 : 2);
  if (answer.starts_with("error "))
    return base::Status(base::Code::kInvalidArgument, answer.substr(6));
  return unavailable("answered something else: " + answer);
}

base::Result<ControlSocket> ControlSocket::listen(const std::string& directory) {
  const Address address(directory);
  unlink((directory + "/control.sock").c_str());
  ControlSocket socket_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  constexpr int kBacklog = 16;
  if (socket_fd.fd_ < 0 || bind(socket_fd.fd_, address.get(), Address::kSize) != 0 ||
      ::listen(socket_fd.fd_, kBacklog) != 0)
    return base::Status(base::Code::kIo,
                        directory + "/control.sock: " + std::string(std::strerror(errno)));
  return socket_fd;
}

ControlSocket::ControlSocket(ControlSocket&& other) noexcept : fd_(other.fd_) {
  other.fd_ = -1;
}
ControlSocket::~ControlSocket() {
  if (fd_ >= 0) close(fd_);
}

void ControlSocket::serve(
    const std::function<base::Result<std::string>(const std::string&)>& handle) {
  const Descriptor peer{accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC)};
  if (peer.fd < 0) return;
  set_timeout(peer.fd, 1);
  std::string line;
  if (!receive_line(peer.fd, &line)) return;
  auto answer = handle(line);
  const std::string text =
      answer.is_ok() ? "ok " + answer.value() : "error " + answer.status().detail();
  (void)send_all(peer.fd, text + "\n");
}

}  // namespace client::ctl::playground
