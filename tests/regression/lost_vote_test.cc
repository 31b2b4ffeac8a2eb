// A vote is lost with the disk that it was written to, and its candidate is cut off: whoever makes
// the voter whole again knows nothing of that term. With five members a quarantine that ended when
// three of the four others were heard let it vote twice, and two candidates won one term
// (docs/decisions/0013).
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/raft/cluster.h"

namespace raft::testing {
namespace {

class LostVote : public ::testing::Test {
 protected:
  static constexpr std::uint32_t kTimeout = 30;
  LostVote() {
    leader_ = cluster_.elect();
    cluster_.run(10);
    for (std::uint64_t* id : {&voter_, &candidate_, &second_, &third_}) {
      *id = next_++ % 5 + 1;
      if (*id == leader_) *id = next_++ % 5 + 1;
    }
    term_ = cluster_.status(leader_).term.next();
  }

  bool is(std::uint64_t id, Role role) { return cluster_.status(id).role == role; }
  bool leads(std::uint64_t id) {
    return is(id, Role::kLeader) && cluster_.status(id).term == term_;
  }
  void cut_both(std::uint64_t a, std::uint64_t b) {
    cluster_.cut(a, b);
    cluster_.cut(b, a);
  }
  /// Until it has asked for votes, which are on their way, if it may. Whoever is to grant them has
  /// heard no leader for long.
  void stand(std::uint64_t id, const std::vector<std::uint64_t>& voters) {
    for (const std::uint64_t voter : voters) cluster_.tick(voter, kTimeout);
    cluster_.network().clear();
    for (int i = 0; i < 100 && is(id, Role::kFollower); ++i) cluster_.tick(id);
    for (int i = 0; i < 100 && !is(id, Role::kCandidate); ++i) cluster_.deliver();
    cluster_.persist(id);
  }
  /// Takes what is on its way from one to the other. The rest is lost.
  std::vector<Message> taken(std::uint64_t from, std::uint64_t to) {
    std::vector<Message> taken;
    for (const Message& message : cluster_.network()) {
      if (message.from == MemberId(from) && message.to == MemberId(to)) taken.push_back(message);
    }
    return taken;
  }
  std::vector<Message> answer(std::uint64_t id, const std::vector<Message>& asked,
                              std::uint64_t to) {
    for (const Message& message : asked) cluster_.inject(message);
    cluster_.persist(id);
    return taken(id, to);
  }

  Cluster cluster_{5, 3};
  std::uint64_t next_ = 0;
  std::uint64_t leader_ = 0, voter_ = 0, candidate_ = 0, second_ = 0, third_ = 0;
  Term term_;
};

TEST_F(LostVote, IsNotGivenAgainWhileItsCandidateMayCountIt) {
  for (const std::uint64_t id : {voter_, candidate_, second_}) cut_both(leader_, id);
  stand(candidate_, {voter_, second_});
  ASSERT_TRUE(is(candidate_, Role::kCandidate));
  ASSERT_EQ(cluster_.status(candidate_).term, term_);
  const std::vector<Message> late = taken(candidate_, second_);
  const std::vector<Message> grant = answer(voter_, taken(candidate_, voter_), candidate_);
  cluster_.network().clear();
  ASSERT_FALSE(late.empty());
  ASSERT_FALSE(grant.empty());
  ASSERT_EQ(cluster_.status(voter_).term, term_) << "it has voted";

  cluster_.crash(voter_);
  Disk& disk = cluster_.node(voter_).disk;
  disk.hard_state = {cluster_.status(leader_).term, MemberId(), Opening()};
  disk.quarantined = true;
  disk.quarantine_reason = "lost synced data";
  cluster_.restart(voter_);
  cluster_.heal();
  cluster_.isolate(candidate_);
  for (int i = 0; i < 20; ++i) {
    for (const std::uint64_t id : {leader_, voter_, second_, third_}) cluster_.tick(id);
    cluster_.settle();
  }
  ASSERT_TRUE(is(leader_, Role::kLeader)) << "and repairs it, in the term before";
  EXPECT_TRUE(cluster_.status(voter_).quarantined) << "one has not been heard";

  // Somebody else stands in the same term.
  cluster_.isolate(second_);
  cluster_.restart(leader_);
  stand(third_, {voter_});
  cluster_.settle();
  // And the first one's question arrives.
  cluster_.tick(second_, kTimeout);
  for (const Message& message : answer(second_, late, candidate_)) cluster_.inject(message);
  for (const Message& message : grant) cluster_.inject(message);
  cluster_.persist(candidate_);
  EXPECT_TRUE(leads(candidate_));
  EXPECT_FALSE(leads(third_)) << "two leaders in one term";

  cluster_.heal();
  cluster_.run(100);
  EXPECT_FALSE(cluster_.status(voter_).quarantined) << "once everybody is heard";
}

}  // namespace
}  // namespace raft::testing
