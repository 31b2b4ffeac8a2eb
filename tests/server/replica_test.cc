// server/replica: the glue and its promises, with the real core and scripted ports.
#include "server/replica.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/server/members.h"

namespace server {
namespace {

using base::Code;
using base::Index;
using testing::code_of;
using testing::follower_of;
using testing::Member;
using testing::Members;
using testing::put_into_quarantine;

kv::Transaction get(const std::string& key) {
  kv::Transaction transaction;
  transaction.then.push_back(kv::RangeOperation{.range = {key, ""}});
  return transaction;
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

/// DESIGN section 6, rule 11.
TEST(Replica, WithoutRoomOnlyWhatFreesIsProposed) {
  Members members(3);
  Member& leader = members.elect();
  leader.replica().keep_room("the disk is nearly full");
  leader.replica().write(1, "put");
  leader.replica().write(2, "delete", true);
  leader.replica().pump();
  members.settle();
  ASSERT_TRUE(leader.finished.contains(1) && leader.finished.contains(2));
  EXPECT_EQ(code_of(leader, 1), Code::kDiskFull);
  EXPECT_EQ(leader.finished[1].status.detail(), "the disk is nearly full");
  EXPECT_EQ(code_of(leader, 2), Code::kOk);
  EXPECT_EQ(leader.status().full_reason, "the disk is nearly full");
  leader.replica().keep_room("");
  leader.replica().write(3, "put");
  leader.replica().pump();
  members.settle();
  EXPECT_EQ(code_of(leader, 3), Code::kOk);
}

/// What waited for a sync when the member learnt that it counts for nothing is not said any more.
/// Found by simulator seed 9865 (3 nodes).
TEST(Replica, AcknowledgesNothingOnceItIsInQuarantine) {
  Members members(3);
  Member& leader = members.elect();
  Member& follower = follower_of(members, leader);
  members.tick();
  follower.log_hangs = true;
  leader.replica().write(1, "x");
  leader.replica().pump();
  members.settle();
  ASSERT_FALSE(follower.persists.empty());
  put_into_quarantine(members, leader, follower);
  ASSERT_TRUE(follower.status().core.quarantined);
  follower.sent.clear();
  follower.log_hangs = false;
  (void)follower.complete_log();
  for (const raft::Message& message : follower.sent) {
    const auto* reply = std::get_if<raft::AppendEntriesReply>(&message.body);
    EXPECT_FALSE(reply != nullptr && reply->success) << raft::to_string(message);
  }
}

TEST(Replica, YieldsLeadershipAndSaysWhy) {
  Members members(3);
  Member& leader = members.elect();
  const base::MemberId to = leader.status().core.peers.front().id;
  leader.replica().yield_leadership(to, "its disk is slow");
  for (int i = 0; i < 100 && leader.leads(); ++i) members.tick();
  EXPECT_FALSE(leader.leads());
  EXPECT_EQ(leader.status().core.step_down_reason, "its disk is slow");
  leader.replica().yield_leadership(to, "again");  // it does not lead: nothing happens
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

// ---- Membership ----

MemberChange change(MemberChangeKind kind, const std::string& name) {
  MemberChange asked;
  asked.kind = kind;
  asked.name = name;
  return asked;
}

TEST(Replica, AChangeOfTheMembershipIsAnsweredOnceItIsInForce) {
  Members members(3);
  Member& leader = members.elect();
  members.tick();
  auto add = change(MemberChangeKind::kAdd, "n4");
  add.id = base::MemberId(4);
  add.peer_address = "127.0.0.1:7004";
  leader.apply_hangs = true;
  leader.replica().change_members(1, add);
  members.settle();
  EXPECT_FALSE(leader.finished.contains(1)) << "answered before it was applied";
  leader.apply_hangs = false;
  members.settle();
  ASSERT_TRUE(leader.finished.contains(1));
  ASSERT_EQ(code_of(leader, 1), Code::kOk);
  ASSERT_NE(leader.finished[1].members, nullptr);
  EXPECT_EQ(leader.finished[1].members->learners.at(0).peer_address, "127.0.0.1:7004");
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NE(members.at(i).members.find(base::MemberId(4)), nullptr) << "the transport is told";
  }
  // Once more, since requests are repeated; a list; and what is wrong with a request.
  leader.replica().change_members(2, add);
  leader.replica().change_members(3, {});
  leader.replica().change_members(4, change(MemberChangeKind::kPromote, "nobody"));
  EXPECT_EQ(code_of(leader, 2), Code::kOk);
  EXPECT_EQ(leader.finished[3].members->ids().size(), 4u);
  EXPECT_EQ(code_of(leader, 4), Code::kInvalidArgument);
  Member& follower = follower_of(members, leader);
  follower.replica().change_members(5, {});
  EXPECT_EQ(code_of(follower, 5), Code::kNotLeader);
}

TEST(Replica, ARemovalIsAnsweredOnceTheJointConfigurationIsLeft) {
  Members members(3);
  Member& leader = members.elect();
  members.tick();
  Member& gone = follower_of(members, leader);
  const std::string id =
      base::to_hex(gone.status()
                       .core.configuration.ids()
                       .at(&gone == &members.at(0) ? 0 : (&gone == &members.at(1) ? 1 : 2))
                       .value);
  leader.replica().change_members(1, change(MemberChangeKind::kRemove, id));
  leader.replica().change_members(2, change(MemberChangeKind::kRemove, "other"));
  members.settle();
  ASSERT_TRUE(leader.finished.contains(1));
  EXPECT_EQ(code_of(leader, 1), Code::kOk);
  EXPECT_FALSE(leader.finished[1].members->joint());
  EXPECT_EQ(leader.finished[1].members->voters.size(), 2u);
  EXPECT_EQ(code_of(leader, 2), Code::kUnavailable) << "one at a time";
}

TEST(Replica, MovingTheLeaderIsAnsweredByWhoLeadsThen) {
  Members members(3);
  Member& leader = members.elect();
  for (int i = 0; i < 10; ++i) members.tick();
  Member& heir = follower_of(members, leader);
  const auto ids = leader.status().core.configuration.ids();
  const std::string id =
      base::to_hex(ids.at(&heir == &members.at(0) ? 0 : (&heir == &members.at(1) ? 1 : 2)).value);
  leader.replica().move_leader(1, id);
  leader.replica().move_leader(2, "nobody");
  for (int i = 0; i < 20; ++i) members.tick();
  EXPECT_TRUE(heir.leads());
  ASSERT_TRUE(leader.finished.contains(1));
  EXPECT_EQ(code_of(leader, 1), Code::kOk);
  EXPECT_EQ(code_of(leader, 2), Code::kInvalidArgument);
  heir.replica().move_leader(3, id);
  EXPECT_EQ(code_of(heir, 3), Code::kOk) << "it leads already";
}

// ---- Snapshots ----

}  // namespace
}  // namespace server
