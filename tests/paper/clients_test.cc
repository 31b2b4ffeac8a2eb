// Raft paper, section 8, and thesis section 6.4: what clients may rely on when they read. (That a
// command is executed once is the state machine's: tests/kv.)
#include <gtest/gtest.h>

#include "tests/paper/one_member.h"

namespace raft::paper {
namespace {

/// A leader begins its term with an entry that changes nothing, to learn what is committed.
TEST(Clients, ATermBeginsWithAnEmptyEntry) {
  OneMember member({.log = {1}});
  member.lead();
  EXPECT_EQ(member.log(), (Terms{1, 2}));
  EXPECT_EQ(member.entries().back()->kind, EntryKind::kEmpty);
}

/// No read before that entry is committed.
TEST(Clients, NoReadBeforeAnOwnCommit) {
  OneMember member({.log = {1}});
  member.lead();
  member.step(ReadBarrier{{7}});
  member.support(2);
  member.support(3);
  EXPECT_TRUE(member.reads().empty());
  member.acknowledge(2, 2);
  member.support(2);
  ASSERT_EQ(member.reads().size(), 1u);
  EXPECT_EQ(member.reads()[0].code, base::Code::kOk);
}

/// A read waits for heartbeats to a majority that left after it came.
TEST(Clients, AReadAsksAMajorityFirst) {
  OneMember member({.log = {1}});
  member.lead_and_commit();
  member.step(ReadBarrier{{7}});
  EXPECT_TRUE(member.reads().empty());
  ASSERT_FALSE(member.sent<Heartbeat>(2).empty()) << "the round begins at once";
  member.support(2);
  ASSERT_EQ(member.reads().size(), 1u);
  EXPECT_EQ(member.reads()[0].index, member.status().commit);
}

/// An answer to a heartbeat from before the read says nothing of it.
TEST(Clients, AnAnswerToAnEarlierHeartbeatDoesNotCount) {
  OneMember member({.log = {1}});
  member.lead_and_commit();
  member.tick(5);
  const RoundToken before = member.sent<Heartbeat>(2).back().round;
  member.step(ReadBarrier{{7}});
  HeartbeatReply late;
  late.round = before;
  member.tell(2, member.status().term.value, late);
  EXPECT_TRUE(member.reads().empty());
}

/// A read that comes while a round is out waits for the next one (DESIGN section 6, rule 7).
TEST(Clients, AReadJoinsNoRoundThatIsOut) {
  OneMember member({.log = {1}});
  member.lead_and_commit();
  member.step(ReadBarrier{{7}});
  const RoundToken first = member.sent<Heartbeat>(2).back().round;
  member.step(ReadBarrier{{8}});
  HeartbeatReply reply;
  reply.round = first;
  member.tell(2, member.status().term.value, reply);
  ASSERT_EQ(member.reads().size(), 1u);
  EXPECT_EQ(member.reads()[0].id, 7u);
  member.support(2);
  ASSERT_EQ(member.reads().size(), 2u);
  EXPECT_EQ(member.reads()[1].id, 8u);
}

/// The read index is the commit index when the read came, and what comes later does not hold it up.
TEST(Clients, TheReadIndexIsTheCommitIndexAtItsBegin) {
  OneMember member({.log = {1}});
  member.lead_and_commit();
  const Index commit = member.status().commit;
  member.step(ReadBarrier{{7}});
  member.propose("x");
  member.support(2);
  ASSERT_EQ(member.reads().size(), 1u);
  EXPECT_EQ(member.reads()[0].index, commit);
}

/// A leader that reaches no majority answers no read, and says so once it steps down.
TEST(Clients, WithoutAMajorityNoRead) {
  OneMember member({.log = {1}});
  member.lead_and_commit();
  member.step(ReadBarrier{{7}});
  for (int i = 0; i < 100; ++i) {
    member.tick(1);
    member.persist();
    member.apply();
  }
  ASSERT_EQ(member.reads().size(), 1u);
  EXPECT_NE(member.reads()[0].code, base::Code::kOk);
  EXPECT_NE(member.status().role, Role::kLeader);
}

/// A follower asks its leader for a read index (thesis section 6.4, last part).
TEST(Clients, AFollowerAsksItsLeader) {
  OneMember member({.log = {1}});
  member.append_from(2, 1, make_log({1}), 1, 1, 1);
  member.take_sent();
  member.step(ReadBarrier{{7}});
  ASSERT_EQ(member.sent<ReadIndexRequest>(2).size(), 1u);
  EXPECT_TRUE(member.reads().empty());
  member.tell(2, 1, ReadIndexReply{7, base::Code::kOk, Index(1)});
  ASSERT_EQ(member.reads().size(), 1u);
  EXPECT_EQ(member.reads()[0].index, Index(1));
}

/// Who does not lead refuses commands; the answer names the leader if there is one.
TEST(Clients, AFollowerRefusesCommands) {
  OneMember member({.log = {1}});
  member.propose("x");
  EXPECT_EQ(member.outcomes().back().code, base::Code::kNoLeader);
  member.append_from(2, 1, make_log({1}), 1, 1);
  member.propose("x");
  EXPECT_EQ(member.outcomes().back().code, base::Code::kNotLeader);
  EXPECT_EQ(member.status().leader, MemberId(2));
  EXPECT_EQ(member.log(), Terms{1});
}

}  // namespace
}  // namespace raft::paper
