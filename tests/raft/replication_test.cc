// Log replication: Raft paper sections 5.3 and 5.4, DESIGN section 6, rules 1, 2, 6 and 7.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

struct Fixture : ::testing::Test {
  void start(std::uint64_t size = 3, void (*tune)(Options& options) = nullptr) {
    cluster = std::make_unique<Cluster>(size, 1, tune);
    leader = cluster->elect();
    cluster->run(10);
    one = leader % size + 1;
    other = one % size + 1;
    cluster->network().clear();
  }
  /// The AppendEntries to `to` in the network.
  std::vector<AppendEntries> appends(std::uint64_t to) {
    std::vector<AppendEntries> found;
    for (const Message& message : cluster->network()) {
      if (message.to != MemberId(to)) continue;
      if (const auto* body = std::get_if<AppendEntries>(&message.body)) found.push_back(*body);
    }
    return found;
  }
  Message last_to(std::uint64_t to) {
    for (auto at = cluster->network().rbegin(); at != cluster->network().rend(); ++at) {
      if (at->to == MemberId(to)) return *at;
    }
    ADD_FAILURE() << "nothing was sent to " << to;
    return Message();
  }
  std::unique_ptr<Cluster> cluster;
  std::uint64_t leader = 0, one = 0, other = 0;
};
using Replication = Fixture;

TEST_F(Replication, TheLeaderSendsBeforeItsOwnSyncAndCountsItsDiskLikeAnyOther) {
  start();
  cluster->propose(leader, "value");
  EXPECT_EQ(appends(one).size(), 1u);
  EXPECT_EQ(appends(other).size(), 1u);
  const Index index = cluster->status(leader).last;
  cluster->deliver();
  cluster->persist(one);
  cluster->deliver();
  EXPECT_LT(cluster->status(leader).commit, index) << "one follower is no majority";
  cluster->persist(leader);
  EXPECT_EQ(cluster->status(leader).commit, index);
}

TEST_F(Replication, FollowersAcknowledgeOnlyWhatIsDurable) {
  start();
  cluster->propose(leader, "value");
  const Message append = last_to(one);
  Output output = cluster->step(one, Receive{append});
  EXPECT_TRUE(output.send.empty());
  ASSERT_EQ(output.send_once_persisted.size(), 1u);
  EXPECT_EQ(output.send_once_persisted[0].after, output.persist[0].ordinal);
  // Repeated while the write is pending: nothing more is written, and it still waits.
  output = cluster->step(one, Receive{append});
  EXPECT_TRUE(output.persist.empty());
  EXPECT_TRUE(output.send.empty());
  ASSERT_EQ(output.send_once_persisted.size(), 1u);
  cluster->persist(one);
  output = cluster->step(one, Receive{append});
  EXPECT_EQ(output.send.size(), 1u);
}

TEST_F(Replication, TheWindowInMessagesIsKept) {
  start(3, [](Options& options) {
    options.window_messages = 4;
    options.append_bytes = 1;
  });
  for (int i = 0; i < 20; ++i) cluster->propose(leader, "value");
  EXPECT_EQ(appends(one).size(), 4u);
  for (const AppendEntries& each : appends(one)) EXPECT_EQ(each.entries.size(), 1u);
  cluster->settle();
  EXPECT_EQ(cluster->status(one).last, cluster->status(leader).last);
}

TEST_F(Replication, TheWindowInBytesIsKept) {
  start(3, [](Options& options) {
    options.window_bytes = 1000;
    options.append_bytes = 300;
  });
  for (int i = 0; i < 20; ++i) cluster->propose(leader, std::string(252, 'x'));
  EXPECT_EQ(appends(one).size(), 4u);
  cluster->settle();
  EXPECT_EQ(cluster->status(one).last, cluster->status(leader).last);
}

TEST_F(Replication, LostMessagesAreSentAgainWhatever) {
  start();
  for (int i = 0; i < 10; ++i) {
    cluster->propose(leader, "value");
    if (i % 3 != 2) cluster->network().clear();
    cluster->settle();
  }
  cluster->network().clear();
  cluster->run(20);
  EXPECT_EQ(cluster->status(one).commit, cluster->status(leader).last);
  EXPECT_EQ(cluster->status(other).commit, cluster->status(leader).last);
}

TEST_F(Replication, BacktrackingTakesAMessageATermAndNotAMessageAnEntry) {
  start();
  // `one` gets a long tail of entries that nobody else has.
  cluster->isolate(leader);
  for (int i = 0; i < 200; ++i) cluster->propose(leader, "lost");
  cluster->settle();
  const std::uint64_t deposed = leader;
  cluster->run(70);
  leader = cluster->leader();
  ASSERT_NE(leader, deposed);
  for (int i = 0; i < 300; ++i) cluster->propose(leader, "kept");
  cluster->settle();
  cluster->heal();
  cluster->run(1);
  int rounds = 0;
  while (cluster->status(deposed).last != cluster->status(leader).last && rounds < 40) {
    cluster->run(1);
    ++rounds;
  }
  EXPECT_LT(rounds, 20) << "one watchdog and a few messages";
  EXPECT_EQ(cluster->status(deposed).last_hash, cluster->status(leader).last_hash);
  EXPECT_EQ(cluster->node(deposed).outcomes.back().code, base::Code::kLeadershipLost);
}

TEST_F(Replication, WhatIsNotInMemoryIsLoadedOnceAtATime) {
  start(3, [](Options& options) {
    options.cache_bytes = 0;
    options.append_bytes = 300;
  });
  cluster->isolate(one);
  for (int i = 0; i < 50; ++i) {
    cluster->propose(leader, std::string(100, 'x'));
    cluster->settle();
  }
  cluster->run(20);
  cluster->heal();
  cluster->node(leader).hang_loads = true;
  cluster->run(40);
  EXPECT_EQ(cluster->node(leader).loads.size(), 1u);
  EXPECT_EQ(cluster->node(leader).loads.front().peer, MemberId(one));
  cluster->node(leader).hang_loads = false;
  cluster->run(20);
  EXPECT_EQ(cluster->status(one).commit, cluster->status(leader).last);
  EXPECT_GT(cluster->node(leader).loads_asked, 5u);
}

TEST_F(Replication, AFailedLoadIsAskedForAgain) {
  start(3, [](Options& options) { options.cache_bytes = 0; });
  cluster->isolate(one);
  cluster->propose(leader, "value");
  cluster->run(20);
  cluster->heal();
  cluster->node(leader).hang_loads = true;
  cluster->run(20);
  ASSERT_EQ(cluster->node(leader).loads.size(), 1u);
  const LoadRequest load = cluster->node(leader).loads.front();
  cluster->node(leader).loads.clear();
  cluster->step(leader, Loaded{load.peer, load.from, {}});
  EXPECT_TRUE(cluster->node(leader).loads.empty()) << "not at once";
  cluster->node(leader).hang_loads = false;
  cluster->run(20);
  EXPECT_EQ(cluster->status(one).commit, cluster->status(leader).last);
}

/// Section 6, rule 6.
TEST_F(Replication, EqualTermAndUnequalHashIsNeitherTruncatedNorAcknowledged) {
  start();
  cluster->propose(leader, "value");
  Message append = last_to(one);
  cluster->settle();
  cluster->run(10);
  auto& body = std::get<AppendEntries>(append.body);
  auto forged = std::make_shared<Entry>(*body.entries[0]);
  forged->payload = "other";
  forged->hash = chain_hash(body.previous_hash, *forged);
  body.entries = {forged};
  const Index last = cluster->status(one).last;
  const Output output = cluster->step(one, Receive{append});
  EXPECT_EQ(cluster->status(one).last, last);
  EXPECT_TRUE(output.persist.empty());
  ASSERT_EQ(output.send.size(), 1u);
  const auto reply = std::get<AppendEntriesReply>(output.send[0].body);
  EXPECT_FALSE(reply.success);
  EXPECT_TRUE(reply.diverged);
  EXPECT_TRUE(cluster->has_traced(one, TraceKind::kDiverged));
  // The same for the entry before.
  body.entries.clear();
  body.previous_index = last;
  body.previous_hash = ChainHash{1};
  const Output again = cluster->step(one, Receive{append});
  EXPECT_TRUE(std::get<AppendEntriesReply>(again.send[0].body).diverged);
}

TEST_F(Replication, EntriesThatBreakTheChainAreIgnored) {
  start();
  cluster->propose(leader, "value");
  Message append = last_to(one);
  auto& body = std::get<AppendEntries>(append.body);
  auto broken = std::make_shared<Entry>(*body.entries[0]);
  broken->payload = "altered on the way";
  body.entries = {broken};
  const Output output = cluster->step(one, Receive{append});
  EXPECT_TRUE(output.persist.empty() && output.send.empty() && output.send_once_persisted.empty());
  EXPECT_TRUE(cluster->has_traced(one, TraceKind::kDiverged));
}

TEST_F(Replication, NoReadBeforeAnEntryOfTheOwnTermIsCommitted) {
  start();
  cluster->step(leader, StepDown{"test"});
  while (cluster->leader() == 0) {
    cluster->deliver();
    for (std::uint64_t id = 1; id <= 3; ++id) cluster->persist(id);
  }
  leader = cluster->leader();
  EXPECT_FALSE(cluster->status(leader).can_read);
  const std::uint64_t read = cluster->read(leader);
  EXPECT_FALSE(cluster->node(leader).reads.contains(read));
  cluster->settle();
  ASSERT_TRUE(cluster->node(leader).reads.contains(read));
  EXPECT_EQ(cluster->node(leader).reads[read].code, base::Code::kOk);
  EXPECT_EQ(cluster->node(leader).reads[read].index, cluster->status(leader).last);
}

TEST_F(Replication, HeartbeatsCommitOnlyWhatThisOpeningIsKnownToMatch) {
  start();
  cluster->propose(leader, "value");
  cluster->deliver();
  cluster->network().clear();
  const Index before = cluster->status(one).commit;
  ASSERT_GT(cluster->status(one).last, before);
  cluster->tick(leader, 5);
  Message heartbeat = last_to(one);
  ASSERT_EQ(heartbeat.to_opening, cluster->node(one).options.opening);
  EXPECT_EQ(std::get<Heartbeat>(heartbeat.body).commit, before);
  // What an earlier opening matched says nothing of what this one has at that index.
  std::get<Heartbeat>(heartbeat.body).commit = before.next();
  heartbeat.to_opening = Opening{7, 7};
  cluster->step(one, Receive{heartbeat});
  EXPECT_EQ(cluster->status(one).commit, before);
  heartbeat.to_opening = cluster->node(one).options.opening;
  cluster->step(one, Receive{heartbeat});
  EXPECT_EQ(cluster->status(one).commit, before.next());
}

/// Figure 2: the commit index goes no further than what this message has compared.
TEST_F(Replication, AppendEntriesCommitsOnlyWhatItMatches) {
  start();
  const Index before = cluster->status(one).commit;
  cluster->propose(leader, "value");
  Message append = last_to(one);
  cluster->inject(append);
  auto& body = std::get<AppendEntries>(append.body);
  body.entries.clear();
  body.commit = before.next();
  cluster->step(one, Receive{append});
  EXPECT_EQ(cluster->status(one).commit, before);
}

TEST_F(Replication, ProposalsAboveTheBoundAreRefused) {
  start(3, [](Options& options) { options.uncommitted_bytes = 1000; });
  cluster->isolate(leader);
  for (int i = 0; i < 10; ++i) cluster->propose(leader, std::string(200, 'x'));
  const auto& outcomes = cluster->node(leader).outcomes;
  EXPECT_EQ(outcomes.front().code, base::Code::kOk);
  EXPECT_EQ(outcomes.back().code, base::Code::kOverloaded);
  const auto accepted = std::count_if(outcomes.begin(), outcomes.end(), [](const auto& each) {
    return each.code == base::Code::kOk;
  });
  EXPECT_EQ(accepted, 5);
  cluster->heal();
  cluster->run(20);
  cluster->propose(leader, "again");
  EXPECT_EQ(cluster->node(leader).outcomes.back().code, base::Code::kOk);
}

TEST_F(Replication, AFollowerThatCannotApplyTakesInNothingMoreForAWhile) {
  start(3, [](Options& options) {
    options.unapplied_bytes = 1000;
    options.stall_ticks = 100000;
  });
  cluster->node(one).hang_apply = true;
  for (int i = 0; i < 30; ++i) {
    cluster->propose(leader, std::string(200, 'x'));
    cluster->run(5);
  }
  EXPECT_LT(cluster->status(one).last, cluster->status(leader).last);
  EXPECT_GT(cluster->status(one).last, Index(4));
  EXPECT_EQ(cluster->leader(), leader);
  cluster->node(one).hang_apply = false;
  cluster->run(40);
  EXPECT_EQ(cluster->status(one).applied, cluster->status(leader).last);
}

TEST_F(Replication, TheCutFloorIsWhatEveryVoterHasDurable) {
  start();
  cluster->propose(leader, "value");
  cluster->run(10);
  const Index all = cluster->status(leader).last;
  EXPECT_EQ(cluster->status(leader).cut_floor, all);
  EXPECT_EQ(cluster->status(other).cut_floor, all);
  cluster->isolate(one);
  cluster->propose(leader, "value");
  cluster->run(10);
  EXPECT_EQ(cluster->status(leader).cut_floor, all);
  EXPECT_EQ(cluster->status(other).cut_floor, all);
  cluster->cut_log(leader, all);
  cluster->cut_log(other, all);
  EXPECT_EQ(cluster->status(leader).first, all.next());
  cluster->heal();
  cluster->run(30);
  EXPECT_EQ(cluster->status(one).commit, all.next());
  // What was cut is still enough to elect and to restart from.
  cluster->restart(leader);
  cluster->restart(other);
  EXPECT_NE(cluster->elect(), 0u);
}

/// Section 6, rule 10.
TEST_F(Replication, AConfigurationGoesWithItsEntry) {
  cluster = std::make_unique<Cluster>(3);
  Configuration bound = cluster->status(2).configuration;
  for (Member& voter : bound.voters) voter.incarnation = Incarnation(100 + voter.id.value);
  Message message;
  message.from = MemberId(1);
  message.to = MemberId(2);
  message.incarnation = Incarnation(101);
  message.opening = Opening{1, 1001};
  const auto deliver = [&](std::uint64_t term, EntryKind kind, std::string payload) {
    auto entry = std::make_shared<Entry>();
    entry->term = message.term = Term(term);
    entry->index = Index(1);
    entry->kind = kind;
    entry->payload = std::move(payload);
    entry->hash = chain_hash(ChainHash(), *entry);
    message.body = AppendEntries{{}, {}, {}, {entry}, {}, {}};
    cluster->step(2, Receive{message});
  };
  deliver(1, EntryKind::kConfiguration, encode(bound));
  EXPECT_FALSE(cluster->status(2).configuration.unbound()) << "in force from its append";
  deliver(2, EntryKind::kEmpty, "");
  EXPECT_TRUE(cluster->has_traced(2, TraceKind::kTruncated));
  EXPECT_TRUE(cluster->status(2).configuration.unbound());
  deliver(2, EntryKind::kConfiguration, "not a configuration");
  EXPECT_TRUE(cluster->has_traced(2, TraceKind::kDiverged));
}

TEST_F(Replication, StampsGrowAlongTheLogWhateverTheClockSays) {
  start();
  cluster->step(leader, Propose{{Proposal{901, HybridTime(500, 0), "late"}}});
  cluster->step(leader, Propose{{Proposal{902, HybridTime(400, 0), "early"}}});
  cluster->settle();
  const auto& applied = cluster->node(leader).applied_entries;
  EXPECT_EQ(applied[applied.size() - 2]->time, HybridTime(500, 0));
  EXPECT_EQ(applied.back()->time, HybridTime(500, 1));
  // Also when nothing of the log is in memory after a restart.
  for (std::uint64_t id = 1; id <= 3; ++id) cluster->restart(id);
  const std::uint64_t again = cluster->elect();
  EXPECT_GT(cluster->node(again).applied_entries.back()->time, HybridTime(500, 1));
}

/// DESIGN section 6, rule 3: where the log begins above the state, the member votes and
/// acknowledges, and nothing is applied or led.
TEST_F(Replication, ALogThatBeginsAboveTheStateIsNeitherAppliedNorLed) {
  start();
  for (int i = 0; i < 5; ++i) cluster->propose(leader, "value");
  cluster->run(10);
  cluster->crash(one);
  Disk& disk = cluster->node(one).disk;
  disk.previous_term = disk.entries[3]->term;
  disk.previous_hash = disk.entries[3]->hash;
  disk.entries.erase(disk.entries.begin(), disk.entries.begin() + 4);
  disk.first = Index(5);
  disk.applied = Index(2);
  cluster->node(leader).hang_snapshots = cluster->node(other).hang_snapshots = true;
  cluster->restart(one);
  cluster->propose(leader, "more");
  cluster->run(20);
  EXPECT_EQ(cluster->status(one).durable, cluster->status(leader).last);
  EXPECT_EQ(cluster->status(one).applied, Index(2));
  // Its acknowledgement and its vote count; it does not lead.
  cluster->crash(other);
  cluster->propose(leader, "with its help");
  cluster->run(10);
  EXPECT_EQ(cluster->status(leader).commit, cluster->status(leader).last);
  cluster->restart(other);
  cluster->run(30);
  cluster->crash(leader);
  EXPECT_EQ(cluster->elect(), other);
  // Until it has a snapshot: then it is as good as any.
  cluster->node(other).hang_snapshots = false;
  cluster->run(2 * 600);
  EXPECT_FALSE(cluster->status(one).needs_snapshot);
  EXPECT_EQ(cluster->status(one).applied, cluster->status(other).last);
  EXPECT_EQ(cluster->status(one).first, Index(5)) << "its log stayed";
}

TEST_F(Replication, AfterAFailedWriteNothingIsSaidOrTaken) {
  start();
  const std::uint64_t proposal = cluster->propose(leader, "value");
  cluster->network().clear();
  cluster->step(leader, PersistFailed{});
  EXPECT_TRUE(cluster->status(leader).failed);
  EXPECT_EQ(cluster->node(leader).outcomes.back().id, proposal);
  EXPECT_EQ(cluster->node(leader).outcomes.back().code, base::Code::kLeadershipLost);
  cluster->tick(leader, 200);
  cluster->tick(one, 5);
  EXPECT_TRUE(cluster->network().empty());
  cluster->propose(leader, "value");
  EXPECT_EQ(cluster->node(leader).outcomes.back().code, base::Code::kUnavailable);
  const std::uint64_t read = cluster->read(leader);
  EXPECT_EQ(cluster->node(leader).reads[read].code, base::Code::kUnavailable);
}

}  // namespace
}  // namespace raft::testing
