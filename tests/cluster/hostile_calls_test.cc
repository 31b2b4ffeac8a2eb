// Calls that are well-formed and mean no good, a hundred thousand of them, on every port: refused
// one by one, bounded in memory; no stranger moves a term, a commit index or the state.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <memory>

#include <capnp/message.h>

#include "base/random.h"
#include "net/connection.h"
#include "net/loop.h"
#include "net/peer/codec.h"
#include "schema/client.capnp.h"
#include "schema/peer.capnp.h"
#include "tests/cluster/nodes.h"
#include "tests/cluster/socket.h"

namespace cluster {
namespace {

constexpr int kCalls = 100'000;
constexpr int kAtOnce = 500;

std::uint64_t resident_bytes(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

class HostileCalls : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(nodes_.wait_ready());
    ASSERT_EQ(nodes_.holdfast({"put", "before", "1"}).exit_code, 0);
    leader_ = nodes_.leader().value_or(0);
    const auto shown = [&] {
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const auto status = nodes_.status(i);
        if (!status || status->header.revision != base::Revision(1)) return false;
      }
      return true;
    };
    ASSERT_TRUE(wait_until(10000 * time_scale(), shown)) << "the write is everywhere";
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      before_.push_back(nodes_.status(i).value_or(client::MemberStatus()));
      resident_before_ = std::max(resident_before_, resident_bytes(nodes_.pid(i)));
    }
  }
  void TearDown() override {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      EXPECT_TRUE(nodes_.runs(i)) << nodes_.name(i) << " ended with " << nodes_.exit_code(i);
      EXPECT_LT(resident_bytes(nodes_.pid(i)), resident_before_ + kAllowedBytes * time_scale());
      const auto now = nodes_.status(i);
      ASSERT_TRUE(now.has_value()) << nodes_.name(i) << " does not answer any more";
      EXPECT_EQ(now->header.term, before_[i].header.term) << "nobody was deposed";
      EXPECT_EQ(now->header.revision, before_[i].header.revision) << "nothing was written";
      EXPECT_EQ(now->leads(), i == leader_);
    }
    EXPECT_EQ(nodes_.holdfast({"put", "after", "2"}).exit_code, 0);
    EXPECT_EQ(nodes_.holdfast({"get", "before"}).out, "1\n");
  }
  static constexpr std::uint64_t kAllowedBytes = 64 << 20;

  /// Sends `calls` calls that `call` makes on `capability`, kAtOnce at a time, and waits for each
  /// end.
  static void flood(net::Loop& loop, int calls, const std::function<kj::Promise<void>()>& call) {
    for (int sent = 0; sent < calls; sent += kAtOnce) {
      auto batch = kj::heapArrayBuilder<kj::Promise<void>>(kAtOnce);
      for (int i = 0; i < kAtOnce; ++i) batch.add(call().catch_([](kj::Exception&&) {}));
      ASSERT_TRUE(loop.wait(kj::joinPromises(batch.finish()), 60000 * time_scale()))
          << "no answer after " << sent << " calls";
    }
  }
  static std::unique_ptr<net::RpcClient> connect(net::Loop& loop, std::uint16_t port) {
    std::unique_ptr<net::RpcClient> client;
    (void)loop.wait(net::dial(loop, {"127.0.0.1", port}, 5000).then([&](auto&& socket) {
      client = net::RpcClient::make(loop, std::move(socket), {});
    }),
                    10000);
    return client;
  }

  Nodes nodes_{3};
  std::size_t leader_ = 0;
  std::vector<client::MemberStatus> before_;
  std::uint64_t resident_before_ = 0;
};

/// What another cluster's members would say, with terms far above: of every kind, the leaders' too.
raft::Message of_a_stranger(base::Random& random) {
  raft::Message message;
  message.from = base::MemberId(random.next() | 1);
  message.to = base::MemberId(random.next() | 1);
  message.incarnation = base::Incarnation(random.next() | 1);
  message.opening = {1 + random.below(5), random.next()};
  message.term = base::Term(1'000'000 + random.below(1'000'000));
  switch (random.below(5)) {
    case 0:
      message.body = raft::AppendEntries{{}, {}, {}, {}, base::Index(1'000'000), {}};
      break;
    case 1:
      message.body = raft::Heartbeat{base::Index(1'000'000), {}, {}, {}};
      break;
    case 2:
      message.body = raft::RequestVote{false, true, base::Index(1'000'000), message.term};
      break;
    case 3:
      message.body = raft::TimeoutNow{};
      break;
    default:
      message.body = raft::Pull{base::Index(1), {}, {}};
  }
  return message;
}

TEST_F(HostileCalls, AStrangersMessagesMoveNothing) {
  base::Random random(11);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    net::Loop loop;
    const auto client = connect(loop, nodes_.peer_port(i));
    ASSERT_NE(client, nullptr);
    auto peer = client->bootstrap().castAs<schema::Peer>();
    const base::MemberId self = before_[i].header.member;
    flood(loop, kCalls / 3, [&] {
      auto request = peer.deliverRequest();
      raft::Message message = of_a_stranger(random);
      message.to = self;
      const std::uint64_t kind = random.below(3);
      // Whoever knows the cluster's id and a member's, but not what a checksum is.
      if (kind == 0) message.from = before_[(i + 1) % 3].header.member;
      const bool own = kind != 1;
      const base::ClusterId cluster = own ? before_[i].header.cluster : base::ClusterId(77);
      auto envelope = request.initEnvelope();
      net::peer::encode(message, cluster, envelope);
      if (own) envelope.setChecksum(random.next());
      return request.send().ignoreResult();
    });
  }
}

TEST_F(HostileCalls, CallsThatMayNotBeAreRefused) {
  constexpr unsigned kInOneSubmit = 50;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    net::Loop loop;
    const auto client = connect(loop, nodes_.client_port(i));
    ASSERT_NE(client, nullptr);
    auto member = client->bootstrap().castAs<schema::Holdfast>();
    flood(loop, kCalls / 3 / static_cast<int>(kInOneSubmit), [&] {
      auto request = member.submitRequest();
      auto calls = request.initCalls(kInOneSubmit);
      for (unsigned n = 0; n < kInOneSubmit; ++n) {
        if (n % 3 == 0) {
          calls[n].initMembers();
        } else if (n % 3 == 1) {
          calls[n].initWrite().initTransaction().initThen(1)[0].initPut();  // no key, no session
        } else {
          calls[n].setCloseSession(n);
        }
      }
      return request.send().ignoreResult();
    });
  }
}

/// The bytes of a client that asks `calls` times for the status and has not read anything yet.
std::string bytes_of_a_client(int calls) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  std::string bytes;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener, 1) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    ADD_FAILURE() << "cannot listen";
    return bytes;
  }
  net::Loop loop;
  std::unique_ptr<net::RpcClient> client;
  (void)loop.wait(
      net::dial(loop, {"127.0.0.1", ntohs(address.sin_port)}, 5000).then([&](auto&& socket) {
        client = net::RpcClient::make(loop, std::move(socket), {});
      }),
      10000);
  const int accepted = ::accept(listener, nullptr, nullptr);
  auto member = client->bootstrap().castAs<schema::Holdfast>();
  auto asked = kj::heapArrayBuilder<kj::Promise<void>>(static_cast<std::size_t>(calls));
  for (int i = 0; i < calls; ++i) asked.add(member.statusRequest().send().ignoreResult());
  (void)loop.wait(kj::joinPromises(asked.finish()), 200);
  char chunk[65536];
  for (ssize_t n; (n = ::recv(accepted, chunk, sizeof chunk, MSG_DONTWAIT)) > 0;)
    bytes.append(chunk, static_cast<std::size_t>(n));
  ::close(accepted);
  ::close(listener);
  return bytes;
}

TEST_F(HostileCalls, RepliesThatNobodyReadsPinNoMemory) {
  const std::string bytes = bytes_of_a_client(2000);
  ASSERT_GT(bytes.size(), 100'000u);
  std::vector<std::unique_ptr<Socket>> sockets;
  std::uint64_t most = 0;
  for (int round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      sockets.push_back(std::make_unique<Socket>(nodes_.client_port(i)));
      ASSERT_TRUE(sockets.back()->connected());
      // It stops reading requests once replies pile up: then nothing more can be sent.
      (void)sockets.back()->send(bytes);
      most = std::max(most, resident_bytes(nodes_.pid(i)));
    }
  }
  // Each may keep a few megabytes of replies (net/connection.h), and no more.
  EXPECT_LT(most, resident_before_ + 20 * (std::uint64_t{8} << 20) * time_scale());
  // A door that has a hundred megabytes of answers to write may be silent for a while.
  EXPECT_TRUE(wait_until(20000 * time_scale(), [&] {
    return nodes_.holdfast({"get", "before"}).out == "1\n";
  })) << "others are served meanwhile";
  sockets.clear();
  EXPECT_TRUE(wait_until(20000 * time_scale(), [&] {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (resident_bytes(nodes_.pid(i)) > resident_before_ + kAllowedBytes) return false;
    }
    return true;
  }));
}

/// Watches and leases of nonsense; receivers that are none, or something else.
class NonsenseOfWatches {
 public:
  explicit NonsenseOfWatches(schema::Holdfast::Client member) : member_(kj::mv(member)) {}

  kj::Promise<void> call() {
    switch (random_.below(4)) {
      case 0: {
        auto request = member_.leasesRequest();
        auto ids = request.initIds(static_cast<unsigned>(random_.below(1500)));
        for (unsigned i = 0; i < ids.size(); ++i) ids.set(i, random_.next());
        request.setRenew(random_.chance(2));
        request.setDeadlineMs(static_cast<std::uint32_t>(random_.below(50)));
        return request.send().ignoreResult();
      }
      case 1: {
        auto request = member_.eventsRequest();
        fill(request.initWatch());
        request.setWaitMs(static_cast<std::uint32_t>(random_.below(30)));
        return request.send().ignoreResult();
      }
      default: {
        auto request = member_.watchRequest();
        if (random_.chance(2)) request.setReceiver(member_.castAs<schema::WatchReceiver>());
        auto stream = request.send().getStream();
        auto add = stream.addRequest();
        add.setWatch(random_.below(3));
        fill(add.initRequest());
        auto again = stream.addRequest();
        again.setWatch(random_.below(3));
        fill(again.initRequest());
        auto cancel = stream.cancelRequest();
        cancel.setWatch(random_.below(3));
        auto ended = kj::heapArrayBuilder<kj::Promise<void>>(3);
        ended.add(add.send().ignoreResult().catch_([](kj::Exception&&) {}));
        ended.add(again.send().ignoreResult().catch_([](kj::Exception&&) {}));
        ended.add(cancel.send().ignoreResult().catch_([](kj::Exception&&) {}));
        return kj::joinPromises(ended.finish()).attach(kj::mv(stream));
      }
    }
  }

 private:
  void fill(schema::WatchRequest::Builder to) {
    auto range = to.initRange();
    if (random_.chance(2)) range.initBegin(static_cast<unsigned>(random_.below(6000)));
    if (random_.chance(2)) range.initEnd(static_cast<unsigned>(random_.below(3)));
    if (random_.chance(2)) to.setFrom(random_.chance(2) ? random_.next() : random_.below(5));
    to.setPrevious(random_.chance(2));
    if (random_.chance(4)) to.setGeneration(random_.next());
  }

  schema::Holdfast::Client member_;
  base::Random random_{77};
};

TEST_F(HostileCalls, WatchesAndLeasesOfNonsenseHarmNobody) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    net::Loop loop;
    const auto client = connect(loop, nodes_.client_port(i));
    ASSERT_NE(client, nullptr);
    NonsenseOfWatches nonsense(client->bootstrap().castAs<schema::Holdfast>());
    flood(loop, kCalls / 20, [&] { return nonsense.call(); });
  }
}

}  // namespace
}  // namespace cluster
