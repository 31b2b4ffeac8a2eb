// A guard before a TCP service: who connects says its lock token first, in one line; a token below
// one that was seen is turned away, and a higher one ends the connections of all lower ones. Loop
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <kj/async-io.h>

#include "base/status.h"
#include "client/guard/mark.h"
#include "net/connection.h"
#include "net/loop.h"

namespace client::guard {

/// What a client sends first: "HOLDFAST-TOKEN 1234\n". The answer is "HOLDFAST-OK\n", and then the
/// service itself; or "HOLDFAST-FENCED 1240\n" with the mark, or "HOLDFAST-ERROR text\n", and the
/// end.
inline constexpr char kTokenWord[] = "HOLDFAST-TOKEN ";

struct ProxyCounters {
  std::uint64_t admitted = 0;
  std::uint64_t fenced = 0;
  std::uint64_t ended = 0;  // connections of a lower token, by a higher one
};

/// Invariants:
/// - the mark is durable before the first byte of who raised it reaches the service;
/// - once it has its answer, no byte of a lower token does.
class Proxy {
 public:
  static constexpr std::size_t kLineBytes = 64;
  static constexpr std::uint32_t kLineMs = 5000;  // for the first line

  /// `told`: a line for people about each connection. Errors: as net::Listener::listen.
  static base::Result<std::unique_ptr<Proxy>> listen(net::Loop& loop, const net::Address& address,
                                                     net::Address service, Mark mark,
                                                     std::function<void(const std::string&)> told);
  ~Proxy();
  std::uint16_t port() const;
  const ProxyCounters& counters() const;

 private:
  class Impl;
  explicit Proxy(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace client::guard
