// Dialling, listening, and RPC in use.
#include "net/connection.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/net/echo.h"

namespace net {
namespace {

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
    ASSERT_TRUE(loop.wait(deliver(peer, size), kPatienceMs)) << size;
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
    ASSERT_TRUE(loop.wait(kj::joinPromises(calls.finish()), kPatienceMs));
  }
  EXPECT_EQ(server.counts->delivered, 5000u);
}

TEST(Rpc, AMessageAboveTheLimitEndsThatConnectionOnly) {
  Loop loop;
  EchoServer server(loop, {.message_bytes = 1 << 20});
  auto big = connect(loop, server.address(), {.message_bytes = 8 << 20});
  auto small = connect(loop, server.address());
  auto big_peer = big->bootstrap().castAs<schema::Peer>();
  EXPECT_THROW(loop.wait(deliver(big_peer, 2 << 20), kPatienceMs), kj::Exception);
  EXPECT_EQ(server.counts->body_bytes, 0u);
  EXPECT_TRUE(loop.wait(deliver(small->bootstrap().castAs<schema::Peer>(), 100), kPatienceMs));
}

TEST(Rpc, CallsInFlightFailWhenTheServerGoes) {
  Loop loop;
  auto server = std::make_unique<EchoServer>(loop, ConnectionLimits{});
  server->counts->hold = true;
  auto client = connect(loop, server->address());
  auto call = deliver(client->bootstrap().castAs<schema::Peer>(), 10);
  ASSERT_TRUE(run_until(loop, [&] { return server->counts->delivered == 1; }));
  server.reset();
  EXPECT_THROW(loop.wait(kj::mv(call), kPatienceMs), kj::Exception);
  EXPECT_TRUE(loop.wait(client->on_disconnect(), kPatienceMs));
}

TEST(Rpc, AClientMayGoWithCallsInFlight) {
  Loop loop;
  EchoServer server(loop, {});
  server.counts->hold = true;
  for (int i = 0; i < 20; ++i) {
    auto client = connect(loop, server.address());
    auto peer = client->bootstrap().castAs<schema::Peer>();
    auto call = deliver(peer, 1000).eagerlyEvaluate([](kj::Exception&&) {});
    if (i % 2 == 0) loop.wait(loop.timer().afterDelay(2 * kj::MILLISECONDS), kPatienceMs);
    if (i % 3 == 0) {
      auto dropped_first = kj::mv(call);
    }
    client.reset();
  }
  EXPECT_TRUE(run_until(loop, [&] { return server.open_connections() == 0; }));
}

TEST(Rpc, ACallAboveOurOwnLimitFailsAlone) {
  Loop loop;
  EchoServer server(loop, {});
  auto client = connect(loop, server.address(), {.message_bytes = 1 << 20});
  auto peer = client->bootstrap().castAs<schema::Peer>();
  EXPECT_THROW(loop.wait(deliver(peer, 2 << 20), kPatienceMs), kj::Exception);
  EXPECT_TRUE(loop.wait(deliver(peer, 900'000), kPatienceMs));
}

TEST(Rpc, AStockClientIsServed) {
  Loop loop;
  EchoServer server(loop, {});
  auto stream = connect_bytes(loop, server.address());
  capnp::TwoPartyClient client(*stream);
  auto peer = client.bootstrap().castAs<schema::Peer>();
  for (const std::size_t size : {0u, 3u, 100000u, 3000000u}) {
    EXPECT_TRUE(loop.wait(deliver(peer, size), kPatienceMs)) << size;
  }
  EXPECT_EQ(server.counts->body_bytes, 3100003u);
}

TEST(Rpc, AStockServerIsCalled) {
  Loop loop;
  auto counts = std::make_shared<CountingPeer::Counts>();
  capnp::TwoPartyServer server(kj::heap<CountingPeer>(counts));
  auto listener = Listener::listen(loop, {"127.0.0.1", 0}, 1, [&](std::shared_ptr<Socket> socket) {
    server.accept(byte_stream(std::move(socket)));
  });
  auto client = connect(loop, {"127.0.0.1", listener.value()->port()});
  auto peer = client->bootstrap().castAs<schema::Peer>();
  for (const std::size_t size : {0u, 3u, 100000u, 3000000u}) {
    EXPECT_TRUE(loop.wait(deliver(peer, size), kPatienceMs)) << size;
  }
  EXPECT_EQ(counts->body_bytes, 3100003u);
}

TEST(Rpc, CallsOfOneTurnLeaveInOneWrite) {
  Loop loop;
  EchoServer server(loop, {});
  std::shared_ptr<Socket> socket;
  ASSERT_TRUE(
      loop.wait(dial(loop, server.address(), kPatienceMs).then([&](std::shared_ptr<Socket> s) {
        socket = s;
      }),
                kPatienceMs));
  auto client = RpcClient::make(loop, socket, {});
  auto peer = client->bootstrap().castAs<schema::Peer>();
  ASSERT_TRUE(loop.wait(deliver(peer, 10), kPatienceMs));
  // Nothing is left to send: the question is finished.
  ASSERT_TRUE(run_until(loop, [&] { return socket->queued_bytes() == 0; }));
  const std::uint64_t before = socket->flushes();
  kj::Vector<kj::Promise<void>> calls;
  for (int i = 0; i < 100; ++i) calls.add(deliver(peer, 200));
  ASSERT_TRUE(run_until(loop, [&] { return server.counts->delivered == 101; }));
  // One, and perhaps another for what the first answers let go of.
  EXPECT_LE(socket->flushes() - before, 3u);
  EXPECT_TRUE(loop.wait(kj::joinPromises(calls.releaseAsArray()), kPatienceMs));
}

TEST(Rpc, ADeadlineEndsTheCallAndNotTheConnection) {
  Loop loop;
  EchoServer server(loop, {});
  server.counts->hold = true;
  auto client = connect(loop, server.address());
  auto peer = client->bootstrap().castAs<schema::Peer>();
  bool late = false;
  auto call = deliver(peer, 10).exclusiveJoin(
      loop.timer().afterDelay(50 * kj::MILLISECONDS).then([&] { late = true; }));
  EXPECT_TRUE(loop.wait(kj::mv(call), kPatienceMs));
  EXPECT_TRUE(late);
  server.counts->hold = false;
  EXPECT_TRUE(loop.wait(deliver(peer, 10), kPatienceMs));
}

TEST(Rpc, LargeBuffersAreReleasedOnceEmpty) {
  Loop loop;
  const ConnectionLimits limits{.message_bytes = 32 << 20};
  EchoServer server(loop, limits);
  auto client = connect(loop, server.address(), limits);
  auto peer = client->bootstrap().castAs<schema::Peer>();
  ASSERT_TRUE(loop.wait(deliver(peer, 20 << 20), kPatienceMs));
  const auto socket = server.sockets.at(0).lock();
  ASSERT_NE(socket, nullptr);
  EXPECT_LE(socket->buffer_bytes(), std::size_t{5} << 20);
}

/// Every order in which the parts of a call in flight can go. The sanitizers are the judges.
TEST(Rpc, ThePartsOfACallMayGoInAnyOrder) {
  std::vector<int> order = {0, 1, 2, 3, 4};
  do {
    for (const bool hold : {true, false}) {
      Loop loop;
      auto server = std::make_unique<EchoServer>(loop, ConnectionLimits{});
      server->counts->hold = hold;
      auto client = connect(loop, server->address());
      kj::Maybe<schema::Peer::Client> peer = client->bootstrap().castAs<schema::Peer>();
      kj::Maybe<kj::Promise<void>> call = deliver(KJ_ASSERT_NONNULL(peer), 1000);
      kj::Maybe<kj::Promise<std::shared_ptr<Socket>>> dialling =
          dial(loop, server->address(), kPatienceMs);
      for (const int part : order) {
        if (part == 0) server.reset();
        if (part == 1) client.reset();
        if (part == 2) peer = nullptr;
        if (part == 3) call = nullptr;
        if (part == 4) dialling = nullptr;
        loop.wait(kj::evalLast([] {}), kPatienceMs);
      }
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(ByteStream, CarriesBytesBothWaysAndTheirEnd) {
  Loop loop;
  kj::Own<kj::AsyncIoStream> taken;
  auto listener = Listener::listen(loop, {"127.0.0.1", 0}, 1, [&](std::shared_ptr<Socket> socket) {
    taken = byte_stream(std::move(socket));
  });
  auto stream = connect_bytes(loop, {"127.0.0.1", listener.value()->port()});
  ASSERT_TRUE(run_until(loop, [&] { return taken.get() != nullptr; }));
  const std::string sent(5 << 20, 'b');
  auto sending = stream->write(sent.data(), sent.size())
                     .then([&] { stream->shutdownWrite(); })
                     .eagerlyEvaluate(nullptr);
  std::string got;
  auto reading = taken->readAllText().then([&](kj::String text) { got = text.cStr(); });
  EXPECT_TRUE(loop.wait(kj::joinPromises(kj::arr(kj::mv(sending), kj::mv(reading))), kPatienceMs));
  EXPECT_TRUE(got == sent) << got.size();
  // What was written is with the kernel: the stream may go, and the other side still gets it.
  ASSERT_TRUE(loop.wait(taken->write("answer", 6), kPatienceMs));
  taken = nullptr;
  EXPECT_TRUE(loop.wait(stream->readAllText().then([&](kj::String text) { got = text.cStr(); }),
                        kPatienceMs));
  EXPECT_EQ(got, "answer");
}

TEST(Dial, FailsInTimeAndNamesTheAddress) {
  Loop loop;
  std::uint16_t free_port;
  {
    EchoServer gone(loop, {});
    free_port = gone.address().port;
  }
  try {
    loop.wait(
        dial(loop, {"127.0.0.1", free_port}, kPatienceMs).then([](std::shared_ptr<Socket>) {}),
        kPatienceMs);
    FAIL() << "nobody listens there";
  } catch (const kj::Exception& exception) {
    EXPECT_EQ(exception.getType(), kj::Exception::Type::DISCONNECTED);
    EXPECT_NE(std::string(exception.getDescription().cStr()).find(std::to_string(free_port)),
              std::string::npos);
  }
}

/// A dial to a free port of this machine comes from that very port once in some ten thousand times;
/// TCP then connects the socket to itself, and keeps the port's owner from listening.
TEST(Dial, IsNeverConnectedToItself) {
  Loop loop;
  // Ports to dial from are even ones from this range; others may use some of them just now.
  Address nobody{"127.0.0.1", 40000};
  while (!Listener::listen(loop, nobody, 1, [](std::shared_ptr<Socket>) {}).is_ok()) {
    nobody.port += 2;
    ASSERT_LT(nobody.port, 50000) << "every port is taken";
  }
  int connected = 0, refused = 0;
  for (int round = 0; round < 400; ++round) {
    kj::Vector<kj::Promise<void>> dials;
    for (int i = 0; i < 100; ++i) {
      dials.add(dial(loop, nobody, kPatienceMs)
                    .then([&](std::shared_ptr<Socket>) { ++connected; },
                          [&](kj::Exception&&) { ++refused; }));
    }
    ASSERT_TRUE(loop.wait(kj::joinPromises(dials.releaseAsArray()), kPatienceMs));
  }
  EXPECT_EQ(connected, 0);
  EXPECT_EQ(refused, 40000);
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
  EXPECT_EQ(server.listener->counters().refused, 1u);
  EXPECT_FALSE(second.closed());
  first.reset();
  ASSERT_TRUE(run_until(loop, [&] { return server.open_connections() == 1; }));
  RawClient fourth(server.address());
  EXPECT_TRUE(run_until(loop, [&] { return server.sockets.size() == 3; }));
  EXPECT_FALSE(fourth.closed());
}

}  // namespace
}  // namespace net
