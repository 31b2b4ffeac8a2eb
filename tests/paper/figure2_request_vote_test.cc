// Raft paper, figure 2, "RequestVote RPC", receiver implementation 1 and 2, with section 5.4.1 for
// what "up-to-date" means.
#include <gtest/gtest.h>

#include "tests/paper/one_member.h"

namespace raft::paper {
namespace {

RequestVote candidacy(std::uint64_t last_index, std::uint64_t last_term) {
  return RequestVote{false, false, Index(last_index), Term(last_term)};
}
bool grants(OneMember& member, std::uint64_t candidate, std::uint64_t term, RequestVote body) {
  member.take_sent();
  member.tell(candidate, term, body);
  const auto replies = member.sent<RequestVoteReply>(candidate);
  EXPECT_LE(replies.size(), 1u);
  return !replies.empty() && replies.back().granted;
}

/// Receiver 1.
TEST(Figure2RequestVote, AnOldTermIsRefused) {
  OneMember member({.log = {1}, .term = 4});
  EXPECT_FALSE(grants(member, 2, 3, candidacy(9, 3)));
  EXPECT_EQ(member.take_sent().back().term, Term(4)) << "the candidate learns the newer term";
}

/// Receiver 2: one vote a term, first come first served (section 5.2).
TEST(Figure2RequestVote, OneVoteATerm) {
  OneMember member({.log = {1}});
  EXPECT_TRUE(grants(member, 2, 2, candidacy(1, 1)));
  EXPECT_FALSE(grants(member, 3, 2, candidacy(1, 1)));
  EXPECT_TRUE(grants(member, 2, 2, candidacy(1, 1))) << "the same one again";
  EXPECT_TRUE(grants(member, 3, 3, candidacy(1, 1))) << "a new term, a new vote";
}

/// A candidate has voted for itself.
TEST(Figure2RequestVote, ACandidateVotesForNobodyElse) {
  OneMember member({.log = {1}});
  ASSERT_TRUE(member.tick_until(Role::kPreCandidate));
  member.tell(2, 2, RequestVoteReply{true, true, {}, {}});
  ASSERT_EQ(member.status().role, Role::kCandidate);
  EXPECT_FALSE(grants(member, 3, member.status().term.value, candidacy(5, 1)));
}

/// Section 5.4.1: the later last term is the more up-to-date log, however long the other is.
TEST(Figure2RequestVote, TheLaterLastTermWins) {
  OneMember longer({.log = {1, 1, 1, 1}});
  EXPECT_TRUE(grants(longer, 2, 5, candidacy(2, 2)));
  OneMember later({.log = {1, 3}});
  EXPECT_FALSE(grants(later, 2, 5, candidacy(9, 2)));
}

/// Section 5.4.1: with the same last term the longer log is; equal ones are enough.
TEST(Figure2RequestVote, WithEqualTermsTheLongerLogWins) {
  OneMember member({.log = {1, 1, 1}});
  EXPECT_FALSE(grants(member, 2, 2, candidacy(2, 1)));
  EXPECT_TRUE(grants(member, 2, 2, candidacy(3, 1)));
  OneMember shorter({.log = {1}});
  EXPECT_TRUE(grants(shorter, 2, 2, candidacy(2, 1)));
}

/// A refusal for the log is no vote: another may still have it.
TEST(Figure2RequestVote, ARefusalLeavesTheVoteFree) {
  OneMember member({.log = {1, 1}});
  EXPECT_FALSE(grants(member, 2, 2, candidacy(1, 1)));
  EXPECT_EQ(member.durable().vote, MemberId());
  EXPECT_TRUE(grants(member, 3, 2, candidacy(2, 1)));
}

/// The reply carries the term, and refused candidates of a newer term raise it all the same.
TEST(Figure2RequestVote, TheTermIsTakenOverEvenFromWhoIsRefused) {
  OneMember member({.log = {1, 1}});
  EXPECT_FALSE(grants(member, 2, 6, candidacy(1, 1)));
  EXPECT_EQ(member.status().term, Term(6));
}

}  // namespace
}  // namespace raft::paper
