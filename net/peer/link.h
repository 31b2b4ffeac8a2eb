// One outgoing connection to a peer: dialled again with backoff, bounded in bytes. Loop thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <kj/async.h>

#include "base/random.h"
#include "net/connection.h"
#include "net/peer/links.h"
#include "schema/peer.capnp.h"

namespace net::peer {

/// Invariants:
/// - at most queue_bytes are under way: sent, and not yet answered by the peer's deliver();
/// - `up` and `down` are called in turns, `up` first.
/// - a connection on which a call failed is not used again.
/// It is up once the peer's loop has answered on it: the kernel accepts for a stopped process too.
///
/// A link on which nothing was answered for silent_ms although something is under way is closed and
/// dialled again: a peer that hung or was cut off must not pin memory, and after a healed cut a new
/// connection works at once where the old one waits for TCP. That silence is several election
/// timeouts long, so it has long been acted upon and the link_down adds nothing. It is counted in
/// checks, not read from a clock: a loop that slept itself has made none, and blames nobody.
class Link : private kj::TaskSet::ErrorHandler {
 public:
  static constexpr std::uint32_t kCheckMs = 100;

  Link(Loop& loop, const LinksOptions& options, const PeerAddress& peer, std::size_t queue_bytes,
       std::uint64_t seed, std::function<void()> up, std::function<void()> down);
  ~Link() noexcept(false);

  /// Returns false if there is no connection or it is full; the message is lost then.
  bool send(const raft::Message& message);
  /// Likewise, for what Links::send_rows() is given.
  bool send_rows(const std::string& rows);
  /// Every kCheckMs.
  void check();

 private:
  void dial();
  bool unreachable() const;
  bool has_room(std::size_t bytes) const;
  void await(kj::Promise<void> answer, std::size_t bytes);
  bool reset_by_fault();
  void connected(std::shared_ptr<Socket> socket);
  void answered();
  void lost();
  void taskFailed(kj::Exception&& exception) override;

  Loop& loop_;
  const LinksOptions& options_;
  const PeerAddress peer_;
  const std::size_t queue_bytes_;
  const std::function<void()> up_;
  const std::function<void()> down_;
  base::Random random_;
  std::uint32_t backoff_ms_;

  std::unique_ptr<RpcClient> rpc_;  // null: not connected
  kj::Maybe<schema::Peer::Client> client_;
  bool is_up_ = false;
  std::uint64_t connection_ = 0;  // counts connections, so that late answers of old ones are told
  std::size_t under_way_bytes_ = 0;
  std::uint32_t unanswered_checks_ = 0;  // since the last answer, or since something is under way
  kj::Promise<void> watch_ = nullptr;    // of the attempt at a connection
  kj::TaskSet calls_;
};

}  // namespace net::peer
