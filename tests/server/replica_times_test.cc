// Stamps by what the members' clocks agree on, and reads at a time on any member (DESIGN section 6,
// rule 8).
#include <gtest/gtest.h>

#include "storage/codec.h"
#include "tests/server/members.h"

namespace server {
namespace {

using base::HybridTime;
using health::ClockState;
using testing::code_of;
using testing::follower_of;
using testing::Member;
using testing::Members;
using testing::put_into_quarantine;

constexpr std::int64_t kHourUs = 3'600'000'000;

kv::Transaction get_at(base::HybridTime time) {
  kv::Transaction transaction;
  transaction.then.push_back(kv::RangeOperation{.range = {"k", ""}, .time = time});
  return transaction;
}

class ReplicaTimes : public ::testing::Test {
 protected:
  void SetUp() override {
    leader_ = &members_.elect();
    follower_ = leader_ == &members_.at(0) ? &members_.at(1) : &members_.at(0);
    run(10);
  }
  void run(int ticks) {
    for (int i = 0; i < ticks; ++i) {
      members_.tick();
      for (std::size_t each = 0; each < members_.size(); ++each) members_.at(each).replica().pump();
      members_.settle();
    }
  }
  /// Everybody's wall clock is members_.wall_ms; what is agreed is so much less.
  static health::ClockVerdict verdict(ClockState state, std::int64_t off_us) {
    health::ClockVerdict verdict;
    verdict.state = state;
    verdict.off_us = off_us;
    verdict.agreed = {-off_us, -off_us};
    return verdict;
  }
  HybridTime write() {
    leader_->replica().write(++request_, "payload");
    leader_->replica().pump();
    members_.settle();
    run(1);
    EXPECT_EQ(leader_->finished.at(request_).status.code(), base::Code::kOk);
    return leader_->status().position.time;
  }
  HybridTime now() const { return HybridTime(members_.wall_ms, UINT16_MAX); }
  base::Code code(const Member& member) const { return member.finished.at(request_).status.code(); }

  Members members_{3};
  Member* leader_ = nullptr;
  Member* follower_ = nullptr;
  std::uint64_t request_ = 100;
};

TEST_F(ReplicaTimes, StampsAreWithinTheAgreedTime) {
  leader_->agreed = verdict(ClockState::kAgreed, 300'000);
  run(1);
  const std::uint64_t then_ms = members_.wall_ms;
  EXPECT_EQ(write().milliseconds(), then_ms - 300);
}

TEST_F(ReplicaTimes, AClockThatIsFarOffStampsNothing) {
  const HybridTime before = write();
  for (const ClockState state : {ClockState::kFar, ClockState::kUnknown}) {
    leader_->agreed = verdict(state, -kHourUs);
    run(50);
    EXPECT_EQ(write().milliseconds(), before.milliseconds()) << "the last stamp, plus a little";
  }
  leader_->agreed = verdict(ClockState::kAgreed, 0);
  run(1);
  const std::uint64_t then_ms = members_.wall_ms;
  EXPECT_EQ(write().milliseconds(), then_ms);
}

/// Should a leader stamp what it must not, those who know the time refuse it.
TEST_F(ReplicaTimes, FollowersRefuseStampsThatAreFarAhead) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Member& each = members_.at(i);
    each.agreed = verdict(ClockState::kAgreed, &each == leader_ ? 0 : kHourUs);
  }
  run(15);
  const base::Index last = follower_->status().core.last;
  leader_->replica().write(++request_, "payload");
  leader_->replica().pump();
  members_.settle();
  EXPECT_EQ(follower_->status().core.last, last);
  EXPECT_FALSE(leader_->leads());
  EXPECT_EQ(leader_->status().core.step_down_reason, "a majority refuses its clock");
}

TEST_F(ReplicaTimes, AReadAtATimeOnAFollowerWaitsUntilThatHasPassed) {
  const base::Index before = leader_->status().core.last;
  const HybridTime wanted = now();
  follower_->replica().read_serializable(++request_, get_at(wanted));
  members_.settle();
  EXPECT_FALSE(follower_->finished.contains(request_)) << "something older could still come";
  run(20);
  ASSERT_TRUE(follower_->finished.contains(request_)) << "nobody wrote, and time did not pass";
  EXPECT_EQ(code(*follower_), base::Code::kOk);
  EXPECT_GT(follower_->finished.at(request_).header.time, wanted);
  EXPECT_GT(leader_->status().core.last, before) << "the leader was asked for a later stamp";
  // One that has passed needs nobody.
  members_.isolate(*follower_, true);
  follower_->replica().read_serializable(++request_, get_at(wanted));
  members_.settle();
  EXPECT_EQ(code(*follower_), base::Code::kOk);
}

TEST_F(ReplicaTimes, ALinearizableOneIsTakenThereToo) {
  follower_->replica().read(++request_, get_at(now()));
  run(30);
  ASSERT_TRUE(follower_->finished.contains(request_));
  EXPECT_EQ(code(*follower_), base::Code::kOk);
}

TEST_F(ReplicaTimes, ATimeThatDoesNotPassIsSaid) {
  members_.isolate(*follower_, true);
  follower_->replica().read_serializable(++request_, get_at(now()));
  run(310);
  ASSERT_TRUE(follower_->finished.contains(request_));
  EXPECT_EQ(code(*follower_), base::Code::kUnavailable);
  leader_->agreed = verdict(ClockState::kUnknown, 0);
  leader_->replica().read(++request_, get_at(now()));
  run(310);
  ASSERT_TRUE(leader_->finished.contains(request_));
  EXPECT_EQ(code(*leader_), base::Code::kUnavailable);
  EXPECT_NE(leader_->finished.at(request_).status.detail().find("not agreed on"),
            std::string::npos);
}

TEST_F(ReplicaTimes, WhatWaitsInAMemberThatIsQuarantinedIsRefused) {
  follower_->replica().read_serializable(++request_, get_at(now()));
  members_.settle();
  ASSERT_FALSE(follower_->finished.contains(request_));
  put_into_quarantine(members_, *leader_, *follower_);
  run(30);
  ASSERT_TRUE(follower_->finished.contains(request_));
  EXPECT_NE(code(*follower_), base::Code::kOk);
  EXPECT_TRUE(follower_->reads.empty()) << "it went to apply";
  follower_->replica().read_serializable(++request_, get_at({}));
  EXPECT_EQ(code(*follower_), base::Code::kQuarantined);
}

/// Whoever leads then: all count from the last one.
TEST(ReplicaScrub, IsProposedAfterSoLongWithoutOne) {
  ReplicaOptions options;
  options.scrub_every_ms = 1000;
  Members members(3, options);
  const auto scrubs = [&](Member& member) {
    std::size_t count = 0;
    for (const auto& request : member.persisted) {
      for (const auto& entry : request.entries) {
        count += entry->payload == storage::encode(kv::Scrub{}) ? 1 : 0;
      }
    }
    return count;
  };
  const auto run = [&](int ticks) {
    for (int i = 0; i < ticks; ++i) {
      members.tick();
      for (std::size_t each = 0; each < 3; ++each) members.at(each).replica().pump();
      members.settle();
    }
  };
  Member& leader = members.elect();
  run(320);
  const std::size_t first = scrubs(leader);
  EXPECT_GE(first, 2u);
  EXPECT_LE(first, 4u);
  members.isolate(leader, true);
  Member& next = members.elect();
  const std::size_t before = scrubs(next);
  run(90);
  EXPECT_LE(scrubs(next), before + 1);
  run(100);
  EXPECT_GE(scrubs(next), before + 1);
}

TEST_F(ReplicaTimes, HowLateAStateIsGoesByTheAgreedTime) {
  write();
  run(10);
  follower_->agreed = verdict(ClockState::kFar, 5'000'000);
  run(1);
  follower_->replica().read_serializable(++request_, get_at(HybridTime()), 200);
  members_.settle();
  EXPECT_EQ(code(*follower_), base::Code::kOk) << "only its own clock says that this is old";
  EXPECT_TRUE(follower_->reads.size() == 1u);
}

TEST(Replica, AReadAtATimeWaitsUntilThatHasPassed) {
  Members members(3);
  Member& leader = members.elect();
  for (int i = 0; i < 10; ++i) members.tick();
  const base::Index before = leader.status().core.last;
  const base::HybridTime now(members.wall_ms, UINT16_MAX);
  leader.replica().read(1, get_at(now));
  leader.replica().pump();
  EXPECT_FALSE(leader.finished.contains(1)) << "something older could still come";
  EXPECT_TRUE(leader.reads.empty());
  for (int i = 0; i < 20 && !leader.finished.contains(1); ++i) {
    members.tick();
    leader.replica().pump();
    members.settle();
  }
  ASSERT_TRUE(leader.finished.contains(1)) << "nobody wrote, and time did not pass";
  EXPECT_EQ(code_of(leader, 1), base::Code::kOk);
  EXPECT_GE(leader.finished[1].header.time, now);
  EXPECT_GT(leader.status().core.last, before) << "by an entry of its own";
  // A time that has passed needs none.
  const base::Index last = leader.status().core.last;
  leader.replica().read(2, get_at(base::HybridTime(now.milliseconds() - 5, 0)));
  leader.replica().pump();
  members.settle();
  members.tick();
  EXPECT_EQ(code_of(leader, 2), base::Code::kOk);
  EXPECT_EQ(leader.status().core.last, last);
}

TEST(Replica, AReadAtATimeThatHasNotComeIsRefused) {
  Members members(3);
  Member& leader = members.elect();
  for (int i = 0; i < 10; ++i) members.tick();
  leader.replica().read(1, get_at(base::HybridTime(members.wall_ms + 60'000, 0)));
  leader.replica().pump();
  members.settle();
  EXPECT_EQ(code_of(leader, 1), base::Code::kFutureRevision);
  Member& follower = follower_of(members, leader);
  follower.replica().read_serializable(1, get_at(base::HybridTime(members.wall_ms + 60'000, 0)));
  EXPECT_EQ(code_of(follower, 1), base::Code::kFutureRevision);
  // Whoever no longer leads says so instead of waiting for ever.
  members.isolate(leader, true);
  leader.replica().read(2, get_at(base::HybridTime(members.wall_ms, UINT16_MAX)));
  for (int i = 0; i < 200 && !leader.finished.contains(2); ++i) {
    members.tick();
    leader.replica().pump();
  }
  ASSERT_TRUE(leader.finished.contains(2));
  EXPECT_NE(code_of(leader, 2), base::Code::kOk);
}

TEST(Replica, StampsGrowThoughTheWallClockGoesBack) {
  Members members(1);
  Member& leader = members.elect();
  std::uint64_t last = 0;
  for (std::uint64_t request = 1; request <= 20; ++request) {
    leader.replica().write(request, "x");
    leader.replica().pump();
    members.settle();
    const std::uint64_t now = leader.finished.at(request).header.time.value;
    EXPECT_GT(now, last);
    last = now;
    members.wall_ms -= 1000;
    members.tick();
  }
  EXPECT_GE(base::HybridTime(last).milliseconds(), 1'700'000'000'000u);
}

}  // namespace
}  // namespace server
