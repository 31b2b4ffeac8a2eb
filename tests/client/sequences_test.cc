#include "client/sequences.h"

#include <gtest/gtest.h>

namespace client {
namespace {

TEST(Sequences, AcknowledgesBelowTheLowestUnfinished) {
  Sequences sequences(10);
  EXPECT_EQ(sequences.acknowledged_below(), 1u);
  EXPECT_EQ(sequences.next(), 1u);
  EXPECT_EQ(sequences.next(), 2u);
  EXPECT_EQ(sequences.next(), 3u);
  sequences.finished(2);
  EXPECT_EQ(sequences.acknowledged_below(), 1u);
  sequences.finished(1);
  EXPECT_EQ(sequences.acknowledged_below(), 3u);
  sequences.finished(3);
  EXPECT_EQ(sequences.acknowledged_below(), 4u);
}

TEST(Sequences, StaysWithinTheWindow) {
  Sequences sequences(3);
  for (std::uint64_t i = 1; i <= 3; ++i) EXPECT_EQ(sequences.next(), i);
  EXPECT_FALSE(sequences.next().has_value());
  sequences.finished(2);
  EXPECT_FALSE(sequences.next().has_value()) << "1 is still open, so 4 would be too far";
  sequences.finished(1);
  EXPECT_EQ(sequences.next(), 4u);
  EXPECT_EQ(sequences.next(), 5u);
  EXPECT_FALSE(sequences.next().has_value());
}

TEST(Sequences, KeepsWhatIsUnresolvedWhileThereIsRoom) {
  Sequences sequences(100);
  for (std::uint64_t i = 1; i <= 2; ++i) EXPECT_EQ(sequences.next(), i);
  sequences.unresolved(1);
  sequences.finished(2);
  EXPECT_EQ(sequences.acknowledged_below(), 1u) << "the servers keep its outcome";
  for (std::uint64_t i = 3; i <= 100; ++i) {
    ASSERT_EQ(sequences.next(), i);
    sequences.finished(i);
  }
  EXPECT_EQ(sequences.next(), 101u) << "writes go on: the oldest is let go";
  EXPECT_EQ(sequences.acknowledged_below(), 101u);
}

TEST(Sequences, KeepsSoManyUnresolvedAndNoMore) {
  Sequences sequences(1000);
  for (std::uint64_t i = 1; i <= Sequences::kUnresolved + 2; ++i) {
    ASSERT_EQ(sequences.next(), i);
    sequences.unresolved(i);
  }
  EXPECT_EQ(sequences.acknowledged_below(), 3u);
}

TEST(SequencesDeathTest, FinishedTwiceIsABug) {
  Sequences sequences(3);
  (void)sequences.next();
  sequences.finished(1);
  EXPECT_DEATH(sequences.finished(1), "finished once");
}

}  // namespace
}  // namespace client
