// Raft paper, figure 2, "Rules for Servers". A candidacy begins with a pre-vote here (thesis
// section 9.6), so that what the paper says of candidates is looked at once the pre-vote is won.
#include <gtest/gtest.h>

#include "tests/paper/one_member.h"

namespace raft::paper {
namespace {

constexpr std::uint32_t kT = 30;         // ticks: the shortest election timeout
constexpr std::uint32_t kHeartbeat = 5;  // ticks

std::uint64_t stand(OneMember& member) {
  EXPECT_TRUE(member.tick_until(Role::kPreCandidate));
  member.take_sent();
  member.tell(2, member.status().term.value + 1, RequestVoteReply{true, true, {}, {}});
  EXPECT_EQ(member.status().role, Role::kCandidate);
  return member.status().term.value;
}

// ---- All servers ----

/// A higher term in any request makes a follower of whoever hears it.
TEST(Figure2Servers, AHigherTermInARequestEndsALeadership) {
  OneMember member({.log = {1}});
  member.lead();
  const std::uint64_t term = member.status().term.value;
  member.append_from(3, term + 1, make_log({1}), 1, 1);
  EXPECT_EQ(member.status().role, Role::kFollower);
  EXPECT_EQ(member.status().term, Term(term + 1));
  EXPECT_EQ(member.status().leader, MemberId(3));
}

/// And in any response.
TEST(Figure2Servers, AHigherTermInAResponseEndsALeadership) {
  for (const MessageBody& body : {MessageBody(AppendEntriesReply{}), MessageBody(HeartbeatReply{}),
                                  MessageBody(RequestVoteReply{})}) {
    OneMember member({.log = {1}});
    member.lead();
    const std::uint64_t term = member.status().term.value;
    member.tell(2, term + 3, body);
    EXPECT_EQ(member.status().role, Role::kFollower) << body.index();
    EXPECT_EQ(member.status().term, Term(term + 3)) << body.index();
  }
}

TEST(Figure2Servers, AHigherTermEndsACandidacy) {
  OneMember member({.log = {1}});
  const std::uint64_t term = stand(member);
  member.tell(3, term + 1, RequestVoteReply{});
  EXPECT_EQ(member.status().role, Role::kFollower);
}

// ---- Followers ----

/// Without a leader or a candidate that it helps a follower stands for election; with one it waits.
TEST(Figure2Servers, AFollowerStandsOnlyAfterASilence) {
  OneMember member({.log = {1}});
  for (int i = 0; i < 100; ++i) {
    member.append_from(2, 1, make_log({1}), 1, 1);
    member.tick(kT - 1);
    ASSERT_EQ(member.status().role, Role::kFollower) << i;
  }
  member.tick(kT + 1);
  EXPECT_NE(member.status().role, Role::kFollower);
}

/// Granting a vote starts the timer anew.
TEST(Figure2Servers, WhoHasVotedWaits) {
  OneMember member({.log = {1}});
  member.tick(kT - 1);
  member.tell(2, 2, RequestVote{false, false, Index(1), Term(1)});
  ASSERT_TRUE(member.sent<RequestVoteReply>(2).back().granted);
  member.tick(kT - 1);
  EXPECT_EQ(member.status().role, Role::kFollower);
}

/// Refusing one does not (the paper: only "granting vote to candidate").
TEST(Figure2Servers, WhoHasRefusedDoesNotWait) {
  OneMember member({.log = {1, 1}});
  bool stood = false;
  for (std::uint32_t ticks = 0; ticks < 2 * kT; ++ticks) {
    member.tick(1);
    stood = stood || member.status().role == Role::kPreCandidate;
    if (ticks % 5 == 0) member.tell(2, 2 + ticks, RequestVote{false, false, Index(1), Term(1)});
  }
  EXPECT_TRUE(stood);
}

// ---- Candidates ----

/// A candidacy: the next term, the own vote, a request to every other member.
TEST(Figure2Servers, ACandidateVotesForItselfAndAsksAll) {
  OneMember member({.log = {1, 2}, .size = 5});
  ASSERT_TRUE(member.tick_until(Role::kPreCandidate));
  for (const std::uint64_t id : {2, 3}) member.tell(id, 3, RequestVoteReply{true, true, {}, {}});
  ASSERT_EQ(member.status().role, Role::kCandidate);
  EXPECT_EQ(member.durable().term, Term(3));
  EXPECT_EQ(member.durable().vote, MemberId(1));
  for (const std::uint64_t id : {2, 3, 4, 5}) {
    const auto asked = member.sent<RequestVote>(id);
    ASSERT_FALSE(asked.empty()) << id;
    EXPECT_FALSE(asked.back().pre_vote);
    EXPECT_EQ(asked.back().last_index, Index(2));
    EXPECT_EQ(asked.back().last_term, Term(2));
  }
}

/// A majority of all servers makes a leader, fewer do not; nobody counts twice.
TEST(Figure2Servers, AMajorityMakesALeader) {
  OneMember member({.log = {1}, .size = 5});
  ASSERT_TRUE(member.tick_until(Role::kPreCandidate));
  for (const std::uint64_t id : {2, 3}) member.tell(id, 2, RequestVoteReply{true, true, {}, {}});
  ASSERT_EQ(member.status().role, Role::kCandidate);
  member.tell(2, 2, RequestVoteReply{false, true, {}, {}});
  member.tell(2, 2, RequestVoteReply{false, true, {}, {}});
  EXPECT_EQ(member.status().role, Role::kCandidate) << "two of five";
  member.tell(3, 2, RequestVoteReply{false, false, {}, {}});
  EXPECT_EQ(member.status().role, Role::kCandidate) << "a refusal";
  member.tell(4, 2, RequestVoteReply{false, true, {}, {}});
  EXPECT_EQ(member.status().role, Role::kLeader);
}

/// A leader of the same term ends a candidacy.
TEST(Figure2Servers, ACandidateYieldsToALeaderOfItsTerm) {
  OneMember member({.log = {1}});
  const std::uint64_t term = stand(member);
  member.append_from(3, term, make_log({1}), 1, 1);
  EXPECT_EQ(member.status().role, Role::kFollower);
  EXPECT_EQ(member.status().leader, MemberId(3));
}

/// Without a decision a new election begins after another timeout, in a higher term once it stands.
TEST(Figure2Servers, WithoutADecisionTheNextElectionBegins) {
  OneMember member({.log = {1}});
  const std::uint64_t term = stand(member);
  member.tick(2 * kT);
  EXPECT_EQ(member.status().role, Role::kPreCandidate);
  EXPECT_EQ(stand(member), term + 1);
}

// ---- Leaders ----

/// Heartbeats leave at once after the election, and again while nothing else happens.
TEST(Figure2Servers, ALeaderBeatsAtOnceAndAgain) {
  OneMember member({.log = {1}});
  member.lead();
  EXPECT_FALSE(member.sent<Heartbeat>(2).empty());
  EXPECT_FALSE(member.sent<Heartbeat>(3).empty());
  for (int i = 0; i < 10; ++i) {
    member.support(2);
    member.take_sent();
    member.tick(kHeartbeat);
    EXPECT_FALSE(member.sent<Heartbeat>(3).empty()) << "well within an election timeout";
  }
}

/// A command is appended, and answered once it is applied: the outcome names where it stands.
TEST(Figure2Servers, ACommandIsAnsweredAfterItIsApplied) {
  OneMember member({.log = {1}});
  member.lead();
  const std::uint64_t id = member.propose("x");
  ASSERT_FALSE(member.outcomes().empty());
  EXPECT_EQ(member.outcomes().back().id, id);
  EXPECT_EQ(member.outcomes().back().index, Index(3));
  member.persist();
  member.apply();
  EXPECT_LT(member.applied().size(), 3u) << "nobody else has it";
  member.acknowledge(2, 3);
  member.apply();
  ASSERT_EQ(member.applied().size(), 3u);
  EXPECT_EQ(member.applied().back()->payload, "x");
}

/// If the log goes beyond nextIndex, entries are sent from there on.
TEST(Figure2Servers, WhatAFollowerLacksIsSent) {
  OneMember member({.log = {1}});
  member.lead();
  member.acknowledge(2, 2);
  member.take_sent();
  member.propose("x");
  ASSERT_EQ(member.sent<AppendEntries>(2).size(), 1u);
  EXPECT_EQ(member.sent<AppendEntries>(2)[0].previous_index, Index(2));
  EXPECT_EQ(member.sent<AppendEntries>(2)[0].entries.size(), 1u);
}

/// A success moves matchIndex and nextIndex; a refusal moves nextIndex back and asks again.
TEST(Figure2Servers, ARefusalMakesTheLeaderGoBack) {
  OneMember member({.log = {1, 1, 1, 2}});
  member.lead();
  member.take_sent();
  member.reject(2, 4, 3);
  ASSERT_FALSE(member.sent<AppendEntries>(2).empty());
  EXPECT_LE(member.sent<AppendEntries>(2).back().previous_index, Index(3));
  member.reject(2, member.sent<AppendEntries>(2).back().previous_index.value, 1);
  EXPECT_LE(member.sent<AppendEntries>(2).back().previous_index, Index(1));
  member.acknowledge(2, 5);
  EXPECT_EQ(member.status().peers[0].match, Index(5));
}

/// The last rule: a majority has it, and it is of the current term.
TEST(Figure2Servers, CommittedIsWhatAMajorityHas) {
  OneMember member({.log = {1}, .size = 5});
  member.lead({2, 3});
  const Index last = member.status().last;
  member.acknowledge(2, last.value);
  EXPECT_LT(member.status().commit, last) << "two of five";
  member.acknowledge(2, last.value);
  EXPECT_LT(member.status().commit, last) << "the same one again";
  member.acknowledge(5, last.value);
  EXPECT_EQ(member.status().commit, last);
}

}  // namespace
}  // namespace raft::paper
