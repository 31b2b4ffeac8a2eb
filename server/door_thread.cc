#include "server/door_thread.h"

#include <memory>
#include <utility>

#include "net/connection.h"
#include "net/loop.h"
#include "net/socket.h"
#include "server/clock.h"
#include "server/http_door.h"

namespace server {
namespace {
constexpr std::uint32_t kTickMs = 10;
}

/// Listeners, connections and the two doors. The doors outlive the connections.
class DoorThread::Turn : private kj::TaskSet::ErrorHandler {
 public:
  Turn(net::Loop& loop, const DoorOptions& options, const NodeView& view, Stamp& stamp,
       DoorPorts ports)
      : loop_(loop),
        options_(options),
        view_(view),
        stamp_(stamp),
        ports_(std::move(ports)),
        http_(loop.timer(), view, counters_),
        connections_(*this) {}

  base::Status start() {
    auto http =
        net::Listener::listen(loop_, view_.config->listen_http, options_.max_http_connections,
                              [this](std::shared_ptr<net::Socket> socket) {
                                connections_.add(http_.serve(net::byte_stream(std::move(socket))));
                              });
    if (!http) return http.status();
    http_listener_ = std::move(http).value();
    const net::Address http_address{view_.config->listen_http.host, http_listener_->port()};
    client_ = std::make_unique<ClientDoor>(options_.client, view_, http_address.to_string(), ports_,
                                           counters_);
    auto clients =
        net::Listener::listen(loop_, view_.config->listen_client, options_.max_client_connections,
                              [this](std::shared_ptr<net::Socket> socket) {
                                auto client = client_->connect(meet_faults(socket));
                                connections_.add(net::serve_rpc(
                                    loop_, std::move(socket), kj::mv(client), options_.connection));
                              });
    if (!clients) return clients.status();
    client_listener_ = std::move(clients).value();
    probe_ = std::make_unique<Probe>(
        loop_, own_address(), view_.probe, view_.config->self.value,
        [this] { return view_.board->read()->replica.core.role == raft::Role::kLeader; },
        *view_.probes);
    turn();
    loop_.every(kTickMs, [this] { turn(); });
    return base::Status::ok();
  }

  std::uint16_t client_port() const { return client_listener_->port(); }
  std::uint16_t http_port() const { return http_listener_->port(); }

  void take(std::vector<std::vector<ClientAnswer>> batches) {
    for (auto& batch : batches) client_->answer(std::move(batch));
  }
  void take(std::vector<SnapshotExportDone> exports) {
    for (auto& done : exports) client_->answer(std::move(done));
  }
  void take(std::vector<PulledChanges> pulled) {
    for (auto& each : pulled) client_->answer(std::move(each));
  }

 private:
  /// Whoever listens everywhere listens on loopback too.
  net::Address own_address() const {
    const std::string& host = view_.config->listen_client.host;
    const bool everywhere = host == "0.0.0.0" || host == "::" || host == "[::]";
    return {everywhere ? "127.0.0.1" : host, client_listener_->port()};
  }
  /// Of a client's connection. Whoever sets and clears faults meets none.
  std::function<void()> meet_faults(const std::shared_ptr<net::Socket>& socket) {
    if (!view_.config->allow_faults) return {};
    return [this, weak = std::weak_ptr(socket), seed = ++connections_met_] {
      const auto met = weak.lock();
      if (met == nullptr) return;
      met->meet(std::make_shared<net::SocketFaults>(view_.faults->links(), net::kClients, seed));
    };
  }
  void turn() {
    const std::uint64_t now = boot_ms();
    stamp_.at_ms.store(now, std::memory_order_relaxed);
    client_->expire(now);
  }
  /// A connection that breaks is its client's affair.
  void taskFailed(kj::Exception&&) override {}

  net::Loop& loop_;
  const DoorOptions& options_;
  const NodeView& view_;
  Stamp& stamp_;
  const DoorPorts ports_;
  DoorCounters counters_;
  std::uint64_t connections_met_ = 0;
  std::unique_ptr<ClientDoor> client_;
  HttpDoor http_;
  kj::TaskSet connections_;
  std::unique_ptr<net::Listener> http_listener_;
  std::unique_ptr<net::Listener> client_listener_;
  std::unique_ptr<Probe> probe_;
};

DoorThread::DoorThread(DoorOptions options, NodeView view, Stamp& stamp, DoorPorts::Send send,
                       DoorPorts::Send send_leases)
    : options_(options),
      view_(std::move(view)),
      stamp_(stamp),
      send_(std::move(send)),
      send_leases_(std::move(send_leases)),
      doorbell_([this] { drain(); }),
      answers_(SIZE_MAX, [this] { doorbell_.ring(); }),
      exports_(SIZE_MAX, [this] { doorbell_.ring(); }),
      pulled_(SIZE_MAX, [this] { doorbell_.ring(); }) {}

void DoorThread::drain() {
  if (turn_ == nullptr) return;
  turn_->take(answers_.drain());
  turn_->take(exports_.drain());
  turn_->take(pulled_.drain());
}

void DoorThread::run() {
  net::Loop loop;
  Turn turn(loop, options_, view_, stamp_,
            {.send = send_,
             .send_leases = send_leases_,
             .post = [this](SnapshotExportDone done) { exports_.push(std::move(done)); },
             .pull =
                 [this](ChangesPull pull) {
                   view_.apply->pull(
                       pull, [this](PulledChanges pulled) { pulled_.push(std::move(pulled)); });
                 }});
  const base::Status status = turn.start();
  if (!status.is_ok()) return started_.set_value(status);
  client_port_ = turn.client_port();
  http_port_ = turn.http_port();
  turn_ = &turn;
  const bool stopped = !doorbell_.attach(loop);
  started_.set_value(base::Status::ok());
  if (!stopped) loop.run();
  doorbell_.detach();
  turn_ = nullptr;
  stamp_.at_ms.store(0, std::memory_order_relaxed);
}

}  // namespace server
