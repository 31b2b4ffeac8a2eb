#include "net/peer/links.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include <kj/async.h>

#include "base/check.h"
#include "net/peer/codec.h"
#include "net/peer/link.h"
#include "net/socket.h"

namespace net::peer {
namespace {

constexpr std::uint32_t kMostPeers = 32;
constexpr std::uint32_t kConnectionsPerPeer = 8;  // two are in use; the rest is for redialling

class TcpLinks final : public Links, private kj::TaskSet::ErrorHandler {
 public:
  TcpLinks(Loop& loop, LinksOptions options, Callbacks callbacks)
      : loop_(loop),
        options_(std::move(options)),
        callbacks_(std::move(callbacks)),
        links_(options_.seed),
        incoming_(*this),
        retired_(*this) {}
  ~TcpLinks() noexcept(false) override = default;

  base::Status listen() {
    const auto connections = kMostPeers * kConnectionsPerPeer;
    auto listener =
        Listener::listen(loop_, options_.listen, connections,
                         [this](std::shared_ptr<Socket> socket) { accept(std::move(socket)); });
    if (!listener.is_ok()) return listener.status();
    listener_ = std::move(listener).value();
    return base::Status::ok();
  }

  void start() {
    set_peers(options_.peers);
    checks_ = check_again().eagerlyEvaluate(nullptr);
  }

  void set_peers(const std::vector<PeerAddress>& peers) override {
    for (auto at = peers_.begin(); at != peers_.end();) {
      const bool stays = std::find(peers.begin(), peers.end(), at->second.address) != peers.end();
      at = stays ? std::next(at) : retire(at);
    }
    for (const PeerAddress& address : peers) {
      if (!peers_.contains(address.id)) dial(address);
    }
  }

  void send(raft::Message message) override {
    const auto found = peers_.find(message.to);
    if (found == peers_.end()) return;
    Peer& peer = found->second;
    const bool liveness = raft::lane_of(message) == raft::Lane::kLiveness;
    const bool sent = (liveness ? peer.liveness : peer.bulk)->send(message);
    ++(sent ? peer.counters.sent : peer.counters.dropped);
  }

  void send_rows(base::MemberId to, const std::string& rows) override {
    CHECK(rows.size() <= kRowsBytes);
    const auto found = peers_.find(to);
    if (found == peers_.end()) return;
    const bool sent = found->second.liveness->send_rows(rows);
    ++(sent ? found->second.counters.sent : found->second.counters.dropped);
  }

  LinkCounters counters(base::MemberId id) const override {
    const auto found = peers_.find(id);
    return found == peers_.end() ? LinkCounters() : found->second.counters;
  }

  std::uint64_t refused_from_strangers() const override { return strangers_; }

  std::uint16_t port() const override { return listener_->port(); }

  void deliver(schema::Envelope::Reader envelope) {
    auto message = decode(envelope, options_.cluster, options_.self);
    const auto found = peers_.find(base::MemberId(envelope.getFrom()));
    const bool known = found != peers_.end();
    if (!message.is_ok()) {
      ++(known ? found->second.counters.refused : strangers_);
      return;
    }
    if (known) ++found->second.counters.received;
    callbacks_.message(std::move(message).value());
  }

  void observe(schema::Peer::ObserveParams::Reader observed) {
    const auto rows = observed.getRows().asChars();
    const auto found = peers_.find(base::MemberId(observed.getFrom()));
    if (found == peers_.end()) return void(++strangers_);
    const bool meant = observed.getCluster() == options_.cluster.value &&
                       observed.getTo() == options_.self.value && rows.size() <= kRowsBytes;
    if (!meant || observed.getChecksum() != rows_checksum({rows.begin(), rows.size()})) {
      ++found->second.counters.refused;
      return;
    }
    ++found->second.counters.received;
    if (callbacks_.rows) callbacks_.rows(found->first, std::string(rows.begin(), rows.size()));
  }

 private:
  struct Peer {
    PeerAddress address;
    std::unique_ptr<Link> liveness;
    std::unique_ptr<Link> bulk;
    LinkCounters counters;
  };

  using Peers = std::map<base::MemberId, Peer>;

  void dial(const PeerAddress& address) {
    Peer& peer = peers_[address.id];
    peer.address = address;
    peer.liveness = std::make_unique<Link>(
        loop_, options_, address, options_.liveness_queue_bytes, ++links_,
        [this, id = address.id] { callbacks_.link_up(id); },
        [this, id = address.id] { callbacks_.link_down(id); });
    peer.bulk = std::make_unique<Link>(
        loop_, options_, address, options_.queue_bytes, ++links_, [] {}, [] {});
  }
  /// It may be this very link whose message we are at: it goes in a turn of its own.
  Peers::iterator retire(Peers::iterator at) {
    auto gone = kj::heap<Peer>(std::move(at->second));
    retired_.add(kj::evalLater([] {}).attach(kj::mv(gone)));
    return peers_.erase(at);
  }

  class Door final : public schema::Peer::Server {
   public:
    Door(TcpLinks& links, std::shared_ptr<SocketFaults> faults)
        : links_(links), faults_(std::move(faults)) {}
    kj::Promise<void> deliver(DeliverContext context) override {
      const auto envelope = context.getParams().getEnvelope();
      if (faults_ != nullptr) {
        faults_->identified(base::MemberId(envelope.getFrom()));
        // It was read only to learn whose it is.
        if (faults_->on(Direction::kIn).cut) return kj::READY_NOW;
      }
      links_.deliver(envelope);
      return kj::READY_NOW;
    }
    kj::Promise<void> observe(ObserveContext context) override {
      const auto observed = context.getParams();
      if (faults_ != nullptr) {
        faults_->identified(base::MemberId(observed.getFrom()));
        if (faults_->on(Direction::kIn).cut) return kj::READY_NOW;
      }
      links_.observe(observed);
      return kj::READY_NOW;
    }

   private:
    TcpLinks& links_;
    const std::shared_ptr<SocketFaults> faults_;  // null: there are none
  };

  void accept(std::shared_ptr<Socket> socket) {
    std::shared_ptr<SocketFaults> faults;
    if (options_.faults != nullptr) {
      faults = std::make_shared<SocketFaults>(*options_.faults, base::MemberId(), ++links_);
      socket->meet(faults);
    }
    incoming_.add(serve_rpc(loop_, std::move(socket), kj::heap<Door>(*this, std::move(faults)),
                            options_.limits));
  }
  kj::Promise<void> check_again() {
    return loop_.timer().afterDelay(Link::kCheckMs * kj::MILLISECONDS).then([this] {
      for (auto& [id, peer] : peers_) {
        peer.liveness->check();
        peer.bulk->check();
      }
      return check_again();
    });
  }
  void taskFailed(kj::Exception&&) override {}

  Loop& loop_;
  const LinksOptions options_;
  const Callbacks callbacks_;
  Peers peers_;
  std::uint64_t links_;  // counts; seeds their jitter
  kj::TaskSet incoming_;
  kj::TaskSet retired_;
  std::unique_ptr<Listener> listener_;
  std::uint64_t strangers_ = 0;
  kj::Promise<void> checks_ = nullptr;
};

}  // namespace

base::Result<std::unique_ptr<Links>> Links::start(Loop& loop, LinksOptions options,
                                                  Callbacks callbacks) {
  auto links = std::make_unique<TcpLinks>(loop, std::move(options), std::move(callbacks));
  if (base::Status status = links->listen(); !status.is_ok()) return status;
  links->start();
  return std::unique_ptr<Links>(std::move(links));
}

}  // namespace net::peer
