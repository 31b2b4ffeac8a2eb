// Cap'n Proto messages over a buffered Socket; the wire format is the stock one (rpc.md section 3).
#pragma once

#include <memory>

#include <capnp/serialize-async.h>

#include "net/connection.h"
#include "net/socket.h"

namespace net {

/// Loop thread. Invariants:
/// - writes are copied and resolve at once, so that replies queue as bytes, not as promises;
/// - a gated stream takes no further message while more than write_buffer_bytes are queued;
/// - a message above message_bytes, or incomplete for incomplete_message_ms, fails the stream.
class MessageStream final : public capnp::MessageStream {
 public:
  MessageStream(Loop& loop, std::shared_ptr<Socket> socket, const ConnectionLimits& limits,
                bool gate);
  ~MessageStream() noexcept(false);
  KJ_DISALLOW_COPY(MessageStream);

  using capnp::MessageStream::tryReadMessage;
  using capnp::MessageStream::writeMessage;
  using capnp::MessageStream::writeMessages;
  kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> tryReadMessage(
      kj::ArrayPtr<kj::AutoCloseFd> fd_space, capnp::ReaderOptions options,
      kj::ArrayPtr<capnp::word> scratch_space) override;
  kj::Promise<void> writeMessage(
      kj::ArrayPtr<const int> fds,
      kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) override;
  kj::Promise<void> writeMessages(
      kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) override;
  kj::Maybe<int> getSendBufferSize() override;
  kj::Promise<void> end() override;

 private:
  using Message = kj::Maybe<capnp::MessageReaderAndFds>;
  kj::Promise<Message> read(capnp::ReaderOptions options);
  kj::Promise<Message> read_rest(capnp::ReaderOptions options, std::size_t bytes_wanted);
  Message take(capnp::ReaderOptions options, std::size_t bytes);
  bool complete() const;
  std::size_t size_bytes() const;
  void write(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments);

  Loop& loop_;
  const std::shared_ptr<Socket> socket_;
  const ConnectionLimits limits_;
  const bool gate_;
};

}  // namespace net
