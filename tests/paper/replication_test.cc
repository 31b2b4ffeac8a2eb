// Raft paper, section 5.3: log replication, with the logs of figure 7.
#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "tests/paper/one_member.h"
#include "tests/raft/cluster.h"

namespace raft::paper {
namespace {

using testing::Cluster;

/// Figure 7: the leader of term 8, and followers (a) to (f).
const Terms kLeader = {1, 1, 1, 4, 4, 5, 5, 6, 6, 6};
const std::map<char, Terms> kFollowers = {{'a', {1, 1, 1, 4, 4, 5, 5, 6, 6}},
                                          {'b', {1, 1, 1, 4}},
                                          {'c', {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6}},
                                          {'d', {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7}},
                                          {'e', {1, 1, 1, 4, 4, 4, 4}},
                                          {'f', {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3}}};

/// A leader brings each of them to its own log, by going back to where they agree.
TEST(Replication, Figure7EndsWithTheLeadersLog) {
  for (const auto& [name, terms] : kFollowers) {
    OneMember leader({.log = kLeader, .term = 7});
    OneMember follower({.log = terms, .term = 7});
    leader.lead({3});
    ASSERT_EQ(leader.status().term, Term(8));
    for (int rounds = 0; rounds < 30 && follower.log() != leader.log(); ++rounds) {
      for (const AppendEntries& body : std::vector(leader.sent<AppendEntries>(2))) {
        follower.tell(3, 8, body);  // whoever leads it in its own numbering
      }
      leader.take_sent();
      for (const AppendEntriesReply& body : std::vector(follower.sent<AppendEntriesReply>())) {
        leader.tell(2, 8, body);
      }
      follower.take_sent();
      leader.tick(1);
    }
    Terms wanted = kLeader;
    wanted.push_back(8);
    EXPECT_EQ(follower.log(), wanted) << "(" << name << ")";
    EXPECT_EQ(leader.log(), wanted) << "the leader changes nothing of its own, (" << name << ")";
    EXPECT_EQ(follower.entries().back()->hash, leader.entries().back()->hash);
  }
}

/// Leader Append-Only: whatever it hears, a leader's log only grows.
TEST(Replication, ALeaderOnlyAppends) {
  OneMember leader({.log = {1, 1, 2}});
  leader.lead();
  const std::vector<EntryPtr> before = leader.entries();
  leader.reject(2, 3, 0);
  leader.append_from(3, leader.status().term.value, make_log({1}), 1, 1);
  leader.propose("x");
  ASSERT_EQ(leader.status().role, Role::kLeader);
  ASSERT_GT(leader.entries().size(), before.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(leader.entries()[i], before[i]);
}

/// Log Matching: an index and a term name one entry, and the logs are equal up to it. By the chain
/// of hashes, over clusters in which leaders come and go.
TEST(Replication, LogsWithACommonEntryAreEqualUpToIt) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Cluster cluster(3, seed);
    cluster.keep_lines(false);
    base::Random random(seed);
    cluster.elect();
    for (int round = 0; round < 80; ++round) {
      for (std::uint64_t id = 1; id <= 3; ++id) cluster.propose(id, std::to_string(round));
      if (random.chance(4)) cluster.isolate(1 + random.below(3));
      if (random.chance(3)) cluster.heal();
      cluster.run(static_cast<std::uint32_t>(random.between(1, 40)));
      for (const auto& [a, b] : {std::pair{1, 2}, {1, 3}, {2, 3}}) {
        bool matched = false;
        const Index last = std::min(cluster.status(a).last, cluster.status(b).last);
        for (Index i = last; i; i = i.previous()) {
          const auto one = cluster.core(a).meta_at(i), other = cluster.core(b).meta_at(i);
          const bool same = one->term == other->term;
          ASSERT_EQ(same, one->hash == other->hash) << i.value;
          ASSERT_TRUE(same || !matched) << "equal above " << i.value << " and not there";
          matched = matched || same;
        }
      }
    }
  }
}

/// A slow follower is sent the same again without end, and holds nobody up.
TEST(Replication, ASlowFollowerIsRetriedAndHoldsNobodyUp) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.run(10);
  const std::uint64_t slow = leader % 3 + 1;
  cluster.isolate(slow);
  for (int i = 0; i < 50; ++i) cluster.propose(leader, "x");
  cluster.run(20);
  EXPECT_EQ(cluster.status(leader).commit, cluster.status(leader).last);
  cluster.run(500);
  cluster.heal();
  cluster.run(100);
  EXPECT_EQ(cluster.status(slow).last, cluster.status(cluster.leader()).last);
}

/// Committing an entry commits all before it, those of earlier leaders too.
TEST(Replication, WhatPrecedesACommittedEntryIsCommitted) {
  OneMember leader({.log = {1, 2, 2}});
  leader.lead();
  EXPECT_EQ(leader.status().commit, Index());
  leader.acknowledge(2, 4);
  EXPECT_EQ(leader.status().commit, Index(4));
  leader.apply();
  EXPECT_EQ(terms_of(leader.applied()), (Terms{1, 2, 2, 3}));
}

/// The leader may send before its own write is durable, and then does not count itself (thesis
/// section 10.2.1).
TEST(Replication, TheLeadersOwnDiskCountsLikeAnyOther) {
  OneMember leader({.log = {1}});
  leader.lead();
  leader.acknowledge(2, 2);
  leader.take_sent();
  leader.propose("x");
  EXPECT_FALSE(leader.sent<AppendEntries>(2).empty()) << "it is sent at once";
  AppendEntriesReply reply;
  reply.success = true;
  reply.match = Index(3);
  leader.hear(2, leader.status().term.value, reply);
  EXPECT_EQ(leader.status().commit, Index(2)) << "one of three has it";
  leader.persist();
  EXPECT_EQ(leader.status().commit, Index(3));
}

/// Followers learn the commit index from what the leader sends next, and apply in log order.
TEST(Replication, FollowersLearnWhatIsCommitted) {
  OneMember leader({.log = {1}});
  leader.lead();
  leader.acknowledge(2, 2);
  leader.take_sent();
  leader.propose("x");
  ASSERT_FALSE(leader.sent<AppendEntries>(2).empty());
  EXPECT_EQ(leader.sent<AppendEntries>(2).back().commit, Index(2));
}

}  // namespace
}  // namespace raft::paper
