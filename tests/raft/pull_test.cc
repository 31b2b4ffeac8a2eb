// Pulling the log before a candidacy: reference failures.md section 5, DESIGN section 6, rule 10.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

/// Three members; the one in the middle reaches both others, which do not reach each other, and
/// lacks what they have. The old leader is one of the two ends.
class PullLog : public ::testing::Test {
 protected:
  void start(void (*tune)(Options& options) = nullptr) {
    cluster_ = std::make_unique<Cluster>(3, 1, tune);
    old_ = cluster_->elect();
    cluster_->run(10);
    middle_ = old_ % 3 + 1;
    other_ = middle_ % 3 + 1;
    cluster_->isolate(middle_);
    for (int i = 0; i < 5; ++i) cluster_->propose(old_, "value");
    cluster_->run(10);
    committed_ = cluster_->status(old_).commit;
    cluster_->heal();
    for (const auto& [from, to] : {std::pair(old_, other_), std::pair(other_, old_)}) {
      cluster_->cut(from, to);
    }
  }
  /// The old leader must not bring the middle up to date: it falls silent.
  void silence_old_leader() {
    cluster_->step(old_, SelfAssessment{false, "sick"});
    std::erase_if(cluster_->network(), [](const Message&) { return true; });
  }
  static void without_pull(Options& options) { options.pull_before_candidacy = false; }

  std::unique_ptr<Cluster> cluster_;
  std::uint64_t old_ = 0, middle_ = 0, other_ = 0;
  Index committed_;
};

TEST_F(PullLog, TheOnlyConnectedMemberIsStaleAndLeadsAllTheSame) {
  start();
  silence_old_leader();
  for (int i = 0; i < 600 && cluster_->leader() != middle_; ++i) cluster_->run(1);
  EXPECT_EQ(cluster_->leader(), middle_);
  EXPECT_TRUE(cluster_->has_traced(middle_, TraceKind::kPulled));
  EXPECT_GE(cluster_->status(middle_).last, committed_) << "with everything that was committed";
  cluster_->propose(middle_, "goes on");
  cluster_->run(20);
  EXPECT_GT(cluster_->status(middle_).commit, committed_);
}

TEST_F(PullLog, WithoutItNobodyCouldBeElected) {
  start(without_pull);
  silence_old_leader();
  cluster_->run(20 * 30);
  EXPECT_FALSE(cluster_->has_traced(middle_, TraceKind::kPulled));
  EXPECT_NE(cluster_->leader(), middle_);
}

TEST_F(PullLog, AcknowledgesAndCommitsNothing) {
  start();
  silence_old_leader();
  const Index commit = cluster_->status(middle_).commit;
  for (int i = 0; i < 600 && !cluster_->has_traced(middle_, TraceKind::kPulled); ++i) {
    cluster_->tick(middle_);
    for (const Message& message : cluster_->network()) {
      EXPECT_FALSE(message.from == MemberId(middle_) &&
                   std::holds_alternative<AppendEntriesReply>(message.body));
    }
    cluster_->deliver();
    cluster_->persist(middle_);
  }
  ASSERT_TRUE(cluster_->has_traced(middle_, TraceKind::kPulled));
  EXPECT_EQ(cluster_->status(middle_).commit, commit);
  EXPECT_EQ(cluster_->status(old_).commit, committed_);
}

/// Drives the middle by hand up to its question, and answers it.
class PullReplies : public PullLog {
 protected:
  void SetUp() override {
    start();
    silence_old_leader();
    for (int i = 0; i < 600 && !asked(); ++i) {
      cluster_->tick(middle_);
      cluster_->deliver();
      cluster_->persist(middle_);
    }
    ASSERT_TRUE(asked());
    cluster_->deliver();  // the other's log answers
    const auto& network = cluster_->network();
    const auto at = std::find_if(network.begin(), network.end(), [](const Message& message) {
      return std::holds_alternative<PullReply>(message.body);
    });
    ASSERT_NE(at, network.end());
    reply_ = *at;
    cluster_->network().clear();
  }
  bool asked() {
    return std::any_of(
        cluster_->network().begin(), cluster_->network().end(),
        [](const Message& message) { return std::holds_alternative<Pull>(message.body); });
  }
  PullReply& body() { return std::get<PullReply>(reply_.body); }
  Index last() { return cluster_->status(middle_).last; }
  Message reply_;
};

TEST_F(PullReplies, AreTakenWhole) {
  const Index before = last();
  ASSERT_FALSE(body().entries.empty());
  cluster_->inject(reply_);
  EXPECT_EQ(last(), before + body().entries.size());
}

TEST_F(PullReplies, ThatBreakTheChainAreNotTaken) {
  const Index before = last();
  auto wrong = std::make_shared<Entry>(*body().entries.back());
  wrong->payload += "x";
  body().entries.back() = wrong;
  cluster_->inject(reply_);
  EXPECT_EQ(last(), before);
}

TEST_F(PullReplies, ToAnotherQuestionOrFromAnotherAreNotTaken) {
  const Index before = last();
  Message other = reply_;
  std::get<PullReply>(other.body).previous_index = Index(77);
  cluster_->inject(other);
  EXPECT_EQ(last(), before);
  other = reply_;
  other.from = MemberId(reply_.from == MemberId(old_) ? other_ : old_);
  cluster_->inject(other);
  EXPECT_EQ(last(), before);
}

/// What is committed here must agree there: no older point is tried.
TEST_F(PullReplies, NeverReachBelowTheOwnCommitIndex) {
  const Index before = last();
  const Index commit = cluster_->status(middle_).commit;
  for (int i = 0; i < 20; ++i) {
    body().agrees = false;
    body().entries.clear();
    body().hint = Index();
    cluster_->inject(reply_);
    for (const Message& message : cluster_->network()) {
      if (const auto* pull = std::get_if<Pull>(&message.body)) {
        EXPECT_GE(pull->previous_index, commit);
        body().previous_index = pull->previous_index;
      }
    }
    cluster_->network().clear();
  }
  EXPECT_EQ(last(), before);
}

/// A log may be longer and still be behind: its last term decides.
TEST_F(PullReplies, ALogThatIsMerelyLongerIsNotAhead) {
  cluster_->run(40 * 30);
  const std::uint64_t leader = cluster_->leader();
  ASSERT_NE(leader, 0u);
  Message vote;
  vote.from = MemberId(old_);
  vote.to = MemberId(middle_);
  vote.incarnation = Incarnation(100 + old_);
  vote.opening = cluster_->node(old_).options.opening;
  vote.to_opening = cluster_->node(middle_).options.opening;
  vote.term = cluster_->status(middle_).term;
  vote.body = RequestVoteReply{true, false, cluster_->status(middle_).last + 1000, Term(1)};
  cluster_->step(middle_, StepDown{"so that it asks"});
  cluster_->isolate(middle_);
  for (int i = 0; i < 200 && cluster_->status(middle_).role != Role::kPreCandidate; ++i) {
    cluster_->run(1);
  }
  ASSERT_EQ(cluster_->status(middle_).role, Role::kPreCandidate);
  vote.term = cluster_->status(middle_).term;
  cluster_->network().clear();
  const Output output = cluster_->step(middle_, Receive{vote});
  for (const Message& message : output.send) {
    EXPECT_FALSE(std::holds_alternative<Pull>(message.body));
  }
}

}  // namespace
}  // namespace raft::testing
