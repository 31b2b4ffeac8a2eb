// Raft paper, section 7 and figure 13: snapshots. Chunks are numbered here, and answered each.
#include <gtest/gtest.h>

#include "tests/paper/one_member.h"
#include "tests/raft/cluster.h"

namespace raft::paper {
namespace {

using testing::Cluster;

InstallSnapshot chunk_of(const std::vector<EntryPtr>& log, std::uint64_t index, std::uint64_t chunk,
                         bool done) {
  InstallSnapshot body;
  body.transfer = 1;
  const Entry& last = *log.at(index - 1);
  body.snapshot = {last.index, last.term, last.hash, last.time, encode(voters(3))};
  body.chunk = chunk;
  body.data = std::make_shared<const std::string>("chunk " + std::to_string(chunk));
  body.done = done;
  return body;
}

/// Takes the whole snapshot in one chunk and installs it.
void install(OneMember& member, const std::vector<EntryPtr>& log, std::uint64_t index) {
  const InstallSnapshot body = chunk_of(log, index, 0, true);
  Output output = member.hear(2, 5, body);
  member.persist();
  ASSERT_EQ(output.snapshot_stores.size(), 1u);
  output = member.step(SnapshotStored{output.snapshot_stores[0].id, true});
  ASSERT_TRUE(output.install_snapshot.has_value());
  member.step(SnapshotInstalled{body.snapshot});
  member.persist();
}

/// Figure 13, receiver 1: an old term is refused.
TEST(Snapshot, AnOldTermIsRefused) {
  OneMember member({.log = {1}, .term = 7});
  const Output output = member.hear(2, 5, chunk_of(make_log({1, 5, 5}), 3, 0, true));
  EXPECT_TRUE(output.snapshot_stores.empty());
  EXPECT_EQ(member.status().term, Term(7));
}

/// Receivers 2 to 4: chunks are stored in order; what is not the next one is not.
TEST(Snapshot, ChunksAreTakenInOrder) {
  const auto log = make_log({5, 5, 5, 5});
  OneMember member;
  Output output = member.hear(2, 5, chunk_of(log, 4, 1, false));
  EXPECT_TRUE(output.snapshot_stores.empty()) << "it begins with chunk 0";
  output = member.hear(2, 5, chunk_of(log, 4, 0, false));
  ASSERT_EQ(output.snapshot_stores.size(), 1u);
  output = member.step(SnapshotStored{output.snapshot_stores[0].id, true});
  EXPECT_FALSE(output.install_snapshot.has_value()) << "there is more to come";
  output = member.hear(2, 5, chunk_of(log, 4, 0, false));
  EXPECT_TRUE(output.snapshot_stores.empty()) << "the same again";
  output = member.hear(2, 5, chunk_of(log, 4, 1, true));
  member.persist();
  ASSERT_EQ(output.snapshot_stores.size(), 1u);
  output = member.step(SnapshotStored{output.snapshot_stores[0].id, true});
  EXPECT_TRUE(output.install_snapshot.has_value());
}

/// Receiver 6: entries that follow one that the snapshot ends with are kept.
TEST(Snapshot, WhatFollowsItIsKept) {
  const auto log = make_log({1, 5, 5, 5, 5});
  OneMember member({.log = {1, 5, 5, 5, 5}});
  member.tell(2, 5, chunk_of(log, 3, 0, true));
  EXPECT_EQ(member.log(), (Terms{1, 5, 5, 5, 5}));
  EXPECT_EQ(member.status().commit, Index(3)) << "what a snapshot holds is committed";
}

/// Receiver 7: otherwise the whole log goes.
TEST(Snapshot, ALogThatDisagreesIsDiscarded) {
  OneMember member({.log = {1, 2, 2, 2, 2}});
  install(member, make_log({1, 5, 5}), 3);
  EXPECT_TRUE(member.log().empty());
  EXPECT_EQ(member.status().first, Index(4));
  EXPECT_EQ(member.status().last, Index(3));
}

/// Receiver 8: state and configuration are those of the snapshot.
TEST(Snapshot, StateAndConfigurationAreTakenOver) {
  OneMember member({.configuration = voters(1)});
  const auto log = make_log({1, 5, 5});
  Output output = member.hear(2, 5, chunk_of(log, 3, 0, true));
  member.persist();
  ASSERT_EQ(output.snapshot_stores.size(), 1u);
  member.step(SnapshotStored{output.snapshot_stores[0].id, true});
  member.step(SnapshotInstalled{chunk_of(log, 3, 0, true).snapshot});
  EXPECT_EQ(member.status().applied, Index(3));
  EXPECT_EQ(member.status().commit, Index(3));
  EXPECT_EQ(member.status().configuration, voters(3));
}

/// A snapshot of what is known already changes nothing: it came late.
TEST(Snapshot, ALateOneTakesNothingBack) {
  OneMember member({.log = {1, 5, 5, 5}});
  member.append_from(2, 5, make_log({1, 5, 5, 5}), 4, 4, 4);
  member.apply();
  const Output output = member.hear(2, 5, chunk_of(make_log({1, 5}), 2, 0, true));
  EXPECT_TRUE(output.snapshot_stores.empty());
  EXPECT_EQ(member.status().applied, Index(4));
  EXPECT_EQ(member.log(), (Terms{1, 5, 5, 5}));
}

/// The leader sends one where it has cut what the follower lacks, and goes on with entries after
/// it.
TEST(Snapshot, WhoLacksWhatWasCutGetsASnapshot) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.run(10);
  const std::uint64_t behind = leader % 3 + 1;
  cluster.isolate(behind);
  for (int i = 0; i < 20; ++i) cluster.propose(leader, "x");
  cluster.run(50);
  for (const std::uint64_t id : {leader, behind % 3 + 1}) {
    cluster.cut_log(id, cluster.status(leader).commit.previous());
  }
  cluster.heal();
  cluster.run(300);
  EXPECT_TRUE(cluster.has_traced(behind, TraceKind::kSnapshotInstalled));
  EXPECT_EQ(cluster.status(behind).last, cluster.status(cluster.leader()).last);
  EXPECT_EQ(cluster.node(behind).applied_entries.size(),
            cluster.node(leader).applied_entries.size());
}

}  // namespace
}  // namespace raft::paper
