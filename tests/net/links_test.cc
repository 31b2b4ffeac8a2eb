// Links between members: real sockets on one loop.
#include "net/peer/links.h"

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <capnp/message.h>
#include <capnp/serialize.h>

#include "net/peer/codec.h"
#include "tests/net/echo.h"

namespace net::peer {
namespace {

using base::MemberId;

constexpr base::ClusterId kCluster(77);

struct Member {
  std::vector<raft::Message> received;
  std::vector<std::string> events;
  std::unique_ptr<Links> links;
};

std::uint16_t free_port(Loop& loop) {
  auto listener = Listener::listen(loop, {"127.0.0.1", 0}, 1, [](std::shared_ptr<Socket>) {});
  return listener.value()->port();
}

class LinksTest : public testing::Test {
 protected:
  LinksTest() {
    for (std::uint64_t id = 1; id <= 3; ++id) ports_[MemberId(id)] = free_port(loop_);
  }
  Member& start(std::uint64_t id, base::ClusterId cluster = kCluster) {
    LinksOptions options;
    options.cluster = cluster;
    options.self = MemberId(id);
    options.listen = {"127.0.0.1", ports_[options.self]};
    options.seed = id;
    options.queue_bytes = queue_bytes_;
    for (const auto& [peer, port] : ports_) {
      if (peer != options.self) options.peers.push_back({peer, {"127.0.0.1", port}});
    }
    auto member = std::make_unique<Member>();
    Member* raw = member.get();
    auto links = Links::start(
        loop_, options,
        {[raw](raft::Message message) { raw->received.push_back(std::move(message)); },
         [raw](MemberId peer) { raw->events.push_back("up " + std::to_string(peer.value)); },
         [raw](MemberId peer) { raw->events.push_back("down " + std::to_string(peer.value)); }});
    CHECK(links.is_ok(), links.status().to_string());
    member->links = std::move(links).value();
    return *(members_[id] = std::move(member));
  }
  static raft::Message message(std::uint64_t from, std::uint64_t to, raft::MessageBody body) {
    raft::Message out;
    out.from = MemberId(from);
    out.to = MemberId(to);
    out.term = base::Term(3);
    out.body = std::move(body);
    return out;
  }
  static raft::AppendEntries append(std::size_t payload_bytes) {
    auto entry = std::make_shared<raft::Entry>();
    entry->index = base::Index(5);
    entry->payload = std::string(payload_bytes, 'p');
    raft::AppendEntries body;
    body.entries.push_back(entry);
    return body;
  }
  static bool has(const Member& member, const std::string& event) {
    for (const auto& each : member.events) {
      if (each == event) return true;
    }
    return false;
  }

  Loop loop_;
  std::map<MemberId, std::uint16_t> ports_;
  std::map<std::uint64_t, std::unique_ptr<Member>> members_;
  std::size_t queue_bytes_ = 16 << 20;
};

TEST_F(LinksTest, MessagesOfBothLanesArrive) {
  Member& a = start(1);
  Member& b = start(2);
  ASSERT_TRUE(run_until(loop_, [&] { return has(a, "up 2") && has(b, "up 1"); }));
  // The bulk connection is dialled at the same time, and may stand a moment later.
  ASSERT_TRUE(run_until(loop_, [&] {
    a.links->send(message(1, 2, append(1000)));
    a.links->send(message(1, 2, raft::TimeoutNow{}));
    bool bulk = false, liveness = false;
    for (const auto& each : b.received) {
      (std::holds_alternative<raft::AppendEntries>(each.body) ? bulk : liveness) = true;
    }
    return bulk && liveness;
  }));
  for (const auto& each : b.received) {
    EXPECT_EQ(each.from, MemberId(1));
    EXPECT_EQ(each.term, base::Term(3));
    if (const auto* body = std::get_if<raft::AppendEntries>(&each.body)) {
      EXPECT_EQ(body->entries.at(0)->payload, std::string(1000, 'p'));
    }
  }
}

TEST_F(LinksTest, ALostPeerIsToldOnceAndComesBack) {
  Member& a = start(1);
  start(2);
  ASSERT_TRUE(run_until(loop_, [&] { return has(a, "up 2"); }));
  members_.erase(2);
  ASSERT_TRUE(run_until(loop_, [&] { return has(a, "down 2"); }));
  start(2);
  ASSERT_TRUE(run_until(loop_, [&] { return a.events.size() >= 3; }));
  EXPECT_EQ(a.events, (std::vector<std::string>{"up 2", "down 2", "up 2"}));
}

TEST_F(LinksTest, AnotherClustersMessagesAreRefusedAndCounted) {
  Member& a = start(1);
  Member& b = start(2, base::ClusterId(78));
  ASSERT_TRUE(run_until(loop_, [&] { return has(b, "up 1"); }));
  b.links->send(message(2, 1, raft::TimeoutNow{}));
  ASSERT_TRUE(run_until(loop_, [&] { return a.links->counters(MemberId(2)).refused == 1; }));
  EXPECT_TRUE(a.received.empty());
}

TEST_F(LinksTest, ASilentPeerPinsNoMoreThanTheBound) {
  queue_bytes_ = 256 * 1024;
  // Somebody who accepts and never answers.
  auto deaf = Listener::listen(loop_, {"127.0.0.1", ports_[MemberId(2)]}, 100,
                               [&](std::shared_ptr<Socket> socket) {
                                 static std::vector<std::shared_ptr<Socket>> held;
                                 held.push_back(std::move(socket));
                               });
  ASSERT_TRUE(deaf.is_ok());
  Member& a = start(1);
  ASSERT_TRUE(run_until(loop_, [&] { return has(a, "up 2"); }));
  ASSERT_TRUE(run_until(loop_, [&] {
    for (int i = 0; i < 10; ++i) a.links->send(message(1, 2, append(16 * 1024)));
    return a.links->counters(MemberId(2)).dropped > 200;
  }));
  EXPECT_LT(a.links->counters(MemberId(2)).sent, 100u);
}

TEST(PeerCodec, EveryFlippedBitOfAnEnvelopeIsRefused) {
  raft::Message message;
  message.from = MemberId(1);
  message.to = MemberId(2);
  message.term = base::Term(9);
  message.opening = {4, 5};
  message.durable = {4, 6};
  raft::Heartbeat body;
  body.commit = base::Index(12);
  body.progress.durable = base::Index(11);
  message.body = body;
  capnp::MallocMessageBuilder builder;
  encode(message, kCluster, builder.initRoot<schema::Envelope>());
  const auto words = capnp::messageToFlatArray(builder);
  const auto decoded = [&](kj::ArrayPtr<const capnp::word> from) -> base::Result<raft::Message> {
    try {
      capnp::FlatArrayMessageReader reader(from);
      return decode(reader.getRoot<schema::Envelope>(), kCluster, MemberId(2));
    } catch (const kj::Exception&) {
      return base::Status(base::Code::kCorrupt, "");
    }
  };
  const auto whole = decoded(words);
  ASSERT_TRUE(whole.is_ok());
  EXPECT_EQ(raft::to_string(whole.value()), raft::to_string(message));
  int changed = 0;
  for (std::size_t bit = 0; bit < words.size() * 64; ++bit) {
    auto copy = kj::heapArray<capnp::word>(words);
    copy.asBytes()[bit / 8] ^= static_cast<kj::byte>(1 << (bit % 8));
    const auto other = decoded(copy);
    // Padding may change freely; what is read may not.
    if (other.is_ok()) {
      EXPECT_EQ(raft::to_string(other.value()), raft::to_string(message)) << bit;
      EXPECT_EQ(other.value().opening, message.opening) << bit;
      EXPECT_EQ(other.value().durable, message.durable) << bit;
    } else {
      ++changed;
    }
  }
  EXPECT_GT(changed, 1000);
}

}  // namespace
}  // namespace net::peer
