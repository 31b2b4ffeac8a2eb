// Links between members: real sockets on one loop.
#include "net/peer/links.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/peer/codec.h"
#include "tests/net/echo.h"

namespace net::peer {
namespace {

using base::MemberId;

constexpr base::ClusterId kLinkedCluster(77);

struct Linked {
  std::vector<raft::Message> received;
  std::vector<std::string> events;
  std::vector<std::pair<MemberId, std::string>> rows;
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
  LinksOptions options(std::uint64_t id, base::ClusterId cluster) const {
    LinksOptions out;
    out.cluster = cluster;
    out.self = MemberId(id);
    out.listen = {"127.0.0.1", ports_.at(out.self)};
    out.seed = id;
    out.queue_bytes = queue_bytes_;
    out.silent_ms = silent_ms_;
    for (const auto& [peer, port] : ports_) {
      if (peer != out.self) out.peers.push_back({peer, {"127.0.0.1", port}});
    }
    return out;
  }
  Linked& start(std::uint64_t id, base::ClusterId cluster = kLinkedCluster) {
    auto member = std::make_unique<Linked>();
    Linked* raw = member.get();
    auto links = Links::start(
        loop_, options(id, cluster),
        {.message = [raw](raft::Message message) { raw->received.push_back(std::move(message)); },
         .rows = [raw](MemberId from,
                       std::string rows) { raw->rows.emplace_back(from, std::move(rows)); },
         .link_up =
             [raw](MemberId peer) { raw->events.push_back("up " + std::to_string(peer.value)); },
         .link_down =
             [raw](MemberId peer) {
               raw->events.push_back("down " + std::to_string(peer.value));
             }});
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
    entry->index = base::Index(1);
    entry->payload = std::string(payload_bytes, 'p');
    raft::AppendEntries body;
    body.entries.push_back(entry);
    return body;
  }
  static bool has(const Linked& member, const std::string& event) {
    for (const auto& each : member.events) {
      if (each == event) return true;
    }
    return false;
  }

  Loop loop_;
  std::map<MemberId, std::uint16_t> ports_;
  std::map<std::uint64_t, std::unique_ptr<Linked>> members_;
  std::size_t queue_bytes_ = 16 << 20;
  std::uint32_t silent_ms_ = 2000;
};

TEST_F(LinksTest, MessagesOfBothLanesArrive) {
  Linked& a = start(1);
  Linked& b = start(2);
  ASSERT_TRUE(run_until(loop_, [&] { return has(a, "up 2") && has(b, "up 1"); }));
  // The bulk connection is dialled at the same time, and may stand a moment later.
  ASSERT_TRUE(run_until(loop_, [&] {
    a.links->send(message(1, 2, append(1000)));
    a.links->send(message(1, 2, raft::Heartbeat{}));
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

TEST_F(LinksTest, RowsArriveAsTheyWere) {
  Linked& a = start(1);
  Linked& b = start(2);
  ASSERT_TRUE(run_until(loop_, [&] { return has(a, "up 2") && has(b, "up 1"); }));
  const std::string rows("any\0bytes", 9);
  a.links->send_rows(MemberId(2), rows);
  a.links->send_rows(MemberId(2), "");
  a.links->send_rows(MemberId(9), "to nobody");
  ASSERT_TRUE(run_until(loop_, [&] { return b.rows.size() == 2; }));
  EXPECT_EQ(b.rows[0], std::pair(MemberId(1), rows));
  EXPECT_EQ(b.rows[1], std::pair(MemberId(1), std::string()));
}

TEST_F(LinksTest, RowsOfAnotherClusterAreRefusedAndCounted) {
  Linked& a = start(1);
  Linked& b = start(2, base::ClusterId(78));
  ASSERT_TRUE(run_until(loop_, [&] { return has(b, "up 1"); }));
  b.links->send_rows(MemberId(1), "rows");
  ASSERT_TRUE(run_until(loop_, [&] { return a.links->counters(MemberId(2)).refused == 1; }));
  EXPECT_TRUE(a.rows.empty());
}

TEST_F(LinksTest, ALostPeerIsToldOnceAndComesBack) {
  Linked& a = start(1);
  start(2);
  ASSERT_TRUE(run_until(loop_, [&] { return has(a, "up 2"); }));
  members_.erase(2);
  ASSERT_TRUE(run_until(loop_, [&] { return has(a, "down 2"); }));
  start(2);
  ASSERT_TRUE(run_until(loop_, [&] { return a.events.size() >= 3; }));
  EXPECT_EQ(a.events, (std::vector<std::string>{"up 2", "down 2", "up 2"}));
}

TEST_F(LinksTest, AnotherClustersMessagesAreRefusedAndCounted) {
  Linked& a = start(1);
  Linked& b = start(2, base::ClusterId(78));
  ASSERT_TRUE(run_until(loop_, [&] { return has(b, "up 1"); }));
  b.links->send(message(2, 1, raft::Heartbeat{}));
  ASSERT_TRUE(run_until(loop_, [&] { return a.links->counters(MemberId(2)).refused == 1; }));
  b.links->send(message(9, 1, raft::Heartbeat{}));
  ASSERT_TRUE(run_until(loop_, [&] { return a.links->refused_from_strangers() == 1; }));
  EXPECT_TRUE(a.received.empty());
}

TEST_F(LinksTest, ADamagedEnvelopeIsRefusedAndCounted) {
  Linked& a = start(1);
  auto client = connect(loop_, {"127.0.0.1", a.links->port()});
  auto peer = client->bootstrap().castAs<schema::Peer>();
  const auto send = [&](bool damaged) {
    auto request = peer.deliverRequest();
    auto envelope = request.initEnvelope();
    encode(message(2, 1, append(100)), kLinkedCluster, envelope);
    if (damaged) envelope.getBody()[150] ^= 1;
    return loop_.wait(request.send().ignoreResult(), kPatienceMs);
  };
  ASSERT_TRUE(send(false));
  EXPECT_EQ(a.received.size(), 1u);
  ASSERT_TRUE(send(true));
  EXPECT_EQ(a.received.size(), 1u);
  EXPECT_EQ(a.links->counters(MemberId(2)).received, 1u);
  EXPECT_EQ(a.links->counters(MemberId(2)).refused, 1u);
}

/// Accepts, keeps the connections and never says anything, like the kernel for a stopped process.
class DeafListener {
 public:
  DeafListener(Loop& loop, std::uint16_t port, bool drops = false) {
    auto listening = Listener::listen(loop, {"127.0.0.1", port}, 1000,
                                      [this, drops](std::shared_ptr<Socket> socket) {
                                        if (!drops) held_.push_back(std::move(socket));
                                      });
    CHECK(listening.is_ok(), listening.status().to_string());
    listener_ = std::move(listening).value();
  }
  std::uint64_t accepted() const { return listener_->counters().accepted; }

 private:
  std::vector<std::shared_ptr<Socket>> held_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(LinksTest, ADeafPeerIsNotUpAndPinsNoMoreThanTheBound) {
  queue_bytes_ = 256 * 1024;
  silent_ms_ = 300;
  DeafListener deaf(loop_, ports_[MemberId(2)]);
  Linked& a = start(1);
  const auto counters = [&] { return a.links->counters(MemberId(2)); };
  const auto send = [&] { a.links->send(message(1, 2, append(16 * 1024))); };
  ASSERT_TRUE(run_until(loop_, [&] {
    send();
    return counters().sent > 0;
  }));
  for (int i = 0; i < 200; ++i) send();
  EXPECT_LE(counters().sent * 16 * 1024, queue_bytes_);
  // Both connections are given up and dialled again, twice.
  ASSERT_TRUE(run_until(loop_, [&] { return deaf.accepted() >= 6; }));
  EXPECT_TRUE(a.events.empty());
}

TEST_F(LinksTest, APeerThatDropsConnectionsIsNotDialledWithoutPause) {
  DeafListener drops(loop_, ports_[MemberId(2)], true);
  const auto begin = std::chrono::steady_clock::now();
  Linked& a = start(1);
  ASSERT_TRUE(run_until(loop_, [&] { return drops.accepted() >= 4; }));
  loop_.wait(kj::NEVER_DONE, 1000);
  const std::chrono::duration<double> took_s = std::chrono::steady_clock::now() - begin;
  // On two links 20, 40, 80, … 500 ms with jitter; without growing pauses there would be a hundred
  // a second.
  EXPECT_LE(static_cast<double>(drops.accepted()), 20 + 9 * took_s.count());
  EXPECT_TRUE(a.events.empty());
}

TEST_F(LinksTest, OnlySilenceWithSomethingUnderWayEndsALink) {
  silent_ms_ = 300;
  auto peer = std::make_unique<EchoServer>(loop_, ConnectionLimits{}, 100, ports_[MemberId(2)]);
  Linked& a = start(1);
  ASSERT_TRUE(run_until(loop_, [&] { return has(a, "up 2"); }));
  loop_.wait(kj::NEVER_DONE, 700);
  EXPECT_EQ(a.events, (std::vector<std::string>{"up 2"})) << "nothing was under way";
  peer->counts->hold = true;
  a.links->send(message(1, 2, raft::Heartbeat{}));
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(run_until(loop_, [&] { return has(a, "down 2"); }));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(200));
}

TEST_F(LinksTest, ALoopThatSleptBlamesNobody) {
  silent_ms_ = 300;
  Linked& a = start(1);
  Linked& b = start(2);
  ASSERT_TRUE(run_until(loop_, [&] { return has(a, "up 2"); }));
  a.links->send(message(1, 2, raft::Heartbeat{}));
  std::this_thread::sleep_for(std::chrono::milliseconds(700));  // as a paused process does
  ASSERT_TRUE(run_until(loop_, [&] { return b.received.size() == 1; }));
  loop_.wait(kj::NEVER_DONE, 200);
  EXPECT_FALSE(has(a, "down 2"));
}

TEST_F(LinksTest, CallsThatFailAreNoLongerUnderWay) {
  queue_bytes_ = 256 * 1024;
  silent_ms_ = 60000;  // no new connection that would start from nothing
  EchoServer peer(loop_, ConnectionLimits{}, 100, ports_[MemberId(2)]);
  peer.counts->fail = true;
  Linked& a = start(1);
  for (std::uint64_t i = 1; i <= 40; ++i) {
    ASSERT_TRUE(run_until(loop_, [&] {
      if (peer.counts->delivered >= i) return true;
      if (a.links->counters(MemberId(2)).sent < i) {
        a.links->send(message(1, 2, append(100 * 1024)));
      }
      return false;
    })) << i;
  }
}

TEST_F(LinksTest, AMemberMayGoWithMessagesUnderWay) {
  for (int round = 0; round < 6; ++round) {
    Linked& a = start(1);
    Linked& b = start(2);
    ASSERT_TRUE(run_until(loop_, [&] { return has(a, "up 2") && has(b, "up 1"); }));
    for (int i = 0; i < 20; ++i) {
      a.links->send(message(1, 2, append(10'000)));
      b.links->send(message(2, 1, raft::Heartbeat{}));
    }
    if (round % 2 == 0) loop_.wait(kj::evalLast([] {}), kPatienceMs);
    members_.erase(round % 3 == 0 ? 1 : 2);
    if (round % 2 == 0) loop_.wait(kj::evalLast([] {}), kPatienceMs);
    members_.clear();
  }
}

/// A member on a thread and a loop of its own.
class ThreadMember {
 public:
  explicit ThreadMember(LinksOptions options) : options_(std::move(options)) {
    thread_ = std::thread([this] { run(); });
    await([this] { return loop_ != nullptr; });
  }
  ~ThreadMember() {
    loop_->stop();
    thread_.join();
  }
  bool await(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::milliseconds(kPatienceMs), condition);
  }
  int ups(std::uint64_t peer) { return count(ups_, peer); }
  int downs(std::uint64_t peer) { return count(downs_, peer); }
  int received(std::uint64_t peer) { return count(received_, peer); }
  void send(raft::Message message) {
    loop_->post([this, message = std::move(message)] { links_->send(message); });
  }

 private:
  void run() {
    Loop loop;
    const auto note = [this](std::map<std::uint64_t, int>& counts) {
      return [this, &counts](MemberId peer) {
        std::lock_guard lock(mutex_);
        ++counts[peer.value];
        changed_.notify_all();
      };
    };
    auto links = Links::start(
        loop, options_,
        {.message = [note = note(received_)](raft::Message message) { note(message.from); },
         .rows = {},
         .link_up = note(ups_),
         .link_down = note(downs_)});
    CHECK(links.is_ok(), links.status().to_string());
    links_ = std::move(links).value();
    {
      std::lock_guard lock(mutex_);
      loop_ = &loop;
      changed_.notify_all();
    }
    loop.run();
    links_.reset();
  }

  /// Also within await(), which holds the lock already.
  int count(std::map<std::uint64_t, int>& counts, std::uint64_t peer) {
    std::lock_guard lock(mutex_);
    return counts[peer];
  }

  const LinksOptions options_;
  std::unique_ptr<Links> links_;
  std::recursive_mutex mutex_;
  std::condition_variable_any changed_;
  Loop* loop_ = nullptr;
  std::map<std::uint64_t, int> ups_, downs_, received_;
  std::thread thread_;
};

TEST_F(LinksTest, ThreeLoopsLoseOneAndFindItAgain) {
  std::map<std::uint64_t, std::unique_ptr<ThreadMember>> members;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    members[id] = std::make_unique<ThreadMember>(options(id, kLinkedCluster));
  }
  for (auto& [id, member] : members) {
    ASSERT_TRUE(member->await([&] {
      int up = 0;
      for (std::uint64_t peer = 1; peer <= 3; ++peer) up += member->ups(peer);
      return up == 2;
    }));
  }
  auto& first = *members[1];
  auto& second = *members[2];
  auto quickest = std::chrono::steady_clock::duration::max();
  for (int round = 1; round <= 3; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    members[3].reset();
    ASSERT_TRUE(first.await([&] { return first.downs(3) == round; }));
    ASSERT_TRUE(second.await([&] { return second.downs(3) == round; }));
    quickest = std::min(quickest, std::chrono::steady_clock::now() - begin);
    members[3] = std::make_unique<ThreadMember>(options(3, kLinkedCluster));
    // Who had not found it again could not lose it in the next round.
    ASSERT_TRUE(first.await([&] { return first.ups(3) == round + 1; }));
    ASSERT_TRUE(second.await([&] { return second.ups(3) == round + 1; }));
    first.send(message(1, 3, raft::Heartbeat{}));
    ASSERT_TRUE(members[3]->await([&] { return members[3]->received(1) == 1; }));
  }
  // The reset itself was seen, though nothing was being sent.
  EXPECT_LT(quickest, std::chrono::milliseconds(1000));
  EXPECT_EQ(first.downs(2), 0);
  EXPECT_EQ(second.downs(1), 0);
}

}  // namespace
}  // namespace net::peer
