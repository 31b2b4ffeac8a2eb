#include "net/message_stream.h"

#include <cstring>
#include <utility>

#include <capnp/serialize.h>
#include <kj/debug.h>

namespace net {
namespace {

constexpr std::uint32_t kMaxSegments = 512;
constexpr std::size_t kWindowBytes = 256 * 1024;  // of `-> stream` calls, rpc.md section 2
constexpr std::uint64_t kEndMs = 2000;
constexpr std::uint64_t kReadings = 4;  // how often a reader may go over a whole message

std::uint32_t number_at(const char* bytes) {
  const auto* at = reinterpret_cast<const unsigned char*>(bytes);
  return static_cast<std::uint32_t>(at[0]) | static_cast<std::uint32_t>(at[1]) << 8 |
         static_cast<std::uint32_t>(at[2]) << 16 | static_cast<std::uint32_t>(at[3]) << 24;
}

void store(std::uint32_t number, char* bytes) {
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<char>(number >> (8 * i));
}

/// The segment table: a count less one, the sizes in words, padded to a whole word.
std::size_t table_bytes(std::size_t segments) {
  return (segments / 2 + 1) * 8;
}

}  // namespace

MessageStream::MessageStream(Loop& loop, std::shared_ptr<Socket> socket,
                             const ConnectionLimits& limits, bool gate)
    : loop_(loop), socket_(std::move(socket)), limits_(limits), gate_(gate) {
  socket_->set_hard_limit(limits_.write_buffer_hard_bytes);
}

MessageStream::~MessageStream() noexcept(false) {
  socket_->close("closed on this side");
}

// ---- Reading ----

kj::Promise<kj::Maybe<capnp::MessageReaderAndFds>> MessageStream::tryReadMessage(
    kj::ArrayPtr<kj::AutoCloseFd>, capnp::ReaderOptions options, kj::ArrayPtr<capnp::word>) {
  if (gate_ && socket_->queued_bytes() > limits_.write_buffer_bytes) {
    return socket_->drained_to(limits_.write_buffer_bytes / 2).then([this, options] {
      return read(options);
    });
  }
  return read(options);
}

/// How many bytes the message at the front of the buffer has, as far as is known: its table, or all
/// of it once the table is there. Throws on a message that is refused.
std::size_t MessageStream::size_bytes() const {
  if (socket_->available() < 8) return 8;
  const std::uint64_t segments = std::uint64_t{number_at(socket_->data())} + 1;
  KJ_REQUIRE(segments <= kMaxSegments, "a message with too many segments", segments);
  const std::size_t table = table_bytes(segments);
  if (socket_->available() < table) return table;
  std::uint64_t words = 0;
  for (std::uint64_t i = 0; i < segments; ++i) words += number_at(socket_->data() + 4 + 4 * i);
  KJ_REQUIRE(words <= limits_.message_bytes / 8, "a message above the limit", words);
  return table + words * 8;
}

bool MessageStream::complete() const {
  return socket_->available() >= 8 && socket_->available() >= size_bytes();
}

kj::Promise<MessageStream::Message> MessageStream::read(capnp::ReaderOptions options) {
  if (complete()) return take(options, size_bytes());
  return socket_->fill(1).then([this, options](bool more) -> kj::Promise<Message> {
    if (!more) return Message(nullptr);
    if (complete()) return take(options, size_bytes());
    return loop_.timer().timeoutAfter(limits_.incomplete_message_ms * kj::MILLISECONDS,
                                      read_rest(options, size_bytes()));
  });
}

kj::Promise<MessageStream::Message> MessageStream::read_rest(capnp::ReaderOptions options,
                                                             std::size_t bytes_wanted) {
  return socket_->fill(bytes_wanted)
      .then([this, options, bytes_wanted](bool more) -> kj::Promise<Message> {
        if (!more) {
          kj::throwFatalException(
              KJ_EXCEPTION(DISCONNECTED, "the connection ended within a message"));
        }
        const std::size_t wanted = size_bytes();
        if (wanted > bytes_wanted) return read_rest(options, wanted);
        return take(options, wanted);
      });
}

MessageStream::Message MessageStream::take(capnp::ReaderOptions options, std::size_t bytes) {
  auto words = kj::heapArray<capnp::word>(bytes / sizeof(capnp::word));
  std::memcpy(words.begin(), socket_->data(), bytes);
  socket_->consume(bytes);
  options.traversalLimitInWords *= kReadings;
  auto reader = kj::heap<capnp::FlatArrayMessageReader>(words, options);
  return capnp::MessageReaderAndFds{reader.attach(kj::mv(words)), nullptr};
}

// ---- Writing ----

kj::Promise<void> MessageStream::writeMessage(
    kj::ArrayPtr<const int>, kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  write(segments);
  return kj::READY_NOW;
}

kj::Promise<void> MessageStream::writeMessages(
    kj::ArrayPtr<kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>>> messages) {
  for (const auto& segments : messages) write(segments);
  return kj::READY_NOW;
}

void MessageStream::write(kj::ArrayPtr<const kj::ArrayPtr<const capnp::word>> segments) {
  KJ_REQUIRE(segments.size() > 0 && segments.size() <= kMaxSegments);
  // An early resolved write cannot report its failure, so the next one does.
  if (!socket_->open()) {
    kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "the connection is closed"));
  }
  char table[(kMaxSegments / 2 + 1) * 8] = {};
  store(static_cast<std::uint32_t>(segments.size() - 1), table);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    store(static_cast<std::uint32_t>(segments[i].size()), table + 4 + 4 * i);
  }
  socket_->write(table, table_bytes(segments.size()));
  for (const auto& segment : segments) {
    socket_->write(segment.begin(), segment.size() * sizeof(capnp::word));
  }
}

kj::Maybe<int> MessageStream::getSendBufferSize() {
  return static_cast<int>(kWindowBytes);
}

/// Bounded: a side that takes nothing must not keep the connection for ever.
kj::Promise<void> MessageStream::end() {
  return socket_->drained_to(0)
      .exclusiveJoin(loop_.timer().afterDelay(kEndMs * kj::MILLISECONDS))
      .then([socket = socket_] { socket->shutdown_send(); });
}

}  // namespace net
