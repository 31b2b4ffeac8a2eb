// Connecting to others. Names are resolved by Asio on a thread of its own, so that a slow name
// server does not hold the loop; numeric addresses need none. Where the resolver fails or is late,
// what it said last is tried.
#include <chrono>
#include <utility>

#include <kj/debug.h>
#include <asio/connect.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include "net/connection.h"
#include "net/names.h"
#include "net/socket.h"

namespace net {
namespace {

using asio::ip::tcp;

/// One attempt. Asio's handlers hold it; the promise's adapter gives it up when it is dropped.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  using Fulfiller = kj::PromiseFulfiller<std::shared_ptr<Socket>>;

  Attempt(Fulfiller& fulfiller, Loop& loop, Address address)
      : fulfiller_(&fulfiller),
        names_(loop.names()),
        socket_(loop.io()),
        resolver_(loop.io()),
        patience_(loop.io()),
        slowness_(loop.io()),
        address_(std::move(address)) {}

  void start() {
    asio::error_code error;
    const auto numeric = asio::ip::make_address(address_.host, error);
    if (!error) {
      socket_.async_connect(
          tcp::endpoint(numeric, address_.port),
          [self = shared_from_this()](const asio::error_code& failed) { self->finish(failed); });
      return;
    }
    if (names_.find(address_.host, address_.port) != nullptr) {
      patience_.expires_after(std::chrono::milliseconds(Names::kPatienceMs));
      patience_.async_wait([self = shared_from_this()](const asio::error_code& cancelled) {
        if (!cancelled) self->resolved(asio::error::timed_out, {});
      });
    }
    resolve();
  }

  void give_up() {
    fulfiller_ = nullptr;
    asio::error_code ignored;
    patience_.cancel();
    socket_.close(ignored);
  }

 private:
  void resolve() {
    NameFaults* faults = names_.faults();
    if (faults != nullptr && faults->hang.on()) return faults->hang.hit();
    if (faults != nullptr && faults->fail.on()) {
      faults->fail.hit();
      // As late as any answer: not within start().
      asio::post(socket_.get_executor(),
                 [self = shared_from_this()] { self->resolved(asio::error::host_not_found, {}); });
      return;
    }
    if (faults == nullptr || !faults->slow.on()) return ask();
    faults->slow.hit();
    slowness_.expires_after(std::chrono::milliseconds(faults->slow.strength()));
    slowness_.async_wait([self = shared_from_this()](const asio::error_code&) { self->ask(); });
  }

  /// Remembers what comes too late for this attempt: the next one must not go to an address that
  /// is none any more, however slow the resolver is.
  void ask() {
    resolver_.async_resolve(address_.host, std::to_string(address_.port),
                            [self = shared_from_this()](const asio::error_code& failed,
                                                        tcp::resolver::results_type all) {
                              const Names::Endpoints endpoints(all.begin(), all.end());
                              if (!failed)
                                self->names_.remember(self->address_.host, self->address_.port,
                                                      endpoints);
                              self->resolved(failed, endpoints);
                            });
  }

  /// The first answer counts, the resolver's or that it is late.
  void resolved(const asio::error_code& failed, Names::Endpoints endpoints) {
    if (fulfiller_ == nullptr || std::exchange(resolved_, true)) return;
    patience_.cancel();
    if (failed) {
      const Names::Endpoints* known = names_.find(address_.host, address_.port);
      if (known == nullptr) return finish(failed);
      endpoints = *known;
    }
    endpoints_ = std::move(endpoints);
    asio::async_connect(
        socket_, endpoints_,
        [self = shared_from_this()](const asio::error_code& refused, const tcp::endpoint&) {
          self->finish(refused);
        });
  }

  /// Dialling a free port of this machine may pick that very port to dial from; TCP then connects
  /// the socket to itself, and whoever owns the port could not listen on it.
  bool is_connected_to_itself() const {
    asio::error_code ignored;
    return socket_.local_endpoint(ignored) == socket_.remote_endpoint(ignored);
  }

  void finish(asio::error_code error) {
    if (fulfiller_ == nullptr) return;
    if (!error && is_connected_to_itself()) error = asio::error::connection_refused;
    Fulfiller* fulfiller = std::exchange(fulfiller_, nullptr);
    if (error) {
      fulfiller->reject(KJ_EXCEPTION(DISCONNECTED, "cannot connect", address_.to_string().c_str(),
                                     error.message().c_str()));
    } else {
      fulfiller->fulfill(std::make_shared<Socket>(std::move(socket_)));
    }
  }

  Fulfiller* fulfiller_;  // null once it was told or went away
  Names& names_;
  tcp::socket socket_;
  tcp::resolver resolver_;
  asio::steady_timer patience_;  // runs out where an older answer is known
  asio::steady_timer slowness_;  // of an injected fault
  bool resolved_ = false;
  Names::Endpoints endpoints_;  // that are tried
  const Address address_;
};

class DialAdapter {
 public:
  DialAdapter(Attempt::Fulfiller& fulfiller, Loop& loop, const Address& address)
      : attempt_(std::make_shared<Attempt>(fulfiller, loop, address)) {
    attempt_->start();
  }
  ~DialAdapter() { attempt_->give_up(); }
  DialAdapter(const DialAdapter&) = delete;
  DialAdapter& operator=(const DialAdapter&) = delete;

 private:
  const std::shared_ptr<Attempt> attempt_;
};

}  // namespace

kj::Promise<std::shared_ptr<Socket>> dial(Loop& loop, const Address& address,
                                          std::uint32_t timeout_ms) {
  auto connected = kj::newAdaptedPromise<std::shared_ptr<Socket>, DialAdapter>(loop, address);
  auto late = loop.timer().afterDelay(timeout_ms * kj::MILLISECONDS).then([address] {
    kj::throwFatalException(
        KJ_EXCEPTION(DISCONNECTED, "cannot connect in time", address.to_string().c_str()));
    return std::shared_ptr<Socket>();
  });
  return connected.exclusiveJoin(kj::mv(late));
}

}  // namespace net
