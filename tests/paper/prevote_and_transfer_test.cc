// Raft thesis, sections 9.6 (pre-vote) and 3.10 (leadership transfer).
#include <gtest/gtest.h>

#include "tests/paper/one_member.h"

namespace raft::paper {
namespace {

RequestVote pre_vote(std::uint64_t last_index, std::uint64_t last_term) {
  return RequestVote{true, false, Index(last_index), Term(last_term)};
}

/// Section 9.6: a member that reaches nobody asks for ever, and its term stays.
TEST(PreVote, WhoReachesNobodyKeepsItsTerm) {
  OneMember member({.log = {1}});
  member.tick(2000);
  member.persist();
  EXPECT_EQ(member.status().term, Term(1));
  EXPECT_FALSE(member.sent<RequestVote>().empty());
  for (const RequestVote& body : member.sent<RequestVote>()) EXPECT_TRUE(body.pre_vote);
}

/// The term rises only once a majority has said that it would vote.
TEST(PreVote, AMajorityComesBeforeTheTerm) {
  OneMember member({.log = {1}, .size = 5});
  ASSERT_TRUE(member.tick_until(Role::kPreCandidate));
  member.tell(2, 2, RequestVoteReply{true, true, {}, {}});
  EXPECT_EQ(member.status().term, Term(1));
  member.tell(3, 2, RequestVoteReply{true, true, {}, {}});
  EXPECT_EQ(member.status().term, Term(2));
  EXPECT_EQ(member.status().role, Role::kCandidate);
}

/// Whoever hears from a leader would not vote.
TEST(PreVote, NotWhileALeaderIsHeard) {
  OneMember member({.log = {1}});
  member.append_from(2, 1, make_log({1}), 1, 1);
  member.tell(3, 2, pre_vote(1, 1));
  ASSERT_EQ(member.sent<RequestVoteReply>(3).size(), 1u);
  EXPECT_FALSE(member.sent<RequestVoteReply>(3).back().granted);
  member.tick(30);
  member.tell(3, 2, pre_vote(1, 1));
  EXPECT_TRUE(member.sent<RequestVoteReply>(3).back().granted);
}

TEST(PreVote, NotByALeader) {
  OneMember member({.log = {1}});
  member.lead();
  member.tell(3, member.status().term.value + 1, pre_vote(9, 9));
  EXPECT_FALSE(member.sent<RequestVoteReply>(3).back().granted);
  EXPECT_EQ(member.status().role, Role::kLeader);
}

/// Nor for a log that is behind.
TEST(PreVote, NotForALogThatIsBehind) {
  OneMember member({.log = {1, 2}});
  member.tell(3, 3, pre_vote(9, 1));
  EXPECT_FALSE(member.sent<RequestVoteReply>(3).back().granted);
  member.tell(3, 3, pre_vote(2, 2));
  EXPECT_TRUE(member.sent<RequestVoteReply>(3).back().granted);
}

/// A pre-vote changes nothing at who gives it: no term, no vote.
TEST(PreVote, ItIsNoVote) {
  OneMember member({.log = {1}});
  member.tell(2, 9, pre_vote(1, 1));
  ASSERT_TRUE(member.sent<RequestVoteReply>(2).back().granted);
  EXPECT_EQ(member.status().term, Term(1));
  EXPECT_EQ(member.durable().vote, MemberId());
  member.tell(3, 9, pre_vote(1, 1));
  EXPECT_TRUE(member.sent<RequestVoteReply>(3).back().granted) << "and may be given to many";
}

// ---- Section 3.10 ----

/// The target is brought up to date first, then told to stand at once.
TEST(Transfer, TheTargetCatchesUpFirst) {
  OneMember member({.log = {1}});
  member.lead_and_commit();
  member.support(3);
  member.step(TransferLeadership{5, MemberId(3)});
  ASSERT_EQ(member.outcomes().back().code, base::Code::kOk);
  EXPECT_TRUE(member.sent<TimeoutNow>().empty()) << "it lacks the newest entry";
  member.acknowledge(3, member.status().last.value);
  EXPECT_EQ(member.sent<TimeoutNow>(3).size(), 1u);
  EXPECT_TRUE(member.sent<TimeoutNow>(2).empty());
}

/// Meanwhile no new requests are taken.
TEST(Transfer, NothingIsProposedMeanwhile) {
  OneMember member({.log = {1}});
  member.lead_and_commit();
  member.support(3);
  member.step(TransferLeadership{5, MemberId(3)});
  const Index last = member.status().last;
  member.propose("x");
  EXPECT_EQ(member.outcomes().back().code, base::Code::kNotLeader);
  EXPECT_EQ(member.status().last, last);
}

/// If it does not come to pass within an election timeout the leader goes on.
TEST(Transfer, ItIsGivenUpAfterAnElectionTimeout) {
  OneMember member({.log = {1}});
  member.lead_and_commit();
  member.support(3);
  member.step(TransferLeadership{5, MemberId(3)});
  for (int i = 0; i < 31; ++i) {
    member.support(2);
    member.tick(1);
  }
  EXPECT_EQ(member.status().role, Role::kLeader);
  member.propose("x");
  EXPECT_EQ(member.outcomes().back().code, base::Code::kOk);
}

/// Who is told stands at once, without waiting and without a pre-vote; its request says so, and is
/// heard by those who hear a leader (section 4.2.3).
TEST(Transfer, TheTargetStandsAtOnce) {
  OneMember member({.log = {1}});
  member.append_from(2, 1, make_log({1}), 1, 1);
  member.tell(2, 1, TimeoutNow{});
  EXPECT_EQ(member.status().role, Role::kCandidate);
  EXPECT_EQ(member.status().term, Term(2));
  ASSERT_FALSE(member.sent<RequestVote>(3).empty());
  EXPECT_TRUE(member.sent<RequestVote>(3).back().transfer);
  OneMember third({.log = {1}});
  third.append_from(2, 1, make_log({1}), 1, 1);
  third.tell(3, 2, RequestVote{false, true, Index(1), Term(1)});
  EXPECT_TRUE(third.sent<RequestVoteReply>(3).back().granted);
}

}  // namespace
}  // namespace raft::paper
