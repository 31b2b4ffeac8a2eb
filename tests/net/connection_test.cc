// Streams and RPC under use and abuse (shared reference rpc.md section 4).
#include "net/connection.h"

#include <algorithm>

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/net/echo.h"

namespace net {
namespace {

std::unique_ptr<RpcClient> connect(Loop& loop, const Address& to, ConnectionLimits limits = {}) {
  std::unique_ptr<RpcClient> client;
  const bool in_time = loop.wait(dial(loop, to, 2000).then([&](std::shared_ptr<Socket> socket) {
    client = RpcClient::make(loop, std::move(socket), limits);
  }),
                                 5000);
  CHECK(in_time && client != nullptr);
  return client;
}

kj::Promise<void> deliver(schema::Peer::Client peer, std::size_t body_bytes) {
  auto request = peer.deliverRequest();
  const std::string body(body_bytes, 'x');
  request.initEnvelope().setBody({reinterpret_cast<const kj::byte*>(body.data()), body.size()});
  return request.send().ignoreResult();
}

TEST(Address, ParsesHostAndPort) {
  EXPECT_EQ(parse_address("127.0.0.1:7400")->to_string(), "127.0.0.1:7400");
  EXPECT_EQ(parse_address("[::1]:1")->host, "::1");
  for (const char* bad : {"", "host", ":1", "host:", "host:x", "host:65536", "host:-1", "::1:5"}) {
    EXPECT_FALSE(parse_address(bad).is_ok()) << bad;
  }
}

TEST(Rpc, CallsOfAllSizesArrive) {
  Loop loop;
  EchoServer server(loop, {});
  auto client = connect(loop, server.address());
  auto peer = client->bootstrap().castAs<schema::Peer>();
  std::uint64_t bytes = 0;
  for (const std::size_t size : {0u, 1u, 7u, 8u, 4096u, 65536u, 300000u, 3000000u}) {
    ASSERT_TRUE(loop.wait(deliver(peer, size), 10000)) << size;
    bytes += size;
    EXPECT_EQ(server.counts->body_bytes, bytes);
  }
}

TEST(Rpc, ManyPipelinedCallsAreAllAnswered) {
  Loop loop;
  EchoServer server(loop, {});
  auto client = connect(loop, server.address());
  auto peer = client->bootstrap().castAs<schema::Peer>();
  for (int round = 0; round < 5; ++round) {
    auto calls = kj::heapArrayBuilder<kj::Promise<void>>(1000);
    for (int i = 0; i < 1000; ++i) calls.add(deliver(peer, 300));
    ASSERT_TRUE(loop.wait(kj::joinPromises(calls.finish()), 20000));
  }
  EXPECT_EQ(server.counts->delivered, 5000u);
}

TEST(Rpc, AMessageAboveTheLimitEndsThatConnectionOnly) {
  Loop loop;
  EchoServer server(loop, {.message_bytes = 1 << 20});
  auto big = connect(loop, server.address(), {.message_bytes = 8 << 20});
  auto small = connect(loop, server.address());
  auto big_peer = big->bootstrap().castAs<schema::Peer>();
  EXPECT_THROW(loop.wait(deliver(big_peer, 2 << 20), 10000), kj::Exception);
  EXPECT_EQ(server.counts->body_bytes, 0u);
  EXPECT_TRUE(loop.wait(deliver(small->bootstrap().castAs<schema::Peer>(), 100), 10000));
}

TEST(Rpc, CallsInFlightFailWhenTheServerGoes) {
  Loop loop;
  auto server = std::make_unique<EchoServer>(loop, ConnectionLimits{});
  server->counts->hold = true;
  auto client = connect(loop, server->address());
  auto call = deliver(client->bootstrap().castAs<schema::Peer>(), 10);
  ASSERT_TRUE(run_until(loop, [&] { return server->counts->delivered == 1; }));
  server.reset();
  EXPECT_THROW(loop.wait(kj::mv(call), 10000), kj::Exception);
  EXPECT_TRUE(loop.wait(client->on_disconnect(), 10000));
}

TEST(Rpc, AClientMayGoWithCallsInFlight) {
  Loop loop;
  EchoServer server(loop, {});
  server.counts->hold = true;
  for (int i = 0; i < 20; ++i) {
    auto client = connect(loop, server.address());
    auto peer = client->bootstrap().castAs<schema::Peer>();
    auto call = deliver(peer, 1000).eagerlyEvaluate([](kj::Exception&&) {});
    if (i % 2 == 0) loop.wait(loop.timer().afterDelay(2 * kj::MILLISECONDS), 1000);
    if (i % 3 == 0) {
      auto dropped_first = kj::mv(call);
    }
    client.reset();
  }
  EXPECT_TRUE(run_until(loop, [&] { return server.open_connections() == 0; }));
}

TEST(Dial, FailsInTimeAndNamesTheAddress) {
  Loop loop;
  std::uint16_t free_port;
  {
    EchoServer gone(loop, {});
    free_port = gone.address().port;
  }
  try {
    loop.wait(dial(loop, {"127.0.0.1", free_port}, 1000).then([](std::shared_ptr<Socket>) {}),
              5000);
    FAIL() << "nobody listens there";
  } catch (const kj::Exception& exception) {
    EXPECT_EQ(exception.getType(), kj::Exception::Type::DISCONNECTED);
    EXPECT_NE(std::string(exception.getDescription().cStr()).find(std::to_string(free_port)),
              std::string::npos);
  }
}

TEST(Listener, SaysWhichPortIsTaken) {
  Loop loop;
  EchoServer server(loop, {});
  auto second = Listener::listen(loop, server.address(), 1, [](std::shared_ptr<Socket>) {});
  ASSERT_FALSE(second.is_ok());
  EXPECT_NE(second.status().detail().find(server.address().to_string()), std::string::npos);
}

TEST(Listener, ClosesConnectionsAboveItsBoundAndTakesOthersLater) {
  Loop loop;
  EchoServer server(loop, {}, 2);
  auto first = std::make_unique<RawClient>(server.address());
  RawClient second(server.address());
  ASSERT_TRUE(run_until(loop, [&] { return server.sockets.size() == 2; }));
  RawClient third(server.address());
  EXPECT_TRUE(run_until(loop, [&] { return third.closed(); }));
  EXPECT_FALSE(second.closed());
  first.reset();
  ASSERT_TRUE(run_until(loop, [&] { return server.open_connections() == 1; }));
  RawClient fourth(server.address());
  EXPECT_TRUE(run_until(loop, [&] { return server.sockets.size() == 3; }));
  EXPECT_FALSE(fourth.closed());
}

// ---- Abuse ----

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
  EXPECT_TRUE(loop.wait(deliver(client->bootstrap().castAs<schema::Peer>(), 10), 10000));
}

TEST(Abuse, ATableThatClaimsAGigabyteIsRefusedAtOnce) {
  Loop loop;
  EchoServer server(loop, {});
  RawClient raw(server.address());
  raw.send(std::string("\0\0\0\0\0\0\0\x08", 8));  // one segment of 2^27 words
  EXPECT_TRUE(run_until(
      loop, [&] { return raw.closed(); }, 5000));
}

TEST(Abuse, HalfAMessageIsClosedAfterItsTime) {
  Loop loop;
  EchoServer server(loop, {.incomplete_message_ms = 100});
  RawClient waits(server.address());
  waits.send(std::string("\0\0\0\0\x10\0\0\0half", 12));
  EXPECT_TRUE(run_until(
      loop, [&] { return waits.closed(); }, 5000));
  RawClient ends(server.address());
  ends.send(std::string("\0\0\0\0\x10\0\0\0half", 12));
  ends.socket.shutdown(asio::ip::tcp::socket::shutdown_send);
  EXPECT_TRUE(run_until(
      loop, [&] { return ends.closed(); }, 5000));
}

TEST(Abuse, AnIdleConnectionIsNotClosed) {
  Loop loop;
  EchoServer server(loop, {.incomplete_message_ms = 50});
  auto client = connect(loop, server.address());
  auto peer = client->bootstrap().castAs<schema::Peer>();
  ASSERT_TRUE(loop.wait(deliver(peer, 10), 5000));
  loop.wait(loop.timer().afterDelay(200 * kj::MILLISECONDS), 5000);
  EXPECT_TRUE(loop.wait(deliver(peer, 10), 5000));
}

/// The bytes of one call, as a client sends them after its bootstrap.
std::string recorded_calls(Loop& loop, int calls) {
  std::string bytes;
  std::shared_ptr<Socket> taken;
  auto listener = Listener::listen(loop, {"127.0.0.1", 0}, 1,
                                   [&](std::shared_ptr<Socket> socket) { taken = socket; });
  auto client = connect(loop, {"127.0.0.1", listener.value()->port()});
  auto peer = client->bootstrap().castAs<schema::Peer>();
  kj::Vector<kj::Promise<void>> sent;
  for (int i = 0; i < calls; ++i) {
    sent.add(deliver(peer, 8).eagerlyEvaluate([](kj::Exception&&) {}));
  }
  run_until(loop, [&] { return taken != nullptr; });
  loop.wait(loop.timer().afterDelay(20 * kj::MILLISECONDS), 1000);
  loop.wait(taken->fill(1).ignoreResult(), 1000);
  run_until(loop, [&] {
    const std::size_t before = bytes.size();
    bytes.append(taken->data(), taken->available());
    taken->consume(taken->available());
    auto more = taken->fill(1).ignoreResult();
    return !loop.wait(kj::mv(more), 50) || bytes.size() == before;
  });
  return bytes;
}

TEST(Abuse, AClientThatNeverReadsRepliesCannotMakeTheServerQueueThem) {
  Loop loop;
  const std::string calls = recorded_calls(loop, 2000);
  ASSERT_GT(calls.size(), 100000u);
  ConnectionLimits limits;
  limits.write_buffer_bytes = 16 * 1024;
  EchoServer server(loop, limits);
  RawClient raw(server.address());
  raw.socket.set_option(asio::socket_base::receive_buffer_size(4096));
  raw.socket.non_blocking(true);
  std::size_t most_queued = 0, sent = 0;
  for (int round = 0; round < 400; ++round) {
    asio::error_code error;
    // The same question ids again and again: the RPC system aborts on that, so each round is new.
    if (sent < calls.size()) {
      sent += raw.socket.write_some(asio::buffer(calls.data() + sent, calls.size() - sent), error);
    }
    loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS), 1000);
    for (const auto& socket : server.sockets) {
      if (auto held = socket.lock()) most_queued = std::max(most_queued, held->queued_bytes());
    }
  }
  EXPECT_GT(server.counts->delivered, 0u);
  EXPECT_LT(most_queued, 16 * 1024 + 8 * 1024u);
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
