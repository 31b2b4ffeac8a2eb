// Snapshots: Raft paper section 7; DESIGN sections 5.15, 5.16 and 6, rules 3 and 9.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

class Snapshot : public ::testing::Test {
 protected:
  /// Three members, of which `behind` lacks what the others have cut; cut off still.
  void SetUp() override {
    leader_ = cluster_.elect();
    cluster_.run(10);
    behind_ = leader_ % 3 + 1;
    other_ = behind_ % 3 + 1;
    cluster_.isolate(behind_);
    for (int i = 0; i < 10; ++i) cluster_.propose(leader_, "value");
    cluster_.run(10);
    const Index all = cluster_.status(leader_).commit;
    cluster_.cut_log(leader_, all.previous());
    cluster_.cut_log(other_, all.previous());
    installed_ = all;
  }
  void heal() { cluster_.heal_and_tell(behind_); }
  bool caught_up() { return cluster_.status(behind_).applied == cluster_.status(leader_).last; }
  /// The chunks to the member that is behind in the network, newest last.
  std::vector<Message> chunks() {
    std::vector<Message> found;
    for (const Message& message : cluster_.network()) {
      if (std::holds_alternative<InstallSnapshot>(message.body)) found.push_back(message);
    }
    return found;
  }
  /// Runs until the given chunk has been sent and not yet delivered.
  Message run_to_chunk(std::uint64_t chunk) {
    for (int i = 0; i < 2000; ++i) {
      for (const Message& message : chunks()) {
        if (std::get<InstallSnapshot>(message.body).chunk == chunk) return message;
      }
      cluster_.creep(i);
    }
    ADD_FAILURE() << "chunk " << chunk << " is never sent";
    return Message();
  }
  void expect_same_state() {
    const auto& want = cluster_.node(leader_).applied_entries;
    const auto& got = cluster_.node(behind_).applied_entries;
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i]->hash, want[i]->hash);
  }

  Cluster cluster_{3};
  std::uint64_t leader_ = 0, behind_ = 0, other_ = 0;
  Index installed_;
};

TEST_F(Snapshot, BringsBackWhoLacksWhatWasCut) {
  heal();
  cluster_.run(60);
  EXPECT_TRUE(caught_up());
  EXPECT_TRUE(cluster_.has_traced(behind_, TraceKind::kSnapshotInstalled));
  EXPECT_TRUE(cluster_.has_traced(leader_, TraceKind::kSnapshotSent));
  EXPECT_EQ(cluster_.status(behind_).first, installed_.next()) << "its log begins anew";
  expect_same_state();
  // And it counts: with the third away its acknowledgement commits.
  cluster_.crash(other_);
  cluster_.propose(leader_, "with its help");
  cluster_.run(20);
  EXPECT_EQ(cluster_.status(leader_).commit, cluster_.status(leader_).last);
}

TEST_F(Snapshot, SurvivesARestartOfWhoInstalledIt) {
  heal();
  cluster_.run(60);
  cluster_.restart(behind_);
  EXPECT_GE(cluster_.status(behind_).applied, installed_);
  EXPECT_EQ(cluster_.status(behind_).configuration, cluster_.status(leader_).configuration);
  cluster_.run(30);
  EXPECT_TRUE(caught_up());
}

TEST_F(Snapshot, AnyChunkMayBeLostAndIsSentAgain) {
  heal();
  for (std::uint64_t chunk = 0; chunk < 4; ++chunk) {
    run_to_chunk(chunk);
    std::erase_if(cluster_.network(), [](const Message& message) {
      return std::holds_alternative<InstallSnapshot>(message.body);
    });
  }
  cluster_.run(150);
  EXPECT_TRUE(caught_up());
  expect_same_state();
  std::size_t begun = 0;
  for (const TraceEvent& event : cluster_.node(behind_).trace) {
    begun += event.kind == TraceKind::kSnapshotReceiving ? 1 : 0;
  }
  EXPECT_EQ(begun, 1u) << "resumed, not begun anew";
}

TEST_F(Snapshot, ResumesAfterTheLinkWasAway) {
  heal();
  const Message chunk = run_to_chunk(2);
  cluster_.network().clear();
  cluster_.isolate(behind_);
  cluster_.step(leader_, LinkDown{MemberId(behind_)});
  cluster_.step(behind_, LinkDown{MemberId(leader_)});
  cluster_.run(100);
  heal();
  cluster_.run(100);
  EXPECT_TRUE(caught_up());
  std::size_t stored = 0;
  for (const TraceEvent& event : cluster_.node(leader_).trace) {
    stored += event.kind == TraceKind::kSnapshotSending ? 1 : 0;
  }
  EXPECT_EQ(stored, 1u) << "the same snapshot";
}

TEST_F(Snapshot, AFollowerThatRestartsInBetweenGetsANewOne) {
  heal();
  run_to_chunk(2);
  cluster_.restart(behind_);
  cluster_.run(100);
  EXPECT_TRUE(caught_up());
  expect_same_state();
}

TEST_F(Snapshot, ANewLeaderBeginsItsOwn) {
  heal();
  run_to_chunk(1);
  cluster_.crash(leader_);
  const std::uint64_t next = cluster_.elect();
  ASSERT_EQ(next, other_);
  cluster_.run(100);
  leader_ = next;
  EXPECT_TRUE(caught_up());
  expect_same_state();
}

TEST_F(Snapshot, RepeatedAndReorderedChunksChangeNothing) {
  heal();
  const Message first = run_to_chunk(0);
  const Message second = run_to_chunk(1);
  for (int i = 0; i < 3; ++i) {
    cluster_.inject(first);
    cluster_.inject(second);
    cluster_.inject(first);
    cluster_.serve_snapshots(behind_);
  }
  cluster_.run(60);
  EXPECT_TRUE(caught_up());
  expect_same_state();
  cluster_.inject(first);
  cluster_.inject(second);
  cluster_.run(5);
  expect_same_state();
}

/// Section 5.15: nothing is applied in a term that is not durable, snapshots included.
TEST_F(Snapshot, IsNotInstalledInATermThatIsNotDurable) {
  heal();
  Message last;
  for (int i = 0; i < 100 && !std::get<InstallSnapshot>(last.body = run_to_chunk(i).body).done;
       ++i) {
  }
  last = chunks().back();
  ASSERT_TRUE(std::get<InstallSnapshot>(last.body).done);
  const Output before = cluster_.step(behind_, Receive{last});
  EXPECT_EQ(before.snapshot_stores.size(), 1u);
  cluster_.node(behind_).hang_log = true;
  Message vote;
  vote.from = MemberId(other_);
  vote.to = MemberId(behind_);
  vote.incarnation = last.incarnation.value ? Incarnation(100 + other_) : Incarnation();
  vote.opening = cluster_.node(other_).options.opening;
  vote.term = last.term.next();
  vote.body = Heartbeat{};
  cluster_.step(behind_, Receive{vote});
  cluster_.serve_snapshots(behind_);
  EXPECT_FALSE(cluster_.node(behind_).install.has_value());
  cluster_.persist(behind_);
  EXPECT_TRUE(cluster_.node(behind_).install.has_value());
}

/// Rule 9, with a transfer under way: what follows the snapshot stays.
TEST_F(Snapshot, TheLogIsNotCutAboveASnapshotThatIsOnItsWay) {
  heal();
  run_to_chunk(1);
  for (int i = 0; i < 5; ++i) cluster_.propose(leader_, "more");
  for (const std::uint64_t id : {leader_, other_}) {
    cluster_.persist(id);
    cluster_.apply(id);
  }
  EXPECT_LE(cluster_.status(leader_).cut_limit, installed_);
}

TEST_F(Snapshot, ATransferThatNobodyAnswersIsGivenUp) {
  heal();
  run_to_chunk(1);
  cluster_.network().clear();
  cluster_.crash(behind_);
  EXPECT_EQ(cluster_.node(leader_).snapshots.size(), 1u);
  cluster_.run(21 * 30);
  EXPECT_TRUE(cluster_.node(leader_).snapshots.empty()) << "it would pin the state for ever";
  EXPECT_EQ(cluster_.status(leader_).cut_limit, cluster_.status(leader_).commit);
  cluster_.restart(behind_);
  cluster_.run(100);
  EXPECT_TRUE(caught_up());
}

TEST_F(Snapshot, ALeaderThatStepsDownLetsGo) {
  heal();
  run_to_chunk(1);
  cluster_.step(leader_, SelfAssessment{false, "sick"});
  EXPECT_NE(cluster_.status(leader_).role, Role::kLeader);
  EXPECT_TRUE(cluster_.node(leader_).snapshots.empty());
}

TEST_F(Snapshot, WhatCannotBeIsRefused) {
  heal();
  const Message chunk = run_to_chunk(0);
  const auto expect_refused = [&](const SnapshotMeta& meta) {
    Message bad = chunk;
    auto body = std::get<InstallSnapshot>(chunk.body);
    body.snapshot = meta;
    bad.body = body;
    const Output output = cluster_.step(behind_, Receive{bad});
    EXPECT_TRUE(output.snapshot_stores.empty());
  };
  const SnapshotMeta good = std::get<InstallSnapshot>(chunk.body).snapshot;
  SnapshotMeta bad = good;
  bad.configuration = "no configuration";
  expect_refused(bad);
  bad = good;
  bad.term = chunk.term.next();
  expect_refused(bad);
  bad = good;
  bad.index = Index();
  expect_refused(bad);
  bad = good;
  bad.index = Index(1);
  bad.hash = ChainHash{12345};
  expect_refused(bad);
  cluster_.run(60);
  EXPECT_TRUE(caught_up());
}

TEST_F(Snapshot, AnAnswerForAnotherIndexIsNotBelieved) {
  heal();
  const Message chunk = run_to_chunk(1);
  Message answer = chunk;
  answer.from = MemberId(behind_);
  answer.to = MemberId(leader_);
  answer.incarnation = Incarnation(100 + behind_);
  answer.opening = cluster_.node(behind_).options.opening;
  answer.to_opening = cluster_.node(leader_).options.opening;
  answer.body = InstallSnapshotReply{std::get<InstallSnapshot>(chunk.body).transfer,
                                     installed_ + 1000, 0, true, ProgressReport()};
  cluster_.inject(answer);
  for (const PeerStatus& peer : cluster_.status(leader_).peers) {
    EXPECT_LE(peer.match, cluster_.status(leader_).last);
  }
  cluster_.run(60);
  EXPECT_TRUE(caught_up());
}

}  // namespace
}  // namespace raft::testing
