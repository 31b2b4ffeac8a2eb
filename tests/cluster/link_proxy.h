// A TCP proxy in front of a port of 127.0.0.1, which cuts connections where a test wants it. A
// thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

namespace cluster {

/// Invariant: bytes pass in order and unchanged until the connection is cut.
class LinkProxy {
 public:
  /// For each connection, before it passes anything: after how many bytes towards the target it is
  /// cut. Called by the proxy's thread.
  using Limit = std::function<std::uint64_t()>;

  LinkProxy(std::uint16_t target_port, Limit limit);
  ~LinkProxy();
  LinkProxy(const LinkProxy&) = delete;
  LinkProxy& operator=(const LinkProxy&) = delete;

  /// Where it listens; 0: it could not.
  std::uint16_t port() const { return port_; }
  /// Connections that were cut so far.
  std::uint64_t cuts() const { return cuts_.load(); }
  /// Bytes that went to the target, over all connections.
  std::uint64_t passed_bytes() const { return passed_bytes_.load(); }

 private:
  class Run;
  const std::uint16_t target_port_;
  const Limit limit_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> cuts_{0}, passed_bytes_{0};
  std::thread thread_;
};

}  // namespace cluster
