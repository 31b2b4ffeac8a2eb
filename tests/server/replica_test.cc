// server/replica: the glue and its promises, with the real core and scripted ports.
#include "server/replica.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/server/members.h"

namespace server {
namespace {

using base::Code;
using base::Index;
using testing::Member;
using testing::Members;

kv::Transaction get(const std::string& key) {
  kv::Transaction transaction;
  transaction.then.push_back(kv::RangeOperation{.range = {key, ""}});
  return transaction;
}

Member& follower_of(Members& members, const Member& leader) {
  return members.at(0).leads() && &members.at(0) == &leader ? members.at(1) : members.at(0);
}

Code code_of(const Member& member, std::uint64_t request) {
  return member.finished.at(request).status.code();
}

TEST(Replica, AnswersAWriteByTheApplyOfItsEntry) {
  Members members(3);
  Member& leader = members.elect();
  leader.apply_hangs = true;
  leader.replica().write(1, "x");
  leader.replica().pump();
  members.settle();
  EXPECT_FALSE(leader.finished.contains(1)) << "answered before it was applied";
  leader.apply_hangs = false;
  members.tick();
  ASSERT_TRUE(leader.finished.contains(1));
  EXPECT_EQ(code_of(leader, 1), Code::kOk);
  const auto status = leader.status();
  EXPECT_EQ(leader.finished[1].header.applied, status.position.applied);
  EXPECT_EQ(leader.finished[1].reply.session.value, status.position.applied.value);
  EXPECT_EQ(leader.finished[1].header.member, status.core.leader);
  EXPECT_EQ(status.pending_requests, 0u);
}

TEST(Replica, RequestsOfOneTurnAreOneProposalBatch) {
  Members members(1);
  Member& leader = members.elect();
  for (std::uint64_t request = 1; request <= 100; ++request) leader.replica().write(request, "x");
  EXPECT_TRUE(leader.persists.empty()) << "a write reached the core before the end of the turn";
  leader.replica().pump();
  ASSERT_EQ(leader.persists.size(), 1u);
  EXPECT_EQ(leader.persists.front().entries.size(), 100u);
  members.settle();
  EXPECT_EQ(leader.finished.size(), 100u);
}

TEST(Replica, FollowersRefuseWritesAtOnceAndReadByTheirLeadersWord) {
  Members members(3);
  Member& leader = members.elect();
  for (int i = 0; i < 10; ++i) members.tick();
  Member& follower = follower_of(members, leader);
  follower.replica().write(1, "x");
  follower.replica().read(2, get("k"));
  follower.replica().pump();
  ASSERT_TRUE(follower.finished.contains(1));
  EXPECT_EQ(code_of(follower, 1), Code::kNotLeader);
  EXPECT_EQ(follower.finished[1].leader, leader.status().core.leader);
  // A read goes by the leader's word.
  EXPECT_TRUE(follower.reads.empty());
  members.settle();
  ASSERT_TRUE(follower.finished.contains(2));
  EXPECT_EQ(code_of(follower, 2), Code::kOk);
}

TEST(Replica, AReadIsGivenToApplyOnlyAfterWhatItMustSee) {
  Members members(1);
  Member& leader = members.elect();
  // The write is committed but apply does not finish, so that the core holds later entries back.
  leader.apply_hangs = true;
  leader.replica().write(1, std::string(2 << 20, 'x'));
  leader.replica().pump();
  members.settle();
  leader.replica().write(2, "y");
  leader.replica().pump();
  members.settle();
  const Index commit = leader.status().core.commit;
  leader.replica().read(3, get("k"));
  leader.replica().pump();
  members.settle();
  leader.apply_hangs = false;
  members.settle();
  members.tick();
  ASSERT_EQ(leader.reads.size(), 1u);
  EXPECT_GE(leader.reads[0].handed, commit);
  EXPECT_EQ(code_of(leader, 3), Code::kOk);
  EXPECT_TRUE(leader.finished[3].is_read);
}

TEST(Replica, AReadNeedsAMajority) {
  Members members(3);
  Member& leader = members.elect();
  members.isolate(leader, true);
  leader.replica().read(1, get("k"));
  leader.replica().pump();
  members.settle();
  EXPECT_TRUE(leader.reads.empty()) << "read without asking anybody";
  for (int i = 0; i < 200; ++i) members.tick();
  ASSERT_TRUE(leader.finished.contains(1));
  EXPECT_NE(code_of(leader, 1), Code::kOk);
}

TEST(Replica, SerializableReadsNeedNobody) {
  Members members(3);
  Member& leader = members.elect();
  Member& follower = follower_of(members, leader);
  members.isolate(follower, true);
  follower.replica().read_serializable(1, get("k"));
  members.settle();
  EXPECT_EQ(code_of(follower, 1), Code::kOk);
}

TEST(Replica, LostLeadershipEndsEachRequestOnceAsUnknown) {
  Members members(3);
  Member& old_leader = members.elect();
  members.isolate(old_leader, true);
  for (std::uint64_t request = 1; request <= 5; ++request) old_leader.replica().write(request, "x");
  old_leader.replica().pump();
  members.settle();
  EXPECT_TRUE(old_leader.finished.empty());
  Member& leader = members.elect();
  EXPECT_NE(&leader, &old_leader);
  leader.replica().write(1, "y");
  leader.replica().pump();
  members.settle();
  members.isolate(old_leader, false);
  for (int i = 0; i < 200; ++i) members.tick();
  ASSERT_EQ(old_leader.finished.size(), 5u);
  for (std::uint64_t request = 1; request <= 5; ++request) {
    const Code code = code_of(old_leader, request);
    EXPECT_TRUE(code == Code::kLeadershipLost || code == Code::kSuperseded) << int(code);
  }
  EXPECT_EQ(old_leader.status().position.applied, leader.status().position.applied);
  EXPECT_EQ(old_leader.status().pending_requests, 0u);
}

TEST(Replica, BoundsWhatIsPending) {
  ReplicaOptions options;
  options.pending_requests = 10;
  options.pending_bytes = 1000;
  Members members(1, options);
  Member& leader = members.elect();
  leader.log_hangs = true;
  for (std::uint64_t request = 1; request <= 11; ++request) leader.replica().write(request, "x");
  EXPECT_EQ(leader.finished.size(), 1u);
  EXPECT_EQ(code_of(leader, 11), Code::kOverloaded);
  leader.replica().pump();
  leader.log_hangs = false;
  members.settle();
  EXPECT_EQ(leader.finished.size(), 11u);
  EXPECT_EQ(code_of(leader, 10), Code::kOk);
  leader.replica().write(20, std::string(900, 'x'));
  leader.replica().write(21, std::string(900, 'x'));
  EXPECT_EQ(code_of(leader, 21), Code::kOverloaded);
  leader.replica().pump();
  members.settle();
  EXPECT_EQ(code_of(leader, 20), Code::kOk);
}

TEST(Replica, AnAcknowledgementWaitsForItsSync) {
  Members members(3);
  Member& leader = members.elect();
  for (int i = 0; i < 10; ++i) members.tick();
  for (std::size_t i = 0; i < members.size(); ++i) members.at(i).log_hangs = true;
  leader.replica().write(1, "x");
  leader.replica().pump();
  members.settle();
  EXPECT_FALSE(leader.finished.contains(1));
  const Index commit = leader.status().core.commit;
  Member& follower = follower_of(members, leader);
  ASSERT_FALSE(follower.persists.empty()) << "the entry did not reach the follower";
  leader.log_hangs = false;
  members.settle();
  EXPECT_EQ(leader.status().core.commit, commit) << "committed on one disk of three";
  follower.log_hangs = false;
  members.settle();
  EXPECT_EQ(code_of(leader, 1), Code::kOk);
}

TEST(Replica, AFailedLogEndsEverythingAndSendsNothingThatWaited) {
  Members members(3);
  Member& leader = members.elect();
  leader.log_hangs = true;
  leader.replica().write(1, "x");
  leader.replica().pump();
  leader.replica().write(2, "queued");
  leader.replica().persist_failed({Code::kIo, "broken disk"});
  EXPECT_EQ(code_of(leader, 1), Code::kLeadershipLost);
  ASSERT_TRUE(leader.finished.contains(2));
  EXPECT_NE(base::traits(code_of(leader, 2)).applied, base::Applied::kYes);
  EXPECT_FALSE(leader.leads());
  EXPECT_TRUE(leader.status().core.failed);
  leader.replica().write(3, "late");
  EXPECT_EQ(code_of(leader, 3), Code::kUnavailable);
  EXPECT_EQ(leader.status().pending_requests, 0u);
  const auto persists = leader.persists.size();
  for (int i = 0; i < 300; ++i) members.tick();
  EXPECT_EQ(leader.persists.size(), persists) << "wrote after a failed write";
  EXPECT_FALSE(leader.leads());
}

TEST(Replica, AFollowersVoteAndAcknowledgementAreDroppedWhenItsLogFails) {
  Members members(3);
  Member& leader = members.elect();
  for (int i = 0; i < 10; ++i) members.tick();
  Member& follower = follower_of(members, leader);
  follower.log_hangs = true;
  leader.replica().write(1, "x");
  leader.replica().pump();
  members.settle();
  follower.sent.clear();
  follower.replica().persist_failed({Code::kIo, "broken disk"});
  for (const auto& message : follower.sent) {
    const auto* reply = std::get_if<raft::AppendEntriesReply>(&message.body);
    EXPECT_FALSE(reply != nullptr && reply->success) << "acknowledged what was never synced";
  }
}

TEST(Replica, SleepingLongerThanAnElectionFloorEndsLeadership) {
  Members members(3);
  Member& leader = members.elect();
  leader.replica().advance(members.steady_ms + 400, members.wall_ms + 400);
  EXPECT_FALSE(leader.leads());
}

TEST(Replica, TimeBecomesWholeTicks) {
  Members members(1);
  Member& member = members.at(0);
  for (int i = 0; i < 9; ++i) member.replica().advance(++members.steady_ms, members.wall_ms);
  // 9 ms are no tick yet; one member alone leads after [30, 60) ticks.
  EXPECT_FALSE(member.leads());
  int ticks = 0;
  while (!member.leads() && ticks < 1000) {
    member.replica().advance(members.steady_ms += 5, members.wall_ms);
    member.complete_log();
    ++ticks;
  }
  EXPECT_GE(ticks * 5, 290);
  EXPECT_LE(ticks * 5, 620);
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

TEST(Replica, CutsTheLogWhereEveryVoterAndTheDurableStateHaveIt) {
  ReplicaOptions options;
  options.log_bytes = 1000;
  Members members(1, options);
  Member& leader = members.elect();
  for (std::uint64_t request = 1; request <= 20; ++request) leader.replica().write(request, "x");
  leader.replica().pump();
  members.settle();
  leader.log_bytes = 2000;
  for (int i = 0; i < 110; ++i) members.tick();
  EXPECT_TRUE(leader.cuts.empty()) << "cut what the state has not made durable";
  EXPECT_GE(leader.flushes, 1);
  leader.durable = Index(7);
  for (int i = 0; i < 110; ++i) members.tick();
  ASSERT_EQ(leader.cuts.size(), 1u);
  EXPECT_EQ(leader.cuts[0].through, Index(7));
  EXPECT_EQ(leader.cuts[0].term, leader.status().core.term);
  const auto& entries = leader.persisted;
  base::ChainHash hash;
  for (const auto& request : entries) {
    for (const auto& entry : request.entries) {
      if (entry->index == Index(7)) hash = entry->hash;
    }
  }
  EXPECT_EQ(leader.cuts[0].hash, hash);
  for (int i = 0; i < 110; ++i) members.tick();
  EXPECT_EQ(leader.cuts.size(), 1u) << "a cut while one is under way";
  leader.replica().log_cut(Index(7));
  EXPECT_EQ(leader.status().core.first, Index(8));
  leader.log_bytes = 10;
  for (int i = 0; i < 110; ++i) members.tick();
  EXPECT_EQ(leader.cuts.size(), 1u) << "cut below the size";
}

TEST(Replica, NeverCutsTheLastEntry) {
  ReplicaOptions options;
  options.log_bytes = 1;
  Members members(1, options);
  Member& leader = members.elect();
  leader.replica().write(1, "x");
  leader.replica().pump();
  members.settle();
  leader.log_bytes = 100;
  leader.durable = leader.status().core.last;
  for (int i = 0; i < 110; ++i) members.tick();
  ASSERT_EQ(leader.cuts.size(), 1u);
  EXPECT_EQ(leader.cuts[0].through, leader.status().core.last.previous());
}

TEST(Replica, DrainingRefusesAndHandsLeadershipOn) {
  Members members(3);
  Member& leader = members.elect();
  for (int i = 0; i < 10; ++i) members.tick();
  leader.replica().write(1, "x");
  leader.replica().drain();
  members.settle();
  members.tick();
  EXPECT_EQ(code_of(leader, 1), Code::kOk) << "what was taken in is finished";
  leader.replica().write(2, "y");
  EXPECT_EQ(code_of(leader, 2), Code::kUnavailable);
  EXPECT_TRUE(leader.status().draining);
  for (int i = 0; i < 5; ++i) members.tick();
  EXPECT_FALSE(leader.leads());
  Member& next = members.elect();
  EXPECT_NE(&next, &leader);
}

TEST(Replica, DrainingDoesNotWaitForWritesThatDoNotComplete) {
  Members members(3);
  Member& leader = members.elect();
  for (int i = 0; i < 10; ++i) members.tick();
  leader.apply_hangs = true;
  leader.replica().write(1, "x");
  leader.replica().drain();
  for (int i = 0; i < 40; ++i) members.tick();
  EXPECT_TRUE(leader.leads());
  for (int i = 0; i < 20; ++i) members.tick();
  EXPECT_FALSE(leader.leads());
  for (int i = 0; i < 300; ++i) {
    members.tick();
    EXPECT_FALSE(leader.leads());
  }
}

TEST(Replica, ADrainedMemberDoesNotCampaignAgain) {
  Members members(1);
  Member& leader = members.elect();
  leader.replica().drain();
  EXPECT_FALSE(leader.leads());
  for (int i = 0; i < 300; ++i) {
    members.tick();
    EXPECT_FALSE(leader.leads()) << "campaigned while shutting down";
  }
}

}  // namespace
}  // namespace server
