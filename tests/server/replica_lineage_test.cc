// A history that does not go on from what a client has seen is refused as such, and no other one.
#include <gtest/gtest.h>

#include "tests/server/members.h"

namespace server {
namespace {

using base::Code;
using testing::Member;
using testing::Members;

class ReplicaLineage : public ::testing::Test {
 protected:
  void SetUp() override {
    leader_ = &members_.elect();
    follower_ = leader_ == &members_.at(0) ? &members_.at(1) : &members_.at(0);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(write({}), Code::kOk);
    for (int i = 0; i < 10; ++i) members_.tick();
    const Header& header = leader_->finished.at(request_).header;
    seen_ = {header.generation, header.applied, header.hash, header.time};
    ASSERT_TRUE(seen_.applied);
  }
  Code write(const Seen& seen) {
    leader_->replica().write(++request_, "payload", false, {}, seen);
    return ended(*leader_);
  }
  Code read(Member& member, const Seen& seen) {
    member.replica().read(++request_, kv::Transaction(), seen);
    return ended(member);
  }
  Code read_serializable(Member& member, const Seen& seen) {
    member.replica().read_serializable(++request_, kv::Transaction(), 0, seen);
    return ended(member);
  }
  Code ended(Member& member) {
    member.replica().pump();
    members_.settle();
    for (int i = 0; i < 300 && !member.finished.contains(request_); ++i) members_.tick();
    EXPECT_TRUE(member.finished.contains(request_));
    return member.finished.at(request_).status.code();
  }
  std::string detail() { return leader_->finished.at(request_).status.detail(); }

  Members members_{3};
  Member* leader_ = nullptr;
  Member* follower_ = nullptr;
  Seen seen_;
  std::uint64_t request_ = 0;
};

TEST_F(ReplicaLineage, WhoSawThisHistoryIsServed) {
  EXPECT_EQ(read(*leader_, seen_), Code::kOk);
  EXPECT_EQ(read(*follower_, seen_), Code::kOk);
  EXPECT_EQ(read_serializable(*follower_, seen_), Code::kOk);
  EXPECT_EQ(write(seen_), Code::kOk);
  EXPECT_EQ(write({}), Code::kOk) << "and whoever has seen nothing";
}

TEST_F(ReplicaLineage, AnotherEntryAtItsPlaceIsAnotherHistory) {
  seen_.hash.value ^= 1;
  for (const bool newest : {true, false}) {
    EXPECT_EQ(write(seen_), Code::kOtherHistory) << newest;
    EXPECT_EQ(read(*leader_, seen_), Code::kOtherHistory) << newest;
    EXPECT_EQ(read(*follower_, seen_), Code::kOtherHistory) << newest;
    EXPECT_EQ(read_serializable(*follower_, seen_), Code::kOtherHistory) << newest;
    EXPECT_EQ(write({}), Code::kOk);
    members_.tick();
  }
}

TEST_F(ReplicaLineage, AnotherGenerationIsAnotherHistory) {
  ++seen_.generation;
  EXPECT_EQ(write(seen_), Code::kOtherHistory);
  EXPECT_NE(detail().find("of generation 0"), std::string::npos) << detail();
  EXPECT_EQ(read_serializable(*follower_, seen_), Code::kOtherHistory);
}

/// All its members' disks were rolled back: it knows of less than was acknowledged.
TEST_F(ReplicaLineage, WhatWasAcknowledgedAndIsMissingIsAnotherHistory) {
  seen_.applied = base::Index(seen_.applied.value + 1000);
  const base::Index last = leader_->status().core.last;
  EXPECT_EQ(write(seen_), Code::kOtherHistory);
  EXPECT_NE(detail().find("ends at entry"), std::string::npos) << detail();
  EXPECT_EQ(leader_->status().core.last, last) << "nothing was written";
  EXPECT_EQ(read(*leader_, seen_), Code::kOtherHistory);
  EXPECT_EQ(read(*follower_, seen_), Code::kOtherHistory);
  EXPECT_EQ(read_serializable(*follower_, seen_), Code::kOk) << "it may only be late";
}

/// It knows of less since it does not lead any more: no reason to accuse it.
TEST_F(ReplicaLineage, ADeposedLeaderOnlyDoesNotLead) {
  members_.isolate(*leader_, true);
  seen_.applied = base::Index(seen_.applied.value + 1000);
  const Code code = write(seen_);
  EXPECT_NE(code, Code::kOtherHistory);
  EXPECT_NE(code, Code::kOk);
}

/// An entry that is here and not yet known to be committed, though the client knows.
TEST_F(ReplicaLineage, ALeaderThatHasNotAppliedItYetIsNoStranger) {
  leader_->apply_hangs = true;
  leader_->replica().write(++request_, "payload");
  leader_->replica().pump();
  members_.settle();
  const auto& sent = leader_->persisted.back().entries.back();
  const Seen newer{0, sent->index, sent->hash, sent->time};
  leader_->replica().write(++request_, "payload", false, {}, newer);
  leader_->replica().pump();
  members_.settle();
  leader_->apply_hangs = false;
  members_.settle();
  EXPECT_EQ(ended(*leader_), Code::kOk);
}

TEST_F(ReplicaLineage, TimeThatAClientHasSeenIsPast) {
  seen_.time = base::HybridTime(members_.wall_ms + 300, 7);
  EXPECT_EQ(write(seen_), Code::kOk);
  EXPECT_GT(leader_->finished.at(request_).header.time, seen_.time);
  seen_.time = base::HybridTime(members_.wall_ms + 100'000, 7);
  EXPECT_EQ(write(seen_), Code::kOk) << "nonsense is not merged";
  EXPECT_LT(leader_->finished.at(request_).header.time, seen_.time);
}

}  // namespace
}  // namespace server
