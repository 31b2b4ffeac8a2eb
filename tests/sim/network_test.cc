#include "tests/sim/network.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace sim {
namespace {

class NetworkTest : public testing::Test {
 protected:
  NetworkTest()
      : network_(queue_, journal_, options_, 7,
                 {.deliver =
                      [this](std::size_t, const raft::Message& message) {
                        got_.push_back(message.term.value);
                      },
                  .deliver_rows = [](std::size_t, std::size_t, const std::string&) {},
                  .link_up = [this](std::size_t, std::size_t) { ++ups_; },
                  .link_down = [this](std::size_t, std::size_t) { ++downs_; },
                  .number_of = [](base::MemberId id) { return id.value - 1; }}) {
    network_.start(0);
    network_.start(1);
    settle();
  }

  void settle() {
    while (!queue_.empty()) queue_.run_next();
  }
  void send(std::uint64_t term, raft::MessageBody body = raft::Heartbeat()) {
    raft::Message message;
    message.from = base::MemberId(1);
    message.to = base::MemberId(2);
    message.term = base::Term(term);
    message.body = std::move(body);
    network_.send(std::move(message));
  }
  using Got = std::vector<std::uint64_t>;

  EventQueue queue_;
  Journal journal_{queue_};
  Options options_;
  Got got_;
  int ups_ = 0;
  int downs_ = 0;
  Network network_;
};

TEST_F(NetworkTest, KeepsTheOrderOfALane) {
  Got sent;
  for (std::uint64_t i = 1; i <= 200; ++i) {
    send(i);
    sent.push_back(i);
  }
  settle();
  EXPECT_EQ(got_, sent);
  EXPECT_EQ(ups_, 2);
  EXPECT_EQ(downs_, 0);
}

TEST_F(NetworkTest, LosesAboutAsManyAsItWasTold) {
  network_.set_loss(4);
  for (std::uint64_t i = 0; i < 4000; ++i) send(i);
  settle();
  EXPECT_NEAR(static_cast<double>(got_.size()), 3000, 150);
}

TEST_F(NetworkTest, ACutIsSilentAndWhatItHeldComesLate) {
  network_.cut(0, 1, true);
  send(1);
  send(2);
  settle();
  EXPECT_TRUE(got_.empty());
  EXPECT_EQ(downs_, 0);
  network_.heal();
  send(3);
  settle();
  EXPECT_EQ(got_, (Got{1, 2, 3}));
}

TEST_F(NetworkTest, ACutThatHoldsNothingLosesWhatWasSent) {
  network_.cut(0, 1, false);
  send(1);
  settle();
  network_.heal();
  send(2);
  settle();
  EXPECT_EQ(got_, Got{2});
}

TEST_F(NetworkTest, OnlyAResetLetsMessagesOvertakeAndComeTwice) {
  bool overtaken = false;
  bool twice = false;
  for (int round = 0; round < 300; ++round) {
    got_.clear();
    send(1);
    send(2, raft::AppendEntries());
    network_.reset(0, 1);
    queue_.after(100 * kMillisecond, [this] { send(3); });
    settle();
    overtaken = overtaken || (!got_.empty() && got_.back() != 3);
    twice = twice || std::count(got_.begin(), got_.end(), 1u) == 2;
  }
  EXPECT_TRUE(overtaken);
  EXPECT_TRUE(twice);
  EXPECT_EQ(downs_, 600);
  EXPECT_EQ(ups_, 602);
}

TEST_F(NetworkTest, TellsOfAKilledProcessButNotOfALostMachine) {
  network_.stop(0, false);
  EXPECT_EQ(downs_, 1);
  network_.start(0);
  settle();
  network_.stop(0, true);
  settle();
  EXPECT_EQ(downs_, 1);
  network_.start(0);
  EXPECT_EQ(downs_, 2) << "the new process's connection tells of the old one's end";
}

}  // namespace
}  // namespace sim
