// What strangers may send (shared reference rpc.md section 4).
#include "net/message_stream.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <capnp/message.h>
#include <capnp/rpc.capnp.h>
#include <capnp/serialize.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/net/echo.h"

namespace net {
namespace {

TEST(Abuse, RandomBytesCloseTheConnectionAndNothingElse) {
  Loop loop;
  EchoServer server(loop, {.incomplete_message_ms = 200});
  base::Random random(7);
  for (int round = 0; round < 30; ++round) {
    RawClient raw(server.address());
    std::string bytes(random.below(4000) + 1, '\0');
    for (char& each : bytes) each = static_cast<char>(random.below(256));
    raw.send(bytes);
    EXPECT_TRUE(run_until(loop, [&] { return raw.closed(); })) << round;
  }
  auto client = connect(loop, server.address());
  EXPECT_TRUE(loop.wait(deliver(client->bootstrap().castAs<schema::Peer>(), 10), kPatienceMs));
}

TEST(Abuse, ATableThatClaimsAGigabyteIsRefusedAtOnce) {
  Loop loop;
  EchoServer server(loop, {.incomplete_message_ms = 10 * kPatienceMs});
  RawClient raw(server.address());
  raw.send(std::string("\0\0\0\0\0\0\0\x08", 8));  // one segment of 2^27 words
  EXPECT_TRUE(run_until(loop, [&] { return raw.closed(); }));
}

TEST(Abuse, HalfAMessageIsClosedAfterItsTime) {
  Loop loop;
  EchoServer server(loop, {.incomplete_message_ms = 100});
  RawClient waits(server.address());
  waits.send(std::string("\0\0\0\0\x10\0\0\0half", 12));
  EXPECT_TRUE(run_until(loop, [&] { return waits.closed(); }));
  EchoServer patient(loop, {.incomplete_message_ms = 10 * kPatienceMs});
  RawClient ends(patient.address());
  ends.send(std::string("\0\0\0\0\x10\0\0\0half", 12));
  ends.socket.shutdown(asio::ip::tcp::socket::shutdown_send);
  EXPECT_TRUE(run_until(loop, [&] { return ends.closed(); }));
}

TEST(Abuse, AnIdleConnectionIsNotClosed) {
  Loop loop;
  EchoServer server(loop, {.incomplete_message_ms = 50});
  auto client = connect(loop, server.address());
  auto peer = client->bootstrap().castAs<schema::Peer>();
  ASSERT_TRUE(loop.wait(deliver(peer, 10), kPatienceMs));
  loop.wait(loop.timer().afterDelay(200 * kj::MILLISECONDS), kPatienceMs);
  EXPECT_TRUE(loop.wait(deliver(peer, 10), kPatienceMs));
}

TEST(Abuse, ATrickleDoesNotKeepHalfAMessageAlive) {
  Loop loop;
  EchoServer server(loop, {.incomplete_message_ms = 150});
  RawClient raw(server.address());
  raw.send(std::string("\0\0\0\0\0\x10\0\0", 8));  // 4096 words are to come
  EXPECT_TRUE(run_until(loop, [&] {
    raw.send("x");
    return raw.closed();
  }));
}

TEST(Abuse, AClaimedLengthCostsNothingUntilTheBytesCome) {
  Loop loop;
  EchoServer server(loop, {.incomplete_message_ms = 60000});
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<RawClient>(server.address()));
    clients.back()->send(std::string("\0\0\0\0\0\0\x07\0half", 12));  // 3.5 MiB are to come
  }
  // A connection is served once its first bytes are in the buffer.
  ASSERT_TRUE(run_until(loop, [&] {
    std::size_t read = 0;
    for (const auto& socket : server.sockets) read += socket.lock()->available() == 12 ? 1 : 0;
    return read == clients.size();
  }));
  for (const auto& socket : server.sockets) EXPECT_LE(socket.lock()->buffer_bytes(), 256 * 1024u);
}

/// A bootstrap and then `count` calls of a method that does not exist: each is answered with a text
/// that is longer than the call.
std::string raw_calls(std::uint32_t count) {
  std::string bytes;
  const auto add = [&](capnp::MessageBuilder& message) {
    const auto words = capnp::messageToFlatArray(message);
    bytes.append(words.asChars().begin(), words.asChars().size());
  };
  {
    capnp::MallocMessageBuilder message;
    message.initRoot<capnp::rpc::Message>().initBootstrap().setQuestionId(0);
    add(message);
  }
  for (std::uint32_t i = 1; i <= count; ++i) {
    capnp::MallocMessageBuilder message;
    auto call = message.initRoot<capnp::rpc::Message>().initCall();
    call.setQuestionId(i);
    call.initTarget().initPromisedAnswer().setQuestionId(0);
    call.setInterfaceId(capnp::typeId<schema::Peer>());
    call.setMethodId(77);
    call.initParams();
    add(message);
  }
  return bytes;
}

TEST(Abuse, AClientThatNeverReadsRepliesCannotMakeTheServerQueueThem) {
  Loop loop;
  const std::string calls = raw_calls(60000);
  ConnectionLimits limits;
  limits.write_buffer_bytes = 64 * 1024;
  EchoServer server(loop, limits);
  RawClient raw(server.address());
  raw.socket.set_option(asio::socket_base::receive_buffer_size(4096));
  raw.socket.non_blocking(true);
  std::size_t most_queued = 0, sent = 0;
  int stuck = 0;
  // Until the server has not taken anything for 100 rounds: its gate is shut.
  EXPECT_TRUE(run_until(loop, [&] {
    asio::error_code error;
    const std::size_t wrote =
        raw.socket.write_some(asio::buffer(calls.data() + sent, calls.size() - sent), error);
    sent += wrote;
    stuck = wrote == 0 ? stuck + 1 : 0;
    if (auto held = server.sockets.empty() ? nullptr : server.sockets[0].lock()) {
      most_queued = std::max(most_queued, held->queued_bytes());
    }
    return stuck == 100 || sent == calls.size();
  }));
  EXPECT_LT(sent, calls.size()) << "the gate never shut";
  EXPECT_GT(most_queued, 64 * 1024u);
  // What one read of the kernel brings may still be answered.
  EXPECT_LT(most_queued, 64 * 1024 + 512 * 1024u);
}

TEST(Socket, FailsAboveItsHardLimitInsteadOfGrowing) {
  Loop loop;
  std::shared_ptr<Socket> taken;
  auto listener = Listener::listen(loop, {"127.0.0.1", 0}, 1,
                                   [&](std::shared_ptr<Socket> socket) { taken = socket; });
  RawClient raw({"127.0.0.1", listener.value()->port()});
  ASSERT_TRUE(run_until(loop, [&] { return taken != nullptr; }));
  taken->set_hard_limit(1 << 20);
  const std::string chunk(64 * 1024, 'x');
  for (int i = 0; i < 1000 && taken->open(); ++i) {
    taken->write(chunk.data(), chunk.size());
    ASSERT_LE(taken->queued_bytes(), std::size_t{1} << 20);
  }
  EXPECT_FALSE(taken->open());
}

}  // namespace
}  // namespace net
