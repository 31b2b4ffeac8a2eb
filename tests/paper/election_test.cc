// Raft paper, section 5.2, and section 5.1 where it speaks of terms.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"
#include "tests/paper/one_member.h"
#include "tests/raft/cluster.h"

namespace raft::paper {
namespace {

using testing::Cluster;

/// At most one leader a term, whatever is lost.
TEST(Election, AtMostOneLeaderATerm) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Cluster cluster(5, seed);
    cluster.keep_lines(false);
    base::Random random(seed);
    std::map<std::uint64_t, std::uint64_t> leaders;
    for (int round = 0; round < 300; ++round) {
      if (random.chance(3)) cluster.isolate(1 + random.below(5));
      if (random.chance(3)) cluster.heal();
      cluster.run(static_cast<std::uint32_t>(random.between(1, 20)));
      for (std::uint64_t id = 1; id <= 5; ++id) {
        for (const TraceEvent& event : cluster.node(id).trace) {
          if (event.kind != TraceKind::kBecameLeader) continue;
          const auto [at, first] = leaders.try_emplace(event.term.value, id);
          ASSERT_EQ(at->second, id) << "term " << event.term.value << " seed " << seed;
        }
      }
    }
    EXPECT_GT(leaders.size(), 1u) << "seed " << seed;
  }
}

/// Servers stay followers as long as they hear from a leader.
TEST(Election, AStableLeaderStays) {
  Cluster cluster(5);
  const std::uint64_t leader = cluster.elect();
  const Term term = cluster.status(leader).term;
  cluster.run(2000);
  EXPECT_EQ(cluster.leader(), leader);
  EXPECT_EQ(cluster.status(leader).term, term);
}

/// Timeouts are drawn anew each time, from a fixed interval.
TEST(Election, TimeoutsAreDrawnAnew) {
  OneMember member({.log = {1}});
  std::set<std::uint32_t> seen;
  for (int round = 0; round < 60; ++round) {
    member.append_from(2, member.status().term.value + 1, make_log({1}), 1, 1);
    std::uint32_t ticks = 0;
    while (member.status().role == Role::kFollower && ticks < 100) {
      member.tick(1);
      ++ticks;
    }
    EXPECT_GE(ticks, 30u);
    EXPECT_LE(ticks, 60u);
    seen.insert(ticks);
  }
  EXPECT_GT(seen.size(), 10u);
}

/// Split votes end: from whatever moment everybody stands at, somebody is elected before long.
TEST(Election, SplitVotesEnd) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Cluster cluster(4, seed);
    cluster.keep_lines(false);
    std::uint32_t ticks = 0;
    while (cluster.leader() == 0 && ticks < 600) {
      cluster.run(1);
      ++ticks;
    }
    EXPECT_NE(cluster.leader(), 0u) << "seed " << seed;
  }
}

/// A candidate that hears from a leader of a lower term goes on and refuses it.
TEST(Election, AnOldLeaderEndsNoCandidacy) {
  OneMember member({.log = {1}, .term = 4});
  ASSERT_TRUE(member.tick_until(Role::kPreCandidate));
  member.tell(2, 5, RequestVoteReply{true, true, {}, {}});
  ASSERT_EQ(member.status().role, Role::kCandidate);
  member.take_sent();
  member.append_from(3, 4, make_log({1}), 1, 1);
  EXPECT_EQ(member.status().role, Role::kCandidate);
  const auto sent = member.take_sent();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].term, Term(5));
}

}  // namespace
}  // namespace raft::paper
