// A KJ byte stream over a Socket, for kj-http.
#include <algorithm>
#include <cstring>
#include <utility>

#include <kj/debug.h>

#include "net/connection.h"
#include "net/socket.h"

namespace net {
namespace {

/// A write is done once the kernel has it all, so a stream may go as soon as its writes are done.
class ByteStream final : public kj::AsyncIoStream {
 public:
  explicit ByteStream(std::shared_ptr<Socket> socket) : socket_(std::move(socket)) {}
  ~ByteStream() noexcept(false) { socket_->close("closed on this side"); }

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
    return socket_->drained_to(0);
  }
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override {
    for (const auto& piece : pieces) socket_->write(piece.begin(), piece.size());
    return socket_->drained_to(0);
  }
  kj::Promise<void> whenWriteDisconnected() override { return socket_->on_close(); }
  void shutdownWrite() override { socket_->shutdown_send(); }
  void abortRead() override { socket_->close("reading was given up"); }

 private:
  const std::shared_ptr<Socket> socket_;
};

}  // namespace

kj::Own<kj::AsyncIoStream> byte_stream(std::shared_ptr<Socket> socket) {
  return kj::heap<ByteStream>(std::move(socket));
}

}  // namespace net
