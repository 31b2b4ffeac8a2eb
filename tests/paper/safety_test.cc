// Raft paper, section 5.4: who may be elected, and what may be committed; figure 8 played out.
#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "tests/paper/one_member.h"
#include "tests/raft/cluster.h"

namespace raft::paper {
namespace {

using testing::Cluster;

/// Section 5.4.1: a candidate that lacks a committed entry cannot win, since of any majority one
/// refuses it. Here it is a pre-vote already that is refused.
TEST(Safety, ALogThatLacksACommittedEntryWinsNoVote) {
  OneMember holder({.log = {1, 1}});
  holder.tell(2, 2, RequestVote{true, false, Index(1), Term(1)});
  holder.tick(60);
  EXPECT_FALSE(holder.sent<RequestVoteReply>(2).back().granted);
  holder.tell(2, 2, RequestVote{false, false, Index(1), Term(1)});
  EXPECT_FALSE(holder.sent<RequestVoteReply>(2).back().granted);
}

/// Leader Completeness, over whole clusters: what was committed is in every later leader's log.
TEST(Safety, LaterLeadersHoldWhatWasCommitted) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(5, seed);
    cluster.keep_lines(false);
    base::Random random(seed);
    cluster.elect();
    std::map<std::uint64_t, ChainHash> committed;
    for (int round = 0; round < 60; ++round) {
      const std::uint64_t leader = cluster.leader();
      if (leader != 0) cluster.propose(leader, std::to_string(round));
      if (random.chance(3)) cluster.isolate(1 + random.below(5));
      if (random.chance(3)) cluster.heal();
      cluster.run(static_cast<std::uint32_t>(random.between(1, 60)));
      for (std::uint64_t id = 1; id <= 5; ++id) {
        const CoreStatus status = cluster.status(id);
        for (Index i = status.first; i <= status.commit; i = i.next()) {
          const ChainHash hash = cluster.core(id).meta_at(i)->hash;
          ASSERT_EQ(committed.try_emplace(i.value, hash).first->second, hash) << "seed " << seed;
        }
      }
    }
    EXPECT_GT(committed.size(), 20u);
  }
}

/// Figure 8 (c): the entry of term 2 is on a majority, and it is not committed by that.
TEST(Safety, Figure8AnOlderEntryOnAMajorityIsNotCommitted) {
  OneMember s1({.log = {1, 2}, .term = 3, .size = 5});
  s1.lead({2, 3});
  ASSERT_EQ(s1.status().term, Term(4));
  s1.acknowledge(2, 2);
  s1.acknowledge(3, 2);
  EXPECT_EQ(s1.status().commit, Index()) << "three of five have entry 2, of term 2";
  // (d): the server with the entry of term 3 may be elected still, and takes its place.
  OneMember s2({.log = {1, 2}, .term = 4, .size = 5});
  s2.tell(5, 5, RequestVote{false, false, Index(2), Term(3)});
  EXPECT_TRUE(s2.sent<RequestVoteReply>(5).back().granted);
  s2.append_from(5, 5, make_log({1, 3}), 1, 2);
  EXPECT_EQ(s2.log(), (Terms{1, 3}));
}

/// Figure 8 (e): with an entry of the own term on a majority both are, and that server cannot win.
TEST(Safety, Figure8AnEntryOfTheOwnTermCommitsTheOlderOne) {
  OneMember s1({.log = {1, 2}, .term = 3, .size = 5});
  s1.lead({2, 3});
  s1.acknowledge(2, 3);
  s1.acknowledge(3, 3);
  EXPECT_EQ(s1.status().commit, Index(3));
  OneMember s2({.log = {1, 2, 4}, .term = 4, .size = 5});
  s2.tell(5, 5, RequestVote{false, false, Index(2), Term(3)});
  EXPECT_FALSE(s2.sent<RequestVoteReply>(5).back().granted);
}

/// State Machine Safety: no two servers apply different entries at an index.
TEST(Safety, EverybodyAppliesTheSame) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Cluster cluster(3, seed);
    cluster.keep_lines(false);
    base::Random random(seed);
    cluster.elect();
    for (int round = 0; round < 100; ++round) {
      const std::uint64_t leader = cluster.leader();
      if (leader != 0) cluster.propose(leader, std::to_string(round));
      const std::uint64_t victim = 1 + random.below(3);
      if (random.chance(10)) {
        cluster.crash(victim);
        cluster.restart(victim);
      }
      if (random.chance(4)) cluster.isolate(victim);
      if (random.chance(3)) cluster.heal();
      cluster.run(static_cast<std::uint32_t>(random.between(1, 40)));
    }
    cluster.heal();
    cluster.run(300);
    const auto& applied = cluster.node(1).applied_entries;
    EXPECT_GT(applied.size(), 20u);
    for (const std::uint64_t id : {2, 3}) {
      const auto& others = cluster.node(id).applied_entries;
      for (std::size_t i = 0; i < std::min(applied.size(), others.size()); ++i) {
        ASSERT_EQ(applied[i]->hash, others[i]->hash) << "seed " << seed << " index " << i + 1;
      }
    }
  }
}

// ---- Section 5.5: crashes of followers and candidates ----

/// Requests are sent again until they are answered, and doing one twice does no harm.
TEST(Safety, RequestsAreRepeatedAndHarmlessTwice) {
  OneMember member({.log = {1}});
  ASSERT_TRUE(member.tick_until(Role::kPreCandidate));
  member.tell(2, 2, RequestVoteReply{true, true, {}, {}});
  ASSERT_EQ(member.status().role, Role::kCandidate);
  member.take_sent();
  member.tick(10);
  EXPECT_FALSE(member.sent<RequestVote>(3).empty()) << "asked again while it is silent";
  OneMember follower({.log = {1}});
  for (int twice = 0; twice < 2; ++twice) follower.append_from(2, 1, make_log({1, 1}), 1, 2, 2);
  EXPECT_EQ(follower.log(), (Terms{1, 1}));
  follower.apply();
  EXPECT_EQ(follower.applied().size(), 2u);
}

/// Section 5.6: safety depends on no clock. A member whose ticks stand still or race breaks
/// nothing, and one that slept answers nothing as the leader it was.
TEST(Safety, ALeaderThatSleptIsNoLeader) {
  OneMember member({.log = {1}});
  member.lead();
  member.step(Tick{100});
  EXPECT_EQ(member.status().role, Role::kFollower);
}

}  // namespace
}  // namespace raft::paper
