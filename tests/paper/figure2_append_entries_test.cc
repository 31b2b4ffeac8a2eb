// Raft paper, figure 2, "AppendEntries RPC", receiver implementation 1 to 5. Beside the previous
// entry's term Holdfast compares its chain hash (DESIGN section 5.1).
#include <gtest/gtest.h>

#include "tests/paper/one_member.h"

namespace raft::paper {
namespace {

/// Receiver 1: a leader of an earlier term is refused, and hears of the newer one.
TEST(Figure2AppendEntries, AnOldTermIsRefused) {
  OneMember member({.log = {1}, .term = 4});
  member.append_from(2, 3, make_log({1, 3}), 1, 2);
  EXPECT_EQ(member.log(), Terms{1});
  const auto sent = member.take_sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].term, Term(4));
  EXPECT_FALSE(std::get<AppendEntriesReply>(sent[0].body).success);
}

/// Receiver 2: without an entry at the previous index nothing is taken.
TEST(Figure2AppendEntries, AGapIsRefused) {
  OneMember member({.log = {1}});
  member.append_from(2, 1, make_log({1, 1, 1}), 2, 3);
  EXPECT_EQ(member.log(), Terms{1});
  ASSERT_EQ(member.sent<AppendEntriesReply>().size(), 1u);
  EXPECT_FALSE(member.sent<AppendEntriesReply>()[0].success);
}

/// Receiver 2: nor with an entry of another term there.
TEST(Figure2AppendEntries, AnotherPreviousTermIsRefused) {
  OneMember member({.log = {1, 1}});
  member.append_from(2, 3, make_log({1, 2, 3}), 2, 3);
  EXPECT_EQ(member.log(), (Terms{1, 1}));
  ASSERT_EQ(member.sent<AppendEntriesReply>().size(), 1u);
  EXPECT_FALSE(member.sent<AppendEntriesReply>()[0].success);
}

/// Receiver 3: a conflicting entry goes, with all that follow it.
TEST(Figure2AppendEntries, AConflictRemovesWhatFollows) {
  OneMember member({.log = {1, 2, 2, 2}});
  member.append_from(2, 3, make_log({1, 3}), 1, 2);
  EXPECT_EQ(member.log(), (Terms{1, 3}));
  EXPECT_TRUE(member.sent<AppendEntriesReply>().back().success);
}

/// Receiver 3 and 4: what agrees stays, so that a late, shorter message removes nothing.
TEST(Figure2AppendEntries, ALateMessageRemovesNothing) {
  OneMember member({.log = {1, 2, 2, 2}});
  member.append_from(2, 2, make_log({1, 2, 2, 2}), 1, 2);
  EXPECT_EQ(member.log(), (Terms{1, 2, 2, 2}));
  member.append_from(2, 2, make_log({1, 2}), 2, 2);
  EXPECT_EQ(member.log(), (Terms{1, 2, 2, 2}));
}

/// Receiver 4: entries that are not there yet are appended, and only those.
TEST(Figure2AppendEntries, OnlyNewEntriesAreAppended) {
  OneMember member({.log = {1, 2}});
  const auto before = member.entries()[1];
  member.append_from(2, 2, make_log({1, 2, 2}), 1, 3);
  EXPECT_EQ(member.log(), (Terms{1, 2, 2}));
  EXPECT_EQ(member.entries()[1], before) << "the entry that was there is the same one";
}

/// Receiver 5: committed is the smaller of what the leader says and the last new entry.
TEST(Figure2AppendEntries, TheCommitIndexIsBoundedByWhatWasCompared) {
  OneMember member({.log = {1, 1, 1}});
  member.append_from(2, 1, make_log({1, 1, 1}), 0, 2, 3);
  EXPECT_EQ(member.status().commit, Index(2)) << "entry 3 was not compared with the leader's";
  member.append_from(2, 1, make_log({1, 1, 1}), 2, 3, 3);
  EXPECT_EQ(member.status().commit, Index(3));
  OneMember behind({.log = {1}});
  behind.append_from(2, 1, make_log({1, 1, 1}), 1, 3, 2);
  EXPECT_EQ(behind.status().commit, Index(2)) << "the leader's commit index is the smaller one";
}

/// An empty one is a heartbeat, and passes the same check.
TEST(Figure2AppendEntries, AnEmptyOneIsComparedToo) {
  OneMember member({.log = {1, 1}});
  member.append_from(2, 2, make_log({1, 2}), 2, 2, 2);
  EXPECT_FALSE(member.sent<AppendEntriesReply>().back().success);
  EXPECT_EQ(member.status().commit, Index());
  member.append_from(2, 2, make_log({1, 1}), 2, 2, 2);
  EXPECT_TRUE(member.sent<AppendEntriesReply>().back().success);
  EXPECT_EQ(member.status().commit, Index(2));
}

/// Holdfast's own: the same index and term with another content is no agreement.
TEST(Figure2AppendEntries, TheHashIsComparedBesideTheTerm) {
  OneMember member({.log = {1, 1}});
  auto log = make_log({1, 1, 1});
  AppendEntries body{Index(2), Term(1), ChainHash{log[1]->hash.value + 1}, {}, {}, {}};
  member.tell(2, 1, body);
  ASSERT_EQ(member.sent<AppendEntriesReply>().size(), 1u);
  EXPECT_FALSE(member.sent<AppendEntriesReply>()[0].success);
  EXPECT_TRUE(member.sent<AppendEntriesReply>()[0].diverged);
  EXPECT_EQ(member.log(), (Terms{1, 1}));
}

}  // namespace
}  // namespace raft::paper
