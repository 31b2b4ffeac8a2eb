#include "tests/cluster/socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/cluster/command.h"

namespace cluster {

Socket::Socket(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const timeval second{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof second);
}

Socket::Socket(Socket&& other) noexcept
    : fd_(other.fd_), connected_(other.connected_), closed_(other.closed_) {
  other.fd_ = -1;
}
Socket::~Socket() {
  if (fd_ >= 0) close(fd_);
}

bool Socket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string Socket::receive_until_closed(std::uint64_t timeout_ms) {
  std::string received;
  const std::uint64_t end = now_ms() + timeout_ms;
  char buffer[16 * 1024];
  while (!closed_) {
    const std::uint64_t now = now_ms();
    pollfd ready{fd_, POLLIN, 0};
    if (now >= end || poll(&ready, 1, static_cast<int>(end - now)) <= 0) break;
    const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
    if (got <= 0)
      closed_ = true;  // orderly or by a reset
    else
      received.append(buffer, static_cast<std::size_t>(got));
  }
  return received;
}

bool Socket::closes(std::uint64_t timeout_ms) {
  (void)receive_until_closed(timeout_ms);
  return closed_;
}

}  // namespace cluster
