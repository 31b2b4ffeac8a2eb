// Connecting to others. Names are resolved by Asio on a thread of its own, so that a slow name
// server does not hold the loop; numeric addresses need none.
#include <utility>

#include <kj/debug.h>
#include <asio/connect.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>

#include "net/connection.h"
#include "net/socket.h"

namespace net {
namespace {

using asio::ip::tcp;

/// One attempt. Asio's handlers hold it; the promise's adapter gives it up when it is dropped.
class Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  using Fulfiller = kj::PromiseFulfiller<std::shared_ptr<Socket>>;

  Attempt(Fulfiller& fulfiller, asio::io_context& io, Address address)
      : fulfiller_(&fulfiller), socket_(io), resolver_(io), address_(std::move(address)) {}

  void start() {
    asio::error_code error;
    const auto numeric = asio::ip::make_address(address_.host, error);
    if (!error) {
      socket_.async_connect(
          tcp::endpoint(numeric, address_.port),
          [self = shared_from_this()](const asio::error_code& failed) { self->finish(failed); });
      return;
    }
    resolver_.async_resolve(address_.host, std::to_string(address_.port),
                            [self = shared_from_this()](const asio::error_code& failed,
                                                        tcp::resolver::results_type all) {
                              if (failed || self->fulfiller_ == nullptr)
                                return self->finish(failed);
                              asio::async_connect(
                                  self->socket_, all,
                                  [self](const asio::error_code& refused, const tcp::endpoint&) {
                                    self->finish(refused);
                                  });
                            });
  }

  void give_up() {
    fulfiller_ = nullptr;
    asio::error_code ignored;
    resolver_.cancel();
    socket_.close(ignored);
  }

 private:
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
  tcp::socket socket_;
  tcp::resolver resolver_;
  const Address address_;
};

class DialAdapter {
 public:
  DialAdapter(Attempt::Fulfiller& fulfiller, asio::io_context& io, const Address& address)
      : attempt_(std::make_shared<Attempt>(fulfiller, io, address)) {
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
  auto connected = kj::newAdaptedPromise<std::shared_ptr<Socket>, DialAdapter>(loop.io(), address);
  auto late = loop.timer().afterDelay(timeout_ms * kj::MILLISECONDS).then([address] {
    kj::throwFatalException(
        KJ_EXCEPTION(DISCONNECTED, "cannot connect in time", address.to_string().c_str()));
    return std::shared_ptr<Socket>();
  });
  return connected.exclusiveJoin(kj::mv(late));
}

}  // namespace net
