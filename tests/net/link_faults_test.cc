// Faults of links between members, over real sockets on one loop: each does what it says, in its
// direction alone, and what it held comes when it ends.
#include "net/link_faults.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/peer/links.h"
#include "tests/net/echo.h"

namespace net::peer {
namespace {

using base::MemberId;
using std::chrono::steady_clock;

constexpr std::uint64_t kForever = base::FaultSwitch::kForever;
constexpr MemberId kA(1), kB(2);

struct Member {
  std::vector<raft::Message> received;
  int ups = 0, downs = 0;
  LinkFaults faults;
  std::unique_ptr<Links> links;
};

class LinkFaultsTest : public testing::Test {
 protected:
  LinkFaultsTest() {
    for (const MemberId id : {kA, kB}) {
      auto listener = Listener::listen(loop_, {"127.0.0.1", 0}, 1, [](std::shared_ptr<Socket>) {});
      ports_[id] = listener.value()->port();
    }
    start(kA, kB, a_);
    start(kB, kA, b_);
    EXPECT_TRUE(run_until(loop_, [&] { return a_.ups == 1 && b_.ups == 1; }));
    EXPECT_TRUE(both_ways()) << "the bulk connections stand, too";
  }
  void start(MemberId self, MemberId peer, Member& member) {
    LinksOptions options;
    options.cluster = base::ClusterId(77);
    options.self = self;
    options.listen = {"127.0.0.1", ports_.at(self)};
    options.peers = {{peer, {"127.0.0.1", ports_.at(peer)}}};
    options.silent_ms = 700;
    options.dial_timeout_ms = 200;
    options.faults = &member.faults;
    auto links = Links::start(
        loop_, options,
        {.message =
             [&member](raft::Message message) { member.received.push_back(std::move(message)); },
         .rows = {},
         .link_up = [&member](MemberId) { ++member.ups; },
         .link_down = [&member](MemberId) { ++member.downs; }});
    CHECK(links.is_ok(), links.status().to_string());
    member.links = std::move(links).value();
  }
  void send(Member& from, MemberId self, MemberId peer, std::size_t payload_bytes) {
    auto entry = std::make_shared<raft::Entry>();
    entry->index = base::Index(1);
    entry->payload = std::string(payload_bytes, 'p');
    raft::AppendEntries body;
    body.entries.push_back(entry);
    raft::Message message;
    message.from = self;
    message.to = peer;
    message.term = base::Term(3);
    message.body = body;
    from.links->send(message);
    if (!both_lanes_) return;
    message.body = raft::Heartbeat();
    from.links->send(message);
  }
  void a_sends(std::size_t payload_bytes = 10) { send(a_, kA, kB, payload_bytes); }
  void b_sends(std::size_t payload_bytes = 10) { send(b_, kB, kA, payload_bytes); }
  /// Whether something new arrives at each before long.
  bool both_ways() {
    const std::size_t at_a = a_.received.size(), at_b = b_.received.size();
    return run_until(loop_, [&] {
      if (a_.received.size() == at_a) b_sends();
      if (b_.received.size() == at_b) a_sends();
      return a_.received.size() > at_a && b_.received.size() > at_b;
    });
  }
  void pass(std::uint32_t ms) {
    loop_.wait(loop_.timer().afterDelay(ms * kj::MILLISECONDS), ms + 1000);
  }
  std::uint64_t hits(const Member& member, LinkFault fault) {
    std::uint64_t sum = 0;
    for (const auto& each : member.faults.list()) {
      if (each.fault == fault) sum += each.hits;
    }
    return sum;
  }

  bool both_lanes_ = false;  // up and down are of the other one, that of liveness
  Loop loop_;
  std::map<MemberId, std::uint16_t> ports_;
  Member a_, b_;
};

TEST_F(LinkFaultsTest, ACutIsOfOneDirectionAndSilent) {
  a_.faults.set(LinkFault::kCut, kB, Direction::kOut, 0, kForever);
  const std::size_t at_a = a_.received.size(), at_b = b_.received.size();
  a_sends();
  b_sends();
  pass(300);
  EXPECT_EQ(b_.received.size(), at_b) << "nothing passes";
  EXPECT_EQ(a_.received.size(), at_a + 1) << "the other way does";
  EXPECT_EQ(a_.downs + b_.downs, 0) << "nobody is told";
  EXPECT_GE(hits(a_, LinkFault::kCut), 1u);
  a_.faults.clear(std::nullopt);
  ASSERT_TRUE(run_until(loop_, [&] { return b_.received.size() > at_b; })) << "it was only held";
  EXPECT_TRUE(both_ways());
}

TEST_F(LinkFaultsTest, ACutAtTheReceiverWorksAsWell) {
  b_.faults.set(LinkFault::kCut, kA, Direction::kIn, 0, kForever);
  const std::size_t at_a = a_.received.size(), at_b = b_.received.size();
  for (int i = 0; i < 5; ++i) {
    a_sends();
    b_sends();
    pass(50);
  }
  EXPECT_EQ(b_.received.size(), at_b);
  EXPECT_GT(a_.received.size(), at_a);
  b_.faults.clear(std::nullopt);
  EXPECT_TRUE(both_ways());
}

/// Also over connections that are made while it lasts.
TEST_F(LinkFaultsTest, ACutOutlastsItsConnections) {
  a_.faults.set(LinkFault::kCut, kB, Direction::kOut, 0, kForever);
  a_.faults.set(LinkFault::kCut, kB, Direction::kIn, 0, kForever);
  const std::size_t at_a = a_.received.size(), at_b = b_.received.size();
  both_lanes_ = true;
  for (int i = 0; i < 60; ++i) {
    a_sends();
    b_sends();
    pass(50);
  }
  EXPECT_EQ(a_.received.size(), at_a);
  EXPECT_EQ(b_.received.size(), at_b);
  EXPECT_GE(b_.downs, 1) << "silent for long";
  EXPECT_EQ(b_.ups, 1) << "and nobody answers a new one";
  a_.faults.clear(std::nullopt);
  EXPECT_TRUE(both_ways());
  EXPECT_TRUE(run_until(loop_, [&] { return a_.ups > a_.downs && b_.ups > b_.downs; }));
}

TEST_F(LinkFaultsTest, ADelayIsFelt) {
  a_.faults.set(LinkFault::kDelay, kB, Direction::kOut, 200, kForever);
  const std::size_t at_b = b_.received.size();
  const auto begin = steady_clock::now();
  a_sends();
  ASSERT_TRUE(run_until(loop_, [&] { return b_.received.size() > at_b; }));
  EXPECT_GE(steady_clock::now() - begin, std::chrono::milliseconds(200));
  EXPECT_GE(hits(a_, LinkFault::kDelay), 1u);
}

TEST_F(LinkFaultsTest, ANarrowLinkTakesItsTime) {
  a_.faults.set(LinkFault::kRate, kB, Direction::kOut, 50'000, kForever);
  const std::size_t at_b = b_.received.size();
  const auto begin = steady_clock::now();
  a_sends(20'000);
  ASSERT_TRUE(run_until(loop_, [&] { return b_.received.size() > at_b; }));
  EXPECT_GE(steady_clock::now() - begin, std::chrono::milliseconds(350));
}

TEST_F(LinkFaultsTest, LargePacketsAreLostAndSmallOnesPass) {
  a_.faults.set(LinkFault::kLargeLost, kB, Direction::kOut, 0, kForever);
  const std::size_t at_b = b_.received.size();
  a_sends(10);
  ASSERT_TRUE(run_until(loop_, [&] { return b_.received.size() > at_b; }));
  a_sends(50'000);
  pass(300);
  EXPECT_EQ(b_.received.size(), at_b + 1);
}

TEST_F(LinkFaultsTest, LargePacketsAreLostAtTheReceiverToo) {
  b_.faults.set(LinkFault::kLargeLost, kA, Direction::kIn, 0, kForever);
  const std::size_t at_b = b_.received.size();
  a_sends(10);
  ASSERT_TRUE(run_until(loop_, [&] { return b_.received.size() > at_b; })) << "a small one";
  a_sends(50'000);
  pass(300);
  EXPECT_EQ(b_.received.size(), at_b + 1);
}

TEST_F(LinkFaultsTest, AResetIsToldAndMendsItself) {
  a_.faults.set(LinkFault::kReset, kB, Direction::kOut, 0, 300);
  ASSERT_TRUE(run_until(loop_, [&] { return a_.downs > 0; })) << "though nothing is sent";
  EXPECT_GE(hits(a_, LinkFault::kReset), 1u);
  EXPECT_TRUE(both_ways());
}

/// A frame that arrives altered is refused, or ends its connection; none is believed.
TEST_F(LinkFaultsTest, CorruptFramesAreNotBelieved) {
  a_.faults.set(LinkFault::kCorrupt, kB, Direction::kOut, 0, kForever);
  const std::size_t at_b = b_.received.size();
  for (int i = 0; i < 100; ++i) {
    a_sends(1000);
    pass(5);
  }
  for (std::size_t i = at_b; i < b_.received.size(); ++i) {
    const auto* body = std::get_if<raft::AppendEntries>(&b_.received[i].body);
    ASSERT_NE(body, nullptr);
    EXPECT_EQ(body->entries.at(0)->payload, std::string(1000, 'p'));
  }
  EXPECT_GE(hits(a_, LinkFault::kCorrupt), 1u);
  a_.faults.clear(std::nullopt);
  EXPECT_TRUE(both_ways());
}

/// Connections of whom nobody knows yet are held back while a fault is on, and no longer.
TEST_F(LinkFaultsTest, WhatHasEndedHoldsNobodyBack) {
  a_.faults.set(LinkFault::kCut, MemberId(9), Direction::kOut, 0, 20);
  EXPECT_TRUE(a_.faults.any());
  pass(50);
  EXPECT_FALSE(a_.faults.any());
  b_.links.reset();
  start(kB, kA, b_);
  EXPECT_TRUE(run_until(loop_, [&] { return b_.ups == 2; })) << "it has sent nothing yet";
}

TEST_F(LinkFaultsTest, OthersAreNotTouched) {
  for (const auto fault : {LinkFault::kCut, LinkFault::kReset, LinkFault::kDelay}) {
    a_.faults.set(fault, MemberId(9), Direction::kOut, 5000, kForever);
    a_.faults.set(fault, MemberId(9), Direction::kIn, 5000, kForever);
  }
  EXPECT_TRUE(both_ways());
  EXPECT_EQ(a_.downs + b_.downs, 0);
}

}  // namespace
}  // namespace net::peer
