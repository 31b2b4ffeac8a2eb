// The links between members: for each peer two outgoing connections (liveness and bulk) that are
// dialled again with backoff, and the incoming ones of all peers. Carries raft::Message in the
// checked envelope of schema/peer.capnp. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/ids.h"
#include "net/connection.h"
#include "net/loop.h"
#include "raft/message.h"

namespace net::peer {

struct PeerAddress {
  base::MemberId id;
  Address address;
};

struct LinksOptions {
  base::ClusterId cluster;
  base::MemberId self;
  Address listen;
  std::vector<PeerAddress> peers;      // without self
  std::size_t queue_bytes = 16 << 20;  // bulk, a peer; above it messages are dropped
  std::size_t liveness_queue_bytes = 1 << 20;
  std::uint32_t dial_timeout_ms = 500;
  std::uint32_t backoff_ms = 20;  // doubles to backoff_max_ms, with jitter
  std::uint32_t backoff_max_ms = 500;
  std::uint64_t seed = 1;
  ConnectionLimits limits = {.message_bytes = 16 << 20};
};

/// Counters for metrics.
struct LinkCounters {
  std::uint64_t sent = 0, dropped = 0, received = 0, refused = 0;
};

/// Invariants:
/// - only messages whose checksum, cluster id, `to` and `from` fit are handed on; the rest are
/// counted
///   as refused and change nothing;
/// - link_down is reported for a peer exactly once after each link_up.
class Links {
 public:
  struct Callbacks {
    std::function<void(raft::Message)> message;
    std::function<void(base::MemberId)> link_up;    // its liveness connection stands
    std::function<void(base::MemberId)> link_down;  // it was reset or closed
  };
  /// Listens and starts to dial. Errors: as Listener::listen.
  static base::Result<std::unique_ptr<Links>> start(Loop& loop, LinksOptions options,
                                                    Callbacks callbacks);
  virtual ~Links() noexcept(false) = default;
  virtual void send(raft::Message message) = 0;
  virtual LinkCounters counters(base::MemberId peer) const = 0;
  virtual std::uint16_t port() const = 0;
};

}  // namespace net::peer
