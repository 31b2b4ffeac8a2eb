// Openings and ordinals of peers: DESIGN sections 5.2, 5.3 and 6, rule 5.
#include "raft/peers.h"

#include <gtest/gtest.h>

namespace raft {
namespace {

Message from(Opening opening, Ordinal recovered, Ordinal durable) {
  Message message;
  message.opening = opening;
  message.recovered = recovered;
  message.durable = durable;
  message.body = HeartbeatReply();
  return message;
}

Peer known() {
  Peer peer;
  remember(peer, from({5, 50}, {4, 9}, {5, 20}));
  return peer;
}

TEST(Peers, TheSameOpeningIsAccepted) {
  EXPECT_EQ(judge(known(), from({5, 50}, {4, 9}, {5, 21})), Verdict::kAccept);
  EXPECT_EQ(judge(Peer(), from({5, 50}, {4, 9}, {5, 21})), Verdict::kNewOpening);
}

TEST(Peers, ALaterOpeningThatRecoveredEverythingIsAccepted) {
  EXPECT_EQ(judge(known(), from({6, 60}, {5, 20}, {5, 20})), Verdict::kNewOpening);
  EXPECT_EQ(judge(known(), from({9, 60}, {8, 1}, {8, 1})), Verdict::kNewOpening);
}

TEST(Peers, ALaterOpeningThatRecoveredLessWasRolledBack) {
  EXPECT_EQ(judge(known(), from({6, 60}, {5, 19}, {5, 19})), Verdict::kRolledBack);
  // Outgrowing what is remembered does not help: what was recovered counts.
  EXPECT_EQ(judge(known(), from({6, 60}, {5, 19}, {6, 1000})), Verdict::kRolledBack);
}

TEST(Peers, QuarantinedOpeningsAreExempt) {
  Message message = from({6, 60}, {5, 19}, {5, 19});
  std::get<HeartbeatReply>(message.body).progress.quarantined = true;
  Peer peer = known();
  EXPECT_EQ(judge(peer, message), Verdict::kNewOpening);
  remember(peer, message);
  EXPECT_FALSE(peer.counts());
  // It stays so for messages without a report.
  message.body = RequestVoteReply();
  EXPECT_EQ(judge(peer, message), Verdict::kAccept);
  remember(peer, message);
  EXPECT_FALSE(peer.counts());
  // And for an older report that arrives late.
  message.body = HeartbeatReply();
  remember(peer, message);
  EXPECT_FALSE(peer.counts());
}

TEST(Peers, TheSameEpochWithAnotherNonceWasRolledBack) {
  EXPECT_EQ(judge(known(), from({5, 51}, {4, 9}, {5, 20})), Verdict::kRolledBack);
}

TEST(Peers, ALowerEpochIsRefused) {
  EXPECT_EQ(judge(known(), from({4, 40}, {3, 9}, {4, 1})), Verdict::kStale);
}

TEST(Peers, ANewOpeningKeepsTheOrdinalsAndNothingElse) {
  Peer peer = known();
  peer.progress.durable = Index(7);
  Message message = from({6, 60}, {5, 20}, {5, 20});
  message.body = RequestVoteReply();
  remember(peer, message);
  EXPECT_EQ(peer.durable_before, (Ordinal{5, 20}));
  EXPECT_EQ(peer.progress, ProgressReport());
  EXPECT_EQ(judge(peer, from({7, 70}, {5, 19}, {5, 19})), Verdict::kRolledBack);
}

TEST(Peers, AnOvertakenMessageFromBeforeTheEndOfAQuarantineIsLateAndNoRollback) {
  Peer peer;
  Message message;
  message.opening = Opening{3, 7};
  message.recovered = Ordinal{1, 1};
  message.durable = Ordinal{2, 18};
  HeartbeatReply reply;
  reply.progress.quarantined = true;
  message.body = reply;
  peer.durable_before = Ordinal{2, 18};
  ASSERT_EQ(judge(peer, message), Verdict::kNewOpening);
  remember(peer, message);
  Message after = message;
  after.recovered = Ordinal{3, 3};
  after.body = HeartbeatReply();
  ASSERT_EQ(judge(peer, after), Verdict::kAccept);
  remember(peer, after);
  EXPECT_TRUE(peer.counts());
  EXPECT_EQ(judge(peer, message), Verdict::kLate);
  message.body = RequestVoteReply();
  EXPECT_EQ(judge(peer, message), Verdict::kLate);
}

}  // namespace
}  // namespace raft
