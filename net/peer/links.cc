#include "net/peer/links.h"

#include <map>
#include <utility>

#include <kj/async.h>

#include "net/peer/codec.h"
#include "net/peer/link.h"
#include "net/socket.h"

namespace net::peer {
namespace {

constexpr std::uint32_t kConnectionsPerPeer = 8;  // two are in use; the rest is for redialling

class TcpLinks final : public Links, private kj::TaskSet::ErrorHandler {
 public:
  TcpLinks(Loop& loop, LinksOptions options, Callbacks callbacks)
      : loop_(loop),
        options_(std::move(options)),
        callbacks_(std::move(callbacks)),
        incoming_(*this) {}
  ~TcpLinks() noexcept(false) override = default;

  base::Status listen() {
    const auto connections =
        static_cast<std::uint32_t>(options_.peers.size()) * kConnectionsPerPeer + 16;
    auto listener =
        Listener::listen(loop_, options_.listen, connections,
                         [this](std::shared_ptr<Socket> socket) { accept(std::move(socket)); });
    if (!listener.is_ok()) return listener.status();
    listener_ = std::move(listener).value();
    return base::Status::ok();
  }

  void dial_all() {
    std::uint64_t seed = options_.seed;
    for (const PeerAddress& address : options_.peers) {
      Peer& peer = peers_[address.id];
      peer.liveness = std::make_unique<Link>(
          loop_, options_, address, options_.liveness_queue_bytes, ++seed,
          [this, id = address.id] { callbacks_.link_up(id); },
          [this, id = address.id] { callbacks_.link_down(id); });
      peer.bulk = std::make_unique<Link>(
          loop_, options_, address, options_.queue_bytes, ++seed, [] {}, [] {});
    }
    checks_ = check_again().eagerlyEvaluate(nullptr);
  }

  void send(raft::Message message) override {
    const auto found = peers_.find(message.to);
    if (found == peers_.end()) return;
    Peer& peer = found->second;
    const bool liveness = raft::lane_of(message) == raft::Lane::kLiveness;
    const bool sent = (liveness ? peer.liveness : peer.bulk)->send(message);
    ++(sent ? peer.counters.sent : peer.counters.dropped);
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
    if (!message.is_ok() || found == peers_.end()) {
      ++(found == peers_.end() ? strangers_ : found->second.counters.refused);
      return;
    }
    ++found->second.counters.received;
    callbacks_.message(std::move(message).value());
  }

 private:
  struct Peer {
    std::unique_ptr<Link> liveness;
    std::unique_ptr<Link> bulk;
    LinkCounters counters;
  };

  class Door final : public schema::Peer::Server {
   public:
    explicit Door(TcpLinks& links) : links_(links) {}
    kj::Promise<void> deliver(DeliverContext context) override {
      links_.deliver(context.getParams().getEnvelope());
      return kj::READY_NOW;
    }

   private:
    TcpLinks& links_;
  };

  void accept(std::shared_ptr<Socket> socket) {
    incoming_.add(serve_rpc(loop_, std::move(socket), kj::heap<Door>(*this), options_.limits));
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
  std::map<base::MemberId, Peer> peers_;
  kj::TaskSet incoming_;
  std::unique_ptr<Listener> listener_;
  std::uint64_t strangers_ = 0;
  kj::Promise<void> checks_ = nullptr;
};

}  // namespace

base::Result<std::unique_ptr<Links>> Links::start(Loop& loop, LinksOptions options,
                                                  Callbacks callbacks) {
  auto links = std::make_unique<TcpLinks>(loop, std::move(options), std::move(callbacks));
  if (base::Status status = links->listen(); !status.is_ok()) return status;
  links->dial_all();
  return std::unique_ptr<Links>(std::move(links));
}

}  // namespace net::peer
