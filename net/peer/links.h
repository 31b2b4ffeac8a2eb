// The links between members: for each peer two outgoing connections (liveness and bulk) that are
// dialled again with backoff, and the incoming ones of all peers. Carries raft::Message in the
// checked envelope of schema/peer.capnp. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "net/connection.h"
#include "net/link_faults.h"
#include "net/loop.h"
#include "raft/message.h"

namespace net::peer {

struct PeerAddress {
  base::MemberId id;
  Address address;
  bool operator==(const PeerAddress&) const = default;
};

struct LinksOptions {
  base::ClusterId cluster;
  base::MemberId self;
  Address listen;
  std::vector<PeerAddress> peers;      // without self
  std::size_t queue_bytes = 16 << 20;  // bulk, a peer; above it messages are dropped
  std::size_t liveness_queue_bytes = 1 << 20;
  std::uint32_t dial_timeout_ms = 500;
  std::uint32_t silent_ms = 2000;  // nothing answered for so long: closed and dialled again
  std::uint32_t backoff_ms = 20;   // doubles to backoff_max_ms, with jitter
  std::uint32_t backoff_max_ms = 500;
  std::uint64_t seed = 1;
  LinkFaults* faults = nullptr;  // outlives the links; null: none
  ConnectionLimits limits = {.message_bytes = 16 << 20};
};

/// Counters for metrics.
struct LinkCounters {
  std::uint64_t sent = 0, dropped = 0, received = 0, refused = 0;
};

/// Messages sent in one turn of the loop leave in one write.
/// Invariants:
/// - only messages whose checksum, cluster id and `to` fit are handed on; the rest are counted as
///   refused and change nothing. The sender may be one that is not dialled: a member of a
///   configuration that is not known here yet;
/// - link_down is reported for a peer exactly once after each link_up.
class Links {
 public:
  static constexpr std::size_t kRowsBytes = 64 << 10;

  struct Callbacks {
    std::function<void(raft::Message)> message;
    /// What a dialled peer sees of the others, as it was given to send_rows(); any bytes.
    std::function<void(base::MemberId from, std::string rows)> rows;
    /// Its liveness connection stands, and its loop has answered on it.
    std::function<void(base::MemberId)> link_up;
    /// That connection was reset or closed: within milliseconds of the peer's process ending. Never
    /// for mere silence, but for silent_ms of it, when the connection is closed on this side.
    std::function<void(base::MemberId)> link_down;
  };
  /// Listens and starts to dial. Errors: as Listener::listen.
  static base::Result<std::unique_ptr<Links>> start(Loop& loop, LinksOptions options,
                                                    Callbacks callbacks);
  virtual ~Links() noexcept(false) = default;
  /// Whom to dial from now on, without self. Links that stay as they are are not touched; those to
  /// a new address begin anew; for one that goes no link_down is reported.
  virtual void set_peers(const std::vector<PeerAddress>& peers) = 0;
  /// Dropped and counted if the link is down or full; Raft sends again.
  virtual void send(raft::Message message) = 0;
  /// Advice for the peer's detectors, on the liveness connection; at most kRowsBytes. Likewise.
  virtual void send_rows(base::MemberId to, const std::string& rows) = 0;
  virtual LinkCounters counters(base::MemberId peer) const = 0;
  /// Messages that were refused: another cluster's, mostly.
  virtual std::uint64_t refused_from_strangers() const = 0;
  virtual std::uint16_t port() const = 0;
};

}  // namespace net::peer
