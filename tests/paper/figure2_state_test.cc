// Raft paper, figure 2, "State".
#include <gtest/gtest.h>

#include "tests/paper/one_member.h"

namespace raft::paper {
namespace {

/// Persistent state is updated on stable storage before RPCs are answered: the term.
TEST(Figure2State, ANewTermIsDurableBeforeAnythingIsSaidInIt) {
  OneMember member({.log = {1}});
  const Output output = member.hear(2, 5, RequestVote{false, false, Index(1), Term(1)});
  ASSERT_EQ(output.persist.size(), 1u);
  EXPECT_EQ(output.persist[0].hard_state->term, Term(5));
  EXPECT_TRUE(output.send.empty());
  member.persist();
  ASSERT_EQ(member.sent<RequestVoteReply>().size(), 1u);
  EXPECT_EQ(member.durable().term, Term(5));
}

/// Persistent state: the vote. It outlives a restart, and binds.
TEST(Figure2State, AVoteOutlivesARestart) {
  OneMember member({.log = {1}});
  member.tell(2, 5, RequestVote{false, false, Index(1), Term(1)});
  ASSERT_TRUE(member.sent<RequestVoteReply>(2).back().granted);
  member.restart();
  member.tell(3, 5, RequestVote{false, false, Index(1), Term(1)});
  ASSERT_EQ(member.sent<RequestVoteReply>(3).size(), 1u);
  EXPECT_FALSE(member.sent<RequestVoteReply>(3).back().granted);
  member.tell(2, 5, RequestVote{false, false, Index(1), Term(1)});
  EXPECT_TRUE(member.sent<RequestVoteReply>(2).back().granted);
}

/// Persistent state: the log. It is acknowledged once it is durable and not before.
TEST(Figure2State, EntriesAreDurableBeforeTheyAreAcknowledged) {
  OneMember member({.log = {1}, .term = 2});
  AppendEntries body{Index(1), Term(1), make_log({1})[0]->hash, {make_log({1, 2})[1]}, {}, {}};
  const Output output = member.hear(2, 2, body);
  EXPECT_TRUE(output.send.empty());
  member.persist();
  ASSERT_EQ(member.sent<AppendEntriesReply>().size(), 1u);
  EXPECT_EQ(member.sent<AppendEntriesReply>()[0].match, Index(2));
  member.restart();
  EXPECT_EQ(member.log(), (Terms{1, 2}));
}

/// currentTerm increases monotonically.
TEST(Figure2State, TheTermNeverFalls) {
  OneMember member({.log = {1}, .term = 7});
  member.append_from(2, 3, make_log({1, 3}), 1, 2);
  EXPECT_EQ(member.status().term, Term(7));
  member.restart();
  EXPECT_EQ(member.status().term, Term(7));
}

/// commitIndex increases monotonically.
TEST(Figure2State, TheCommitIndexNeverFalls) {
  OneMember member({.log = {1, 1, 1}});
  member.append_from(2, 1, make_log({1, 1, 1}), 3, 3, 3);
  ASSERT_EQ(member.status().commit, Index(3));
  member.append_from(2, 1, make_log({1, 1, 1}), 3, 3, 1);
  EXPECT_EQ(member.status().commit, Index(3));
}

/// lastApplied follows commitIndex, entry by entry, and never passes it.
TEST(Figure2State, WhatIsCommittedIsAppliedInOrder) {
  OneMember member({.log = {1, 1, 1}});
  member.append_from(2, 1, make_log({1, 1, 1}), 3, 3, 2);
  member.apply();
  EXPECT_EQ(terms_of(member.applied()).size(), 2u);
  EXPECT_EQ(member.status().applied, Index(2));
  member.append_from(2, 1, make_log({1, 1, 1}), 3, 3, 3);
  member.apply();
  ASSERT_EQ(member.applied().size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(member.applied()[i]->index, Index(i + 1));
}

/// Volatile state begins at zero: after a restart it is learned anew what is committed.
TEST(Figure2State, ARestartForgetsTheCommitIndex) {
  OneMember member({.log = {1, 1}});
  member.append_from(2, 1, make_log({1, 1}), 2, 2, 2);
  ASSERT_EQ(member.status().commit, Index(2));
  member.restart();
  EXPECT_EQ(member.status().commit, Index());
}

/// nextIndex begins right after the leader's last entry, matchIndex at zero.
TEST(Figure2State, ANewLeaderKnowsNothingOfTheOthersLogs) {
  OneMember member({.log = {1, 1, 2}});
  member.lead();
  for (const std::uint64_t peer : {2, 3}) {
    const auto appends = member.sent<AppendEntries>(peer);
    ASSERT_FALSE(appends.empty());
    EXPECT_EQ(appends[0].previous_index, Index(3));
    EXPECT_EQ(appends[0].previous_term, Term(2));
  }
  for (const PeerStatus& peer : member.status().peers) EXPECT_EQ(peer.match, Index());
}

/// Both are reinitialised after each election.
TEST(Figure2State, WhatAnEarlierLeadershipKnewIsForgotten) {
  OneMember member({.log = {1}});
  member.lead();
  member.acknowledge(2, 2);
  ASSERT_EQ(member.status().peers[0].match, Index(2));
  member.tell(3, member.status().term.value + 1, RequestVoteReply{});
  ASSERT_EQ(member.status().role, Role::kFollower);
  member.lead();
  EXPECT_EQ(member.status().peers[0].match, Index());
}

}  // namespace
}  // namespace raft::paper
