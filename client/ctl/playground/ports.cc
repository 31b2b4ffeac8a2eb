#include "client/ctl/playground/ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/random.h"

namespace client::ctl::playground {
namespace {

/// A bound socket holds its port until it is destroyed.
class Holder {
 public:
  explicit Holder(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // as the servers do
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bound_ = bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    error_ = bound_ ? 0 : errno;
    // Only a listening socket keeps others from the port while SO_REUSEADDR is set.
    if (bound_ && listen(fd_, 1) != 0) {
      bound_ = false;
      error_ = errno;
    }
  }
  Holder(Holder&& other) noexcept : fd_(other.fd_), bound_(other.bound_), error_(other.error_) {
    other.fd_ = -1;
  }
  Holder& operator=(Holder&&) = delete;
  ~Holder() {
    if (fd_ >= 0) close(fd_);
  }
  bool bound() const { return bound_; }
  int error() const { return error_; }

 private:
  int fd_;
  bool bound_ = false;
  int error_ = 0;
};

}  // namespace

PortRange PortRange::part(std::size_t i, std::size_t of) const {
  CHECK(i < of);
  const std::size_t size = (std::size_t{highest} - lowest + 1) / of;
  const auto begin = static_cast<std::uint16_t>(lowest + i * size);
  return {begin, static_cast<std::uint16_t>(begin + size - 1)};
}

base::Result<std::vector<std::uint16_t>> free_ports(std::size_t count, std::uint64_t seed,
                                                    PortRange range) {
  constexpr int kTries = 2000;
  base::Random random(seed);
  std::vector<Holder> held;
  std::vector<std::uint16_t> ports;
  for (int i = 0; i < kTries && ports.size() < count; ++i) {
    const auto port = static_cast<std::uint16_t>(random.between(range.lowest, range.highest));
    Holder holder(port);
    if (!holder.bound()) continue;
    held.push_back(std::move(holder));
    ports.push_back(port);
  }
  if (ports.size() < count)
    return base::Status(base::Code::kUnavailable, "no free ports between " +
                                                      std::to_string(range.lowest) + " and " +
                                                      std::to_string(range.highest));
  return ports;
}

base::Status ports_are_free(const std::vector<std::uint16_t>& ports) {
  for (const std::uint16_t port : ports) {
    const Holder holder(port);
    if (!holder.bound())
      return {base::Code::kUnavailable,
              "port " + std::to_string(port) + ": " + std::strerror(holder.error())};
  }
  return {};
}

}  // namespace client::ctl::playground
