// Pulling the log before a candidacy: reference failures.md section 5, DESIGN section 6, rule 10.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

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

/// An entry of term `term` after what the middle has; its own term and vote are as they were.
class PulledTerms : public PullReplies {
 protected:
  /// What a leader of `term` would have appended at `index`, and nothing else.
  void answer_with(Index index, Term term) {
    body().entries.clear();
    auto entry = std::make_shared<Entry>();
    entry->index = index;
    entry->term = term;
    entry->kind = EntryKind::kEmpty;
    entry->time = HybridTime(std::uint64_t{1} << 40);
    entry->hash = chain_hash(cluster_->core(middle_).meta_at(index.previous())->hash, *entry);
    body().entries.push_back(entry);
    body().last_index = index;
    body().last_term = term;
  }
  const std::optional<HardState> written(const Output& output) {
    return output.persist.empty() ? std::nullopt : output.persist.front().hard_state;
  }
};

TEST_F(PulledTerms, AHigherOneIsTakenOnAndNobodyHasItsVote) {
  const Term before = cluster_->status(middle_).term;
  answer_with(last().next(), Term(before.value + 3));
  const auto hard_state = written(cluster_->step(middle_, Receive{reply_}));
  ASSERT_TRUE(hard_state.has_value());
  EXPECT_EQ(hard_state->term, Term(before.value + 3));
  EXPECT_FALSE(hard_state->vote);
  EXPECT_TRUE(cluster_->status(middle_).role == Role::kPreCandidate) << "it asks again at once";
}

/// A vote that was given stays given: the term and the vote are written only if the term rises.
TEST_F(PulledTerms, OfTheOwnTermTheVoteStays) {
  const HardState before = cluster_->node(middle_).disk.hard_state;
  ASSERT_EQ(before.term, cluster_->status(middle_).term);
  ASSERT_TRUE(before.vote) << "it voted for the old leader";
  answer_with(last().next(), before.term);
  const Index length = last();
  EXPECT_FALSE(written(cluster_->step(middle_, Receive{reply_})).has_value());
  EXPECT_EQ(last(), length.next());
  cluster_->persist(middle_);
  EXPECT_EQ(cluster_->node(middle_).disk.hard_state, before);
}

/// Meanwhile the own log grew: what comes is not ahead of it any more.
TEST_F(PullReplies, ThatAreNotAheadOnArrivalAreNotTaken) {
  const Index before = last();
  ASSERT_GT(body().entries.size(), 1u);
  Message first = reply_;
  std::get<PullReply>(first.body).entries.resize(1);
  cluster_->inject(first);
  ASSERT_EQ(last(), before + 1);
  cluster_->inject(reply_);
  EXPECT_EQ(last(), before + 1) << "the answer to a question that is over";
}

/// A sick member has other worries, and whoever hears a leader again gets its entries from there.
TEST_F(PullReplies, AfterAStallOrFromBeforeALeaderAreNotTaken) {
  const Index before = last();
  const Term term = cluster_->status(middle_).term;
  cluster_->step(middle_, SelfAssessment{false, "sick"});
  cluster_->inject(reply_);
  EXPECT_EQ(last(), before);
  cluster_->step(middle_, SelfAssessment{true, ""});
  for (int i = 0; i < 200 && cluster_->status(middle_).role != Role::kPreCandidate; ++i) {
    cluster_->tick(middle_);
  }
  ASSERT_EQ(cluster_->status(middle_).role, Role::kPreCandidate);
  Message heartbeat = reply_;
  heartbeat.term = term;
  heartbeat.to_opening = Opening();
  heartbeat.body = Heartbeat();
  cluster_->inject(heartbeat);
  ASSERT_EQ(cluster_->status(middle_).leader, reply_.from);
  cluster_->inject(reply_);
  EXPECT_EQ(last(), before);
}

/// A deaf member of a higher term reads a follower's log: the leader, whom it cannot hear, stays.
TEST(PullQuestions, DeposeNobody) {
  Cluster cluster(3);
  const std::uint64_t leader = cluster.elect();
  cluster.propose(leader, "value");
  cluster.run(10);
  const std::uint64_t follower = leader % 3 + 1;
  const std::uint64_t deaf = follower % 3 + 1;
  const Term term = cluster.status(leader).term;
  for (const std::uint64_t asked : {follower, leader}) {
    Message question;
    question.from = MemberId(deaf);
    question.to = MemberId(asked);
    question.incarnation = Incarnation(100 + deaf);
    question.opening = cluster.node(deaf).options.opening;
    question.term = Term(term.value + 5);
    question.body = Pull{Index(), Term(), ChainHash()};
    const Output output = cluster.step(asked, Receive{question});
    ASSERT_EQ(output.send.size(), 1u);
    const auto& answer = std::get<PullReply>(output.send.front().body);
    EXPECT_TRUE(answer.agrees);
    EXPECT_EQ(answer.entries.size(), cluster.status(asked).last.value);
    EXPECT_EQ(cluster.status(asked).term, term);
  }
  EXPECT_EQ(cluster.leader(), leader);
}

/// What was acknowledged to the leader of this very term is taken back by a pull of an older term's
/// entries. That leader still believes that its entries are there, and tells how far they are
/// committed.
class TakingBack : public ::testing::Test {
 protected:
  static void one_entry_a_message(Options& options) { options.append_bytes = 1; }

  void SetUp() override {
    lead_ = cluster_.elect();
    cluster_.run(10);
    follow_ = lead_ % 5 + 1;
    for (std::uint64_t id = 1; id <= 5; ++id) {
      if (id != lead_ && id != follow_) rest_.push_back(id);
    }
    common_ = cluster_.status(lead_).last;
    two_hold_what_three_lack();
    another_leads_and_reaches_nobody();
    the_first_leads_again();
  }
  /// The first leader appends three entries; one other has two of them.
  void two_hold_what_three_lack() {
    for (const std::uint64_t id : rest_) cluster_.isolate(id);
    cluster_.propose(lead_, "one");
    cluster_.propose(lead_, "two");
    cluster_.settle();
    cluster_.isolate(follow_);
    cluster_.propose(lead_, "three");
    cluster_.settle();
    ASSERT_EQ(cluster_.status(follow_).last, common_ + 2);
    ASSERT_EQ(cluster_.status(lead_).last, common_ + 3);
  }
  /// Of the three that lack them one is elected, and its first entry stays its own.
  void another_leads_and_reaches_nobody() {
    cluster_.heal();
    cluster_.isolate(lead_);
    cluster_.isolate(follow_);
    run_until(rest_, [&] {
      for (const std::uint64_t id : rest_) {
        if (cluster_.status(id).role == Role::kLeader) other_ = id;
      }
      return other_ != 0;
    });
    ASSERT_EQ(cluster_.status(other_).last, common_ + 1);
    std::erase(rest_, other_);
  }
  /// Its third entry reaches the other one, who says so; its fourth, of the new term, reaches
  /// nobody.
  void the_first_leads_again() {
    cluster_.heal();
    cluster_.isolate(other_);
    const Term before = cluster_.status(other_).term;
    run_until(
        {lead_},
        [&] {
          const CoreStatus status = cluster_.status(lead_);
          return status.role == Role::kLeader && status.term > before;
        },
        false);
    for (const std::uint64_t id : rest_) cluster_.isolate(id);
    run_until({}, [&] { return matched() == common_ + 3; });
    ASSERT_EQ(cluster_.status(follow_).last, common_ + 3);
    ASSERT_EQ(cluster_.status(lead_).last, common_ + 4);
    term_ = cluster_.status(lead_).term;
  }
  Index matched() {
    for (const PeerStatus& peer : cluster_.status(lead_).peers) {
      if (peer.id == MemberId(follow_)) return peer.match;
    }
    return Index();
  }
  /// Only `ids` tick. Ends with nothing on its way unless `lose` is false.
  template <typename Done>
  void run_until(const std::vector<std::uint64_t>& ids, Done done, bool lose = true) {
    for (int i = 0; i < 2000 && !done(); ++i) {
      for (const std::uint64_t id : ids) cluster_.tick(id);
      for (std::uint64_t id = 1; id <= 5 && !done(); ++id) cluster_.persist(id);
      if (!done()) cluster_.deliver();
    }
    ASSERT_TRUE(done());
    if (lose) cluster_.network().clear();
  }
  /// The follower reaches a majority with the one that is ahead of it, and fetches its entry.
  void pull() {
    cluster_.heal();
    cluster_.isolate(lead_);
    for (const std::uint64_t id : {other_, follow_}) {
      cluster_.cut(id, rest_[1]);
      cluster_.cut(rest_[1], id);
    }
    run_until({follow_}, [&] { return cluster_.has_traced(follow_, TraceKind::kPulled); });
    ASSERT_EQ(cluster_.status(follow_).last, common_ + 1);
  }
  void expect_commits_agree() {
    const Index commit = cluster_.status(follow_).commit;
    for (Index i(1); i <= commit; i = i.next()) {
      ASSERT_EQ(cluster_.core(follow_).meta_at(i)->hash, cluster_.core(lead_).meta_at(i)->hash)
          << "entry " << i.value << " is committed and differs";
    }
  }

  Cluster cluster_{5, 1, one_entry_a_message};
  std::uint64_t lead_ = 0, follow_ = 0, other_ = 0;
  std::vector<std::uint64_t> rest_;
  Index common_;  // where all logs are equal
  Term term_;     // of the leader that the follower has acknowledged to
};

TEST_F(TakingBack, TheLeadersCommitIndexIsNotBelievedAnyMore) {
  pull();
  // The others have all of it, and it is committed.
  cluster_.heal();
  cluster_.isolate(follow_);
  cluster_.isolate(other_);
  run_until({lead_}, [&] { return cluster_.status(lead_).commit == common_ + 4; });
  // Now that leader reaches the follower again.
  cluster_.heal();
  cluster_.isolate(other_);
  for (int i = 0; i < 12; ++i) {
    cluster_.tick(lead_);
    cluster_.settle();
    expect_commits_agree();
  }
  cluster_.heal();
  cluster_.run(300);
  const std::uint64_t leader = cluster_.leader();
  ASSERT_NE(leader, 0u);
  for (std::uint64_t id = 1; id <= 5; ++id) {
    EXPECT_EQ(cluster_.status(id).commit, cluster_.status(leader).last) << "member " << id;
    EXPECT_EQ(cluster_.status(id).last_hash, cluster_.status(leader).last_hash);
  }
}

}  // namespace
}  // namespace raft::testing
