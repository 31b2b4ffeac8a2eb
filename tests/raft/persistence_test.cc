#include "raft/persistence.h"

#include <gtest/gtest.h>

namespace raft {
namespace {

EntryPtr entry(std::uint64_t index) {
  auto made = std::make_shared<Entry>();
  made->index = Index(index);
  return made;
}

Persistence opened() {
  return Persistence(Opening{4, 1}, Ordinal{3, 17}, HardState{Term(2), {}, {}}, Index(5));
}

TEST(Persistence, OrdinalsGrowWithinTheEpoch) {
  Persistence persistence = opened();
  EXPECT_EQ(persistence.durable_ordinal(), (Ordinal{3, 17}));
  EXPECT_FALSE(persistence.take(Term(2), Index(5)).has_value());
  persistence.append(entry(6));
  const auto first = persistence.take(Term(2), Index(6));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->ordinal, (Ordinal{4, 1}));
  EXPECT_EQ(first->term, Term(2));
  persistence.write_hard_state({Term(3), MemberId(1), {}});
  const auto second = persistence.take(Term(3), Index(6));
  EXPECT_EQ(second->ordinal, (Ordinal{4, 2}));
  EXPECT_FALSE(persistence.hard_state_durable());
  EXPECT_TRUE(persistence.complete(first->ordinal));
  EXPECT_FALSE(persistence.complete(first->ordinal));
  EXPECT_EQ(persistence.durable_index(), Index(6));
  EXPECT_FALSE(persistence.hard_state_durable());
  EXPECT_TRUE(persistence.complete(second->ordinal));
  EXPECT_TRUE(persistence.hard_state_durable());
  EXPECT_EQ(persistence.durable_hard_state().term, Term(3));
}

/// Section 6, rule 2.
TEST(Persistence, AnOlderCompletionSaysNothingOfAnOverwrittenIndex) {
  Persistence persistence = opened();
  persistence.append(entry(6));
  persistence.append(entry(7));
  const auto old = persistence.take(Term(2), Index(7));
  persistence.truncate(Index(6));
  persistence.append(entry(6));
  const auto overwriting = persistence.take(Term(3), Index(6));
  EXPECT_EQ(persistence.covering(Index(6)), overwriting->ordinal);
  EXPECT_EQ(persistence.covering(Index(5)), Ordinal());
  persistence.complete(old->ordinal);
  EXPECT_EQ(persistence.durable_index(), Index(5));
  persistence.complete(overwriting->ordinal);
  EXPECT_EQ(persistence.durable_index(), Index(6));
}

TEST(Persistence, TruncationLowersWhatIsDurable) {
  Persistence persistence = opened();
  persistence.truncate(Index(4));
  EXPECT_EQ(persistence.durable_index(), Index(3));
}

TEST(PersistenceDeathTest, CompletionsOfNothingAreBugs) {
  Persistence persistence = opened();
  EXPECT_DEATH(persistence.complete(Ordinal{4, 1}), "never asked for");
  EXPECT_DEATH(Persistence(Opening{2, 1}, Ordinal{3, 17}, HardState(), Index(5)), "epoch");
}

}  // namespace
}  // namespace raft
