// Accepting connections, at most so many at a time.
#include <chrono>
#include <utility>

#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include "net/connection.h"
#include "net/socket.h"

namespace net {
namespace {

using asio::ip::tcp;

/// What Asio's handlers share with the Listener; it outlives both until the last one ran.
class Acceptor : public std::enable_shared_from_this<Acceptor> {
 public:
  Acceptor(Loop& loop, std::uint32_t max_connections,
           std::function<void(std::shared_ptr<Socket>)> on_connection)
      : acceptor(loop.io()),
        retry_(loop.io()),
        max_connections_(max_connections),
        on_connection_(std::move(on_connection)) {}

  void accept() {
    acceptor.async_accept(
        [self = shared_from_this()](const asio::error_code& error, tcp::socket socket) {
          if (!self->acceptor.is_open()) return;
          if (error) return self->retry();
          self->take(std::move(socket));
          self->accept();
        });
  }

  void close() {
    asio::error_code ignored;
    acceptor.close(ignored);
    retry_.cancel();
    on_connection_ = nullptr;
  }

  tcp::acceptor acceptor;
  ListenerCounters counters;

 private:
  /// Each connection holds one reference of open_, so its count tells how many there are.
  void take(tcp::socket socket) {
    if (open_.use_count() > static_cast<long>(max_connections_)) {
      ++counters.refused;
      return;
    }
    ++counters.accepted;
    auto connection = std::make_shared<Socket>(std::move(socket));
    connection->attach(open_);
    on_connection_(std::move(connection));
  }

  /// Out of descriptors, mostly: trying again at once would spin.
  void retry() {
    ++counters.failed;
    retry_.expires_after(std::chrono::milliseconds(100));
    retry_.async_wait([self = shared_from_this()](const asio::error_code& error) {
      if (!error && self->acceptor.is_open()) self->accept();
    });
  }

  asio::steady_timer retry_;
  const std::uint32_t max_connections_;
  std::function<void(std::shared_ptr<Socket>)> on_connection_;
  const std::shared_ptr<int> open_ = std::make_shared<int>(0);
};

class TcpListener final : public Listener {
 public:
  explicit TcpListener(std::shared_ptr<Acceptor> acceptor) : acceptor_(std::move(acceptor)) {
    acceptor_->accept();
  }
  ~TcpListener() override { acceptor_->close(); }
  std::uint16_t port() const override { return acceptor_->acceptor.local_endpoint().port(); }
  ListenerCounters counters() const override { return acceptor_->counters; }

 private:
  const std::shared_ptr<Acceptor> acceptor_;
};

}  // namespace

base::Result<std::unique_ptr<Listener>> Listener::listen(
    Loop& loop, const Address& address, std::uint32_t max_connections,
    std::function<void(std::shared_ptr<Socket>)> on_connection) {
  asio::error_code error;
  tcp::resolver resolver(loop.io());
  const auto found =
      resolver.resolve(address.host, std::to_string(address.port), tcp::resolver::passive, error);
  if (error || found.empty()) {
    return base::Status(base::Code::kInvalidArgument,
                        "the host of " + address.to_string() + " is not known: " + error.message());
  }
  const tcp::endpoint endpoint = found.begin()->endpoint();
  auto acceptor = std::make_shared<Acceptor>(loop, max_connections, std::move(on_connection));
  tcp::acceptor& socket = acceptor->acceptor;
  socket.open(endpoint.protocol(), error);
  if (!error) socket.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) socket.bind(endpoint, error);
  if (!error) socket.listen(1024, error);
  if (error) {
    return base::Status(base::Code::kIo,
                        "cannot listen on " + address.to_string() + ": " + error.message());
  }
  return std::unique_ptr<Listener>(std::make_unique<TcpListener>(std::move(acceptor)));
}

}  // namespace net
