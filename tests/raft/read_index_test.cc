#include "raft/read_index.h"

#include <gtest/gtest.h>

namespace raft {
namespace {

using Ids = std::vector<std::uint64_t>;

/// Section 6, rule 7: a read joins only a round whose first heartbeat leaves after it was taken in.
TEST(ReadIndex, AReadNeverJoinsARoundThatIsUnderWay) {
  ReadIndex reads;
  EXPECT_FALSE(reads.should_open());
  reads.wait({1, 2});
  const RoundToken first{Term(1), 1, 1};
  reads.open(first, Index(7));
  reads.wait({3});
  EXPECT_FALSE(reads.should_open());
  reads.confirm(MemberId(2), first);
  const ReadIndex::Round closed = reads.close();
  EXPECT_EQ(closed.ids, (Ids{1, 2}));
  EXPECT_EQ(closed.index, Index(7));
  EXPECT_TRUE(reads.should_open());
  reads.open(RoundToken{Term(1), 1, 2}, Index(8));
  EXPECT_EQ(reads.round()->ids, (Ids{3}));
  EXPECT_TRUE(reads.round()->confirmed.empty());
}

TEST(ReadIndex, OnlyTheRoundsOwnTokenConfirms) {
  ReadIndex reads;
  reads.wait({1});
  reads.open(RoundToken{Term(2), 1, 5}, Index(7));
  reads.confirm(MemberId(2), RoundToken{Term(2), 1, 4});
  reads.confirm(MemberId(2), RoundToken{Term(1), 1, 5});
  reads.confirm(MemberId(2), RoundToken{Term(2), 2, 5});
  EXPECT_TRUE(reads.round()->confirmed.empty());
  reads.confirm(MemberId(2), RoundToken{Term(2), 1, 5});
  EXPECT_EQ(reads.round()->confirmed.size(), 1u);
  reads.forget(MemberId(2));
  EXPECT_TRUE(reads.round()->confirmed.empty());
}

TEST(ReadIndex, AbandonsEverythingInOrder) {
  ReadIndex reads;
  reads.wait({1});
  reads.open(RoundToken{Term(2), 1, 5}, Index(7));
  reads.wait({2, 3});
  EXPECT_EQ(reads.abandon(), (Ids{1, 2, 3}));
  EXPECT_EQ(reads.abandon(), Ids());
}

}  // namespace
}  // namespace raft
