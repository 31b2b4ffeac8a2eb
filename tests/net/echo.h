// A server and clients of schema::Peer on one loop, for the tests of streams and RPC.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <kj/async.h>
#include <kj/debug.h>
#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/write.hpp>

#include "base/check.h"
#include "net/connection.h"
#include "net/loop.h"
#include "net/socket.h"
#include "schema/peer.capnp.h"

namespace net {

/// How long a test waits for what must come. Long, since it is spent only when a test fails, and a
/// loaded machine may stand still for seconds.
constexpr std::uint32_t kPatienceMs = 60000;

/// Counts what is delivered; answers at once, or never while `hold` is set.
class CountingPeer final : public schema::Peer::Server {
 public:
  struct Counts {
    std::uint64_t delivered = 0;
    std::uint64_t body_bytes = 0;
    bool hold = false;
    bool fail = false;  // every call, and none but itself
  };
  explicit CountingPeer(std::shared_ptr<Counts> counts) : counts_(std::move(counts)) {}
  kj::Promise<void> deliver(DeliverContext context) override {
    ++counts_->delivered;
    counts_->body_bytes += context.getParams().getEnvelope().getBody().size();
    KJ_REQUIRE(!counts_->fail, "as planned");
    if (counts_->hold) return kj::NEVER_DONE;
    return kj::READY_NOW;
  }

 private:
  const std::shared_ptr<Counts> counts_;
};

class EchoServer : private kj::TaskSet::ErrorHandler {
 public:
  EchoServer(Loop& loop, ConnectionLimits limits, std::uint32_t max_connections = 100,
             std::uint16_t port = 0)
      : tasks(*this) {
    auto listening = Listener::listen(
        loop, {"127.0.0.1", port}, max_connections,
        [=, this, &loop](std::shared_ptr<Socket> socket) {
          sockets.push_back(socket);
          tasks.add(serve_rpc(loop, std::move(socket), kj::heap<CountingPeer>(counts), limits));
        });
    CHECK(listening.is_ok(), listening.status().to_string());
    listener = std::move(listening).value();
  }
  Address address() const { return {"127.0.0.1", listener->port()}; }
  std::size_t open_connections() const {
    std::size_t open = 0;
    for (const auto& socket : sockets) {
      const auto held = socket.lock();
      open += held != nullptr && held->open() ? 1 : 0;
    }
    return open;
  }

  std::shared_ptr<CountingPeer::Counts> counts = std::make_shared<CountingPeer::Counts>();
  std::vector<std::weak_ptr<Socket>> sockets;
  std::unique_ptr<Listener> listener;
  kj::TaskSet tasks;

 private:
  void taskFailed(kj::Exception&&) override {}
};

inline std::unique_ptr<RpcClient> connect(Loop& loop, const Address& to,
                                          ConnectionLimits limits = {}) {
  std::unique_ptr<RpcClient> client;
  const bool in_time =
      loop.wait(dial(loop, to, kPatienceMs).then([&](std::shared_ptr<Socket> socket) {
        client = RpcClient::make(loop, std::move(socket), limits);
      }),
                kPatienceMs);
  CHECK(in_time && client != nullptr);
  return client;
}

inline kj::Own<kj::AsyncIoStream> connect_bytes(Loop& loop, const Address& to) {
  kj::Own<kj::AsyncIoStream> stream;
  const bool in_time =
      loop.wait(dial(loop, to, kPatienceMs).then([&](std::shared_ptr<Socket> socket) {
        stream = byte_stream(std::move(socket));
      }),
                kPatienceMs);
  CHECK(in_time);
  return stream;
}

inline kj::Promise<void> deliver(schema::Peer::Client peer, std::size_t body_bytes) {
  auto request = peer.deliverRequest();
  const std::string body(body_bytes, 'x');
  request.initEnvelope().setBody({reinterpret_cast<const kj::byte*>(body.data()), body.size()});
  return request.send().ignoreResult();
}

/// Runs the loop until `condition` holds; false after kPatienceMs.
inline bool run_until(Loop& loop, std::function<bool()> condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kPatienceMs);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    loop.wait(loop.timer().afterDelay(5 * kj::MILLISECONDS), kPatienceMs);
  }
  return true;
}

/// A plain socket that speaks no protocol.
class RawClient {
 public:
  explicit RawClient(const Address& to) : socket(io) {
    socket.connect({asio::ip::make_address(to.host), to.port});
  }
  void send(const std::string& bytes) {
    asio::error_code ignored;
    asio::write(socket, asio::buffer(bytes), ignored);
  }
  /// Reads what is there without waiting; returns true once the other side has closed.
  bool closed() {
    socket.non_blocking(true);
    char bytes[4096];
    asio::error_code error;
    while (!error) socket.read_some(asio::buffer(bytes), error);
    return error != asio::error::would_block;
  }
  asio::io_context io;
  asio::ip::tcp::socket socket;
};

}  // namespace net
