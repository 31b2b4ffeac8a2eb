#include "tests/cluster/link_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace cluster {
namespace {

constexpr int kPollMs = 20;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int dial(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

bool send_all(int fd, const char* bytes, std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::send(fd, bytes, size, MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

/// What the thread has open.
class LinkProxy::Run {
 public:
  explicit Run(LinkProxy& proxy) : proxy_(proxy) {}
  ~Run() {
    for (const Pair& pair : pairs_) hang_up(pair);
  }

  void go() {
    while (!proxy_.stopping_) turn();
  }

 private:
  struct Pair {
    int from, to;  // whoever dialled, and the target
    std::uint64_t left_bytes;
  };

  void turn() {
    std::vector<pollfd> waiting = {{proxy_.listener_, POLLIN, 0}};
    for (const Pair& pair : pairs_) {
      waiting.push_back({pair.from, POLLIN, 0});
      waiting.push_back({pair.to, POLLIN, 0});
    }
    if (::poll(waiting.data(), waiting.size(), kPollMs) <= 0) return;
    std::vector<Pair> kept;
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      Pair pair = pairs_[i];
      bool open = waiting[1 + 2 * i].revents == 0 || forward(pair);
      open = open && (waiting[2 + 2 * i].revents == 0 || back(pair));
      if (open) {
        kept.push_back(pair);
      } else {
        hang_up(pair);
      }
    }
    pairs_ = std::move(kept);
    if (waiting[0].revents != 0) accept();
  }

  void accept() {
    const int from = ::accept4(proxy_.listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (from < 0) return;
    const Pair pair{from, dial(proxy_.target_port_), proxy_.limit_()};
    if (pair.to < 0) return void(::close(from));
    pairs_.push_back(pair);
  }
  bool forward(Pair& pair) {
    const ssize_t n = ::recv(pair.from, buffer_.data(), buffer_.size(), 0);
    if (n <= 0) return false;
    const auto size = std::min(static_cast<std::uint64_t>(n), pair.left_bytes);
    if (!send_all(pair.to, buffer_.data(), size)) return false;
    proxy_.passed_bytes_ += size;
    pair.left_bytes -= size;
    if (pair.left_bytes == 0) ++proxy_.cuts_;
    return pair.left_bytes > 0;
  }
  bool back(Pair& pair) {
    const ssize_t n = ::recv(pair.to, buffer_.data(), buffer_.size(), 0);
    return n > 0 && send_all(pair.from, buffer_.data(), static_cast<std::size_t>(n));
  }
  static void hang_up(const Pair& pair) {
    ::close(pair.from);
    ::close(pair.to);
  }

  LinkProxy& proxy_;
  std::vector<Pair> pairs_;
  std::array<char, 16 * 1024> buffer_;
};

LinkProxy::LinkProxy(std::uint16_t target_port, Limit limit)
    : target_port_(target_port), limit_(std::move(limit)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  const bool listens = ::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                       ::listen(listener_, 64) == 0 &&
                       ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (!listens) return;
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(*this).go(); });
}

LinkProxy::~LinkProxy() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  ::close(listener_);
}

}  // namespace cluster
