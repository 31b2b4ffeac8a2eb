// A KJ byte stream over a Socket, for kj-http.
#include <algorithm>
#include <cstring>
#include <utility>

#include <kj/debug.h>

#include "net/connection.h"
#include "net/socket.h"

namespace net {
namespace {

constexpr std::size_t kQueuedBytes = 256 * 1024;  // above it a writer waits

class ByteStream final : public kj::AsyncIoStream {
 public:
  explicit ByteStream(std::shared_ptr<Socket> socket) : socket_(std::move(socket)) {}
  ~ByteStream() noexcept(false) {
    // What was written before the facade went is still sent; then the other side sees the end.
    if (socket_->queued_bytes() == 0) {
      socket_->close("closed on this side");
    } else {
      finish(socket_);
    }
  }

  kj::Promise<size_t> tryRead(void* buffer, size_t min_bytes, size_t max_bytes) override {
    return socket_->fill(std::max<size_t>(min_bytes, 1)).then([=, this](bool) {
      const size_t bytes = std::min(max_bytes, socket_->available());
      std::memcpy(buffer, socket_->data(), bytes);
      socket_->consume(bytes);
      return bytes;
    });
  }

  kj::Promise<void> write(const void* buffer, size_t size) override {
    socket_->write(buffer, size);
    return socket_->drained_to(kQueuedBytes);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    for (const auto& piece : pieces) socket_->write(piece.begin(), piece.size());
    return socket_->drained_to(kQueuedBytes);
  }
  kj::Promise<void> whenWriteDisconnected() override { return socket_->on_close(); }
  void shutdownWrite() override { socket_->shutdown_send(); }
  void abortRead() override { socket_->close("reading was given up"); }

 private:
  static void finish(const std::shared_ptr<Socket>& socket) {
    socket->drained_to(0)
        .then([socket] { socket->close("all is sent"); }, [](kj::Exception&&) {})
        .detach([](kj::Exception&&) {});
  }

  const std::shared_ptr<Socket> socket_;
};

}  // namespace

kj::Own<kj::AsyncIoStream> byte_stream(std::shared_ptr<Socket> socket) {
  return kj::heap<ByteStream>(std::move(socket));
}

}  // namespace net
