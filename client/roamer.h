// One connection to some member, for what is not a call: renewals of leases, watches. Moves on to
// another member when told to. Loop thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <kj/async.h>

#include "client/options.h"
#include "net/connection.h"
#include "net/loop.h"
#include "schema/client.capnp.h"

namespace client {

/// Milliseconds of the boot-time clock, which also counts while the machine or the process sleeps:
/// what leases are measured with.
std::uint64_t boot_clock_ms();

/// An open connection. Shared by those who wait for an answer on it.
class Line {
 public:
  Line(net::Loop& loop, std::shared_ptr<net::Socket> socket, std::string address);
  const std::string& address() const { return address_; }
  schema::Holdfast::Client& member() { return member_; }
  /// Once. Resolves when the connection is gone.
  kj::Promise<void> on_disconnect() { return rpc_->on_disconnect(); }

 private:
  const std::string address_;
  std::unique_ptr<net::RpcClient> rpc_;
  schema::Holdfast::Client member_;
};
using LinePtr = std::shared_ptr<Line>;

/// Invariant: a line is let go in a turn of its own, never inside its own callbacks.
class Roamer final : private kj::TaskSet::ErrorHandler {
 public:
  /// Requires: at least one endpoint.
  Roamer(net::Loop& loop, const Options& options);
  ~Roamer();

  /// The line there is, or a new one: at most one dial is under way. Rejected if that fails; the
  /// next call tries the next endpoint.
  kj::Promise<LinePtr> line();
  /// `line` is of no use any more: the next one goes to `hint`, or to the next endpoint.
  void move_on(const LinePtr& line, const std::string& hint = "");
  /// A member that can be asked, too.
  void learn(const std::string& address);
  const std::vector<std::string>& endpoints() const { return endpoints_; }

 private:
  kj::Promise<LinePtr> dial();
  void taskFailed(kj::Exception&&) override {}

  net::Loop& loop_;
  const Options options_;
  std::vector<std::string> endpoints_;
  std::size_t next_ = 0;
  LinePtr line_;
  kj::Maybe<kj::ForkedPromise<LinePtr>> dialling_;
  kj::TaskSet tasks_;
};

}  // namespace client
