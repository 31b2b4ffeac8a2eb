// When server/replica has the log cut, and what a snapshot does to it.
#include <gtest/gtest.h>

#include "tests/server/members.h"

namespace server {
namespace {

using base::Index;
using testing::follower_of;
using testing::Member;
using testing::Members;

TEST(ReplicaLog, CutsTheLogWhereEveryVoterAndTheDurableStateHaveIt) {
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

TEST(ReplicaLog, NeverCutsTheLastEntry) {
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

/// A log that is far too large is cut though a member lacks what goes; then a snapshot is asked
/// for.
TEST(ReplicaLog, CutsBeyondAMemberThatIsAwayAndSendsItASnapshot) {
  ReplicaOptions options;
  options.log_bytes = 1000;
  Members members(3, options);
  Member& leader = members.elect();
  Member& away = follower_of(members, leader);
  members.isolate(away, true);
  std::uint64_t request = 100;
  const auto write = [&](int count) {
    for (int i = 0; i < count; ++i) leader.replica().write(++request, std::string(100, 'x'));
    leader.replica().pump();
    members.settle();
  };
  write(20);
  leader.log_bytes = 3000;
  leader.durable = leader.status().core.applied;
  for (int i = 0; i < 210; ++i) members.tick();
  ASSERT_EQ(leader.cuts.size(), 1u);
  EXPECT_LE(leader.cuts[0].through, Index(2)) << "what it has; it may come back soon";
  leader.replica().log_cut(leader.cuts[0].through);
  leader.log_bytes = 5000;
  for (int i = 0; i < 210 && leader.cuts.size() == 1; ++i) members.tick();
  ASSERT_EQ(leader.cuts.size(), 2u);
  const auto core = leader.status().core;
  EXPECT_GT(leader.cuts.back().through, Index(2));
  EXPECT_LT(leader.cuts.back().through, core.last.previous()) << "the newest part stays";
  leader.replica().log_cut(leader.cuts.back().through);
  members.isolate(away, false);
  for (int i = 0; i < 100 && leader.snapshot_reads.empty(); ++i) members.tick();
  ASSERT_FALSE(leader.snapshot_reads.empty());
}

/// The log must not restart while a cut of it is under way.
TEST(ReplicaLog, AnInstalledSnapshotWaitsForACutThatIsInFlight) {
  ReplicaOptions options;
  options.log_bytes = 10;
  Members members(3, options);
  Member& leader = members.elect();
  for (int i = 0; i < 10; ++i) leader.replica().write(100 + static_cast<std::uint64_t>(i), "x");
  leader.replica().pump();
  members.settle();
  Member& follower = follower_of(members, leader);
  follower.log_bytes = 100;
  follower.durable = follower.status().core.applied;
  for (int i = 0; i < 210 && follower.cuts.empty(); ++i) members.tick();
  ASSERT_FALSE(follower.cuts.empty());

  const auto core = leader.status().core;
  raft::Message message;
  message.from = core.leader;
  message.to = members.at(&follower == &members.at(0) ? 0 : 1)
                   .status()
                   .core.configuration.ids()
                   .at(&follower == &members.at(0) ? 0 : 1);
  message.incarnation = base::Incarnation(1000 + core.leader.value);
  message.opening = {1, core.leader.value};
  message.term = core.term;
  raft::InstallSnapshot body;
  body.transfer = 1;
  body.snapshot = {Index(1000), core.term, base::ChainHash{77}, base::HybridTime(1ULL << 60),
                   raft::encode(core.configuration)};
  body.data = std::make_shared<const std::string>("all of it");
  body.done = true;
  message.body = body;
  follower.replica().receive(message);
  ASSERT_EQ(follower.snapshot_stores.size(), 1u);
  follower.replica().snapshot_stored(follower.snapshot_stores[0].id, true);
  ASSERT_EQ(follower.installs.size(), 1u);
  kv::Position position;
  position.applied = Index(1000);
  position.term = core.term;
  follower.persists.clear();
  follower.replica().snapshot_installed(body.snapshot, position);
  EXPECT_TRUE(follower.persists.empty()) << "the log restarts while it is cut";
  follower.replica().log_cut(follower.cuts.back().through);
  ASSERT_EQ(follower.persists.size(), 1u);
  ASSERT_TRUE(follower.persists[0].restart.has_value());
  EXPECT_EQ(follower.persists[0].restart->index, Index(1000));
  EXPECT_EQ(follower.status().position.applied, Index(1000));
}

}  // namespace
}  // namespace server
