// Sockets: listening, dialling, and the buffered stream under Cap'n Proto RPC and kj-http
// (shared reference rpc.md sections 2 to 4). Loop thread for everything.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <capnp/capability.h>
#include <capnp/rpc-twoparty.h>
#include <kj/async-io.h>

#include "base/status.h"
#include "net/loop.h"

namespace net {

struct Address {
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const Address&) const = default;
  std::string to_string() const { return host + ":" + std::to_string(port); }
};
/// "host:port"; kInvalidArgument otherwise, saying what is wrong.
base::Result<Address> parse_address(const std::string& text);

struct ConnectionLimits {
  std::uint64_t message_bytes = 4 << 20;           // one incoming or outgoing message
  std::size_t write_buffer_bytes = 4 << 20;        // above it a server takes no further requests
  std::size_t write_buffer_hard_bytes = 64 << 20;  // above it the connection fails
  std::uint32_t incomplete_message_ms = 10000;     // half a message for so long: closed
};

class Socket;  // the core that facades and Asio operations share

struct ListenerCounters {
  std::uint64_t accepted = 0;  // handed on
  std::uint64_t refused = 0;   // above the cap, closed at once
  std::uint64_t failed = 0;    // errors of accepting, mostly for want of descriptors
};

/// Accepts until destroyed, which `on_connection` may not do. Errors of single connections are
/// counted, not reported.
class Listener {
 public:
  /// Errors: kInvalidArgument (host), kIo (port in use, …), naming the address.
  static base::Result<std::unique_ptr<Listener>> listen(
      Loop& loop, const Address& address, std::uint32_t max_connections,
      std::function<void(std::shared_ptr<Socket>)> on_connection);
  virtual ~Listener() = default;
  virtual std::uint16_t port() const = 0;
  virtual ListenerCounters counters() const = 0;
};

/// Resolves names off the loop, connects, sets TCP_NODELAY. Fails with a kj exception of type
/// DISCONNECTED; at most timeout_ms.
kj::Promise<std::shared_ptr<Socket>> dial(Loop& loop, const Address& address,
                                          std::uint32_t timeout_ms);

/// A KJ byte stream over the socket: for kj-http.
kj::Own<kj::AsyncIoStream> byte_stream(std::shared_ptr<Socket> socket);

/// Serves `bootstrap` over two-party RPC until the other side goes; resolves then. Requests
/// are not read while replies are not taken, nor while calls whose parameters add up to two
/// messages of the largest size are unanswered: a backstop, servers count their own.
kj::Promise<void> serve_rpc(Loop& loop, std::shared_ptr<Socket> socket,
                            capnp::Capability::Client bootstrap, const ConnectionLimits& limits);

/// The client end of two-party RPC over one socket. Destroying it closes the connection.
class RpcClient {
 public:
  static std::unique_ptr<RpcClient> make(Loop& loop, std::shared_ptr<Socket> socket,
                                         const ConnectionLimits& limits);
  virtual ~RpcClient() noexcept(false) = default;
  virtual capnp::Capability::Client bootstrap() = 0;
  /// Resolves when the connection is gone.
  virtual kj::Promise<void> on_disconnect() = 0;
  /// Bytes written by the RPC system and not yet taken by the kernel.
  virtual std::size_t queued_bytes() const = 0;
};

}  // namespace net
