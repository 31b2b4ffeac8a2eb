// Each rule finds who breaks it, and nobody who does not.
#include "tests/sim/rules.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace sim {
namespace {

using base::Index;
using base::MemberId;
using base::Opening;
using base::Term;

class RulesTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kNode = 0;
  RulesTest() : journal_(queue_), rules_(journal_, 3) { rules_.opened(kNode, {}); }

  raft::Message from_node(std::uint64_t term, raft::MessageBody body) const {
    raft::Message message;
    message.from = MemberId(kNode + 1);
    message.incarnation = base::Incarnation(77);
    message.opening = {4, 44};
    message.term = Term(term);
    message.body = std::move(body);
    return message;
  }
  void grant(std::uint64_t term, std::uint64_t candidate, Opening opening, bool pre_vote = false) {
    raft::Message message =
        from_node(term, raft::RequestVoteReply{pre_vote, true, Index(), Term()});
    message.to = MemberId(candidate);
    message.to_opening = opening;
    rules_.sent(kNode, message);
  }
  void acknowledge(std::uint64_t term, std::uint64_t index) {
    raft::AppendEntriesReply reply;
    reply.success = true;
    reply.match = Index(index);
    rules_.sent(kNode, from_node(term, reply));
  }
  void end_quarantine(std::uint64_t term) {
    raft::PersistRequest request;
    request.term = Term(term);
    request.end_quarantine = true;
    rules_.persisted(kNode, request);
  }
  void append(std::uint64_t index, const raft::Configuration& configuration) {
    auto entry = std::make_shared<raft::Entry>();
    entry->index = Index(index);
    entry->kind = raft::EntryKind::kConfiguration;
    entry->payload = raft::encode(configuration);
    raft::PersistRequest request;
    request.entries = {entry};
    rules_.persisted(kNode, request);
  }
  void lead(std::uint64_t term, std::uint64_t configuration, std::uint64_t commit) {
    raft::CoreSummary summary;
    summary.role = raft::Role::kLeader;
    summary.term = Term(term);
    summary.configuration_index = Index(configuration);
    summary.commit = Index(commit);
    rules_.observed(kNode, summary);
  }
  static std::vector<raft::Member> members(std::initializer_list<std::uint64_t> ids,
                                           std::uint64_t incarnation = 1) {
    std::vector<raft::Member> members;
    for (const std::uint64_t id : ids) {
      members.push_back({MemberId(id), base::Incarnation(incarnation)});
    }
    return members;
  }
  std::string said() const { return journal_.violation().value_or(""); }
  bool says(const char* words) const { return said().find(words) != std::string::npos; }

  EventQueue queue_;
  Journal journal_;
  Rules rules_;
};

TEST_F(RulesTest, OneVoteATerm) {
  grant(5, 2, {1, 10});
  grant(5, 2, {1, 10});        // again to the same
  grant(6, 3, {1, 30});        // in another term
  grant(6, 2, {1, 10}, true);  // no vote
  EXPECT_EQ(said(), "");
  grant(6, 2, {1, 10});
  EXPECT_TRUE(says("votes twice in term 6, for two candidates")) << said();
}

TEST_F(RulesTest, AVoteOutlivesTheProcess) {
  grant(5, 2, {1, 10});
  rules_.opened(kNode, {});
  grant(5, 3, {1, 30});
  EXPECT_TRUE(says("votes twice")) << said();
}

TEST_F(RulesTest, AVoteIsForOneOpening) {
  grant(5, 2, {1, 10});
  grant(5, 2, {1, 11});
  EXPECT_TRUE(says("two openings")) << said();
}

TEST_F(RulesTest, ACandidateHasVotedForItself) {
  rules_.sent(kNode, from_node(5, raft::RequestVote{true, false, Index(), Term(), false}));
  grant(5, 3, {1, 30});
  EXPECT_EQ(said(), "") << "it asked only whether it might";
  rules_.sent(kNode, from_node(6, raft::RequestVote{false, false, Index(), Term(), false}));
  grant(6, 3, {1, 30});
  EXPECT_TRUE(says("votes twice")) << said();
}

TEST_F(RulesTest, AnAcknowledgementIsOfATermAndAProcess) {
  acknowledge(5, 9);
  acknowledge(5, 7);
  EXPECT_EQ(rules_.acknowledged(kNode, Term(5)), Index(9));
  EXPECT_EQ(rules_.acknowledged(kNode, Term(6)), Index());
  acknowledge(6, 4);
  EXPECT_EQ(rules_.acknowledged(kNode, Term(6)), Index(4));
  rules_.opened(kNode, {});
  EXPECT_EQ(rules_.acknowledged(kNode, Term(6)), Index());
}

TEST_F(RulesTest, WhoHeardMoreRemembersItUntilItIsRepaired) {
  constexpr std::size_t kPeer = 1;
  raft::Message message = from_node(5, raft::TimeoutNow());
  message.durable = {4, 9};
  rules_.sent(kNode, message);
  rules_.heard(kPeer, message);
  rules_.opened(kNode, {4, 9});
  EXPECT_FALSE(rules_.remembers_more(kPeer, kNode));
  rules_.opened(kNode, {4, 8});
  EXPECT_TRUE(rules_.remembers_more(kPeer, kNode));
  EXPECT_FALSE(rules_.remembers_more(2, kNode));
  end_quarantine(5);
  EXPECT_FALSE(rules_.remembers_more(kPeer, kNode));
  rules_.opened(kNode, {4, 8});
  rules_.opened(kPeer, {});
  EXPECT_FALSE(rules_.remembers_more(kPeer, kNode)) << "it restarted";
}

TEST_F(RulesTest, AQuarantineEndsNotBeforeTheLastVote) {
  grant(5, 2, {1, 10});
  end_quarantine(5);
  EXPECT_EQ(said(), "");
  end_quarantine(4);
  EXPECT_TRUE(says("ends its quarantine in term 4, but has voted in term 5")) << said();
}

TEST_F(RulesTest, VotersChangeThroughBothSets) {
  append(1, {members({1, 2, 3}, 0)});
  append(2, {members({1, 2, 3})});  // bound
  append(3, {members({1, 2, 3}), {}, members({4})});
  append(4, {members({1, 2, 4}), members({1, 2, 3})});
  append(5, {members({1, 2, 4})});
  EXPECT_EQ(said(), "");
  append(6, {members({1, 2, 3, 4})});
  EXPECT_TRUE(says("joint consensus")) << said();
}

TEST_F(RulesTest, AJointConfigurationIsOfTheVotersBefore) {
  append(2, {members({1, 2, 3})});
  append(4, {members({1, 2, 4}), members({1, 2})});
  EXPECT_TRUE(says("joint consensus")) << said();
}

TEST_F(RulesTest, AnotherDirectoryIsAnotherVoter) {
  append(2, {members({1, 2, 3})});
  append(4, {members({1, 2, 3}, 9)});
  EXPECT_TRUE(says("joint consensus")) << said();
}

TEST_F(RulesTest, OneChangeAtATime) {
  lead(5, 0, 0);
  lead(5, 4, 2);  // the one before is what the directory began with
  lead(5, 7, 4);
  EXPECT_EQ(said(), "");
  lead(5, 9, 6);
  EXPECT_TRUE(says("one change at a time")) << said();
}

TEST_F(RulesTest, ANewLeadersFirstIsNoChange) {
  lead(5, 4, 3);
  lead(6, 6, 3);  // it was elected with that in its log
  EXPECT_EQ(said(), "");
}

}  // namespace
}  // namespace sim
