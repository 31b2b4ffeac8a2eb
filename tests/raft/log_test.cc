#include "raft/log.h"

#include <gtest/gtest.h>

namespace raft {
namespace {

EntryPtr entry(std::uint64_t index, std::uint64_t term, const std::string& payload = "0123456789") {
  auto made = std::make_shared<Entry>();
  made->index = Index(index);
  made->term = Term(term);
  made->time = HybridTime(index * 10);
  made->hash = ChainHash{index * 1000 + term};
  made->payload = payload;
  return made;
}

Log filled() {
  Log log(Index(1), Term(), ChainHash(), {}, {}, HybridTime());
  for (std::uint64_t i = 1; i <= 4; ++i) log.append(entry(i, 1));
  for (std::uint64_t i = 5; i <= 8; ++i) log.append(entry(i, 3));
  return log;
}

TEST(Log, KnowsTermsHashesAndTheEntryBeforeTheFirst) {
  Log log = filled();
  EXPECT_EQ(log.last(), Index(8));
  EXPECT_EQ(log.term_at(Index(0)), Term(0));
  EXPECT_EQ(log.term_at(Index(4)), Term(1));
  EXPECT_EQ(log.last_term(), Term(3));
  EXPECT_EQ(log.first_of_term_at(Index(7)), Index(5));
  EXPECT_EQ(log.first_of_term_at(Index(3)), Index(1));
  EXPECT_FALSE(log.knows(Index(9)));
  EXPECT_EQ(log.last_time(), HybridTime(80));
}

TEST(Log, TruncatesFromTheEnd) {
  Log log = filled();
  log.truncate(Index(5));
  EXPECT_EQ(log.last(), Index(4));
  EXPECT_EQ(log.last_time(), HybridTime(40));
  log.append(entry(5, 4));
  EXPECT_EQ(log.last_term(), Term(4));
}

TEST(Log, CutsFromTheBeginningAndRemembersWhatWasThere) {
  Log log = filled();
  log.cut(Index(6));
  EXPECT_EQ(log.first(), Index(7));
  EXPECT_TRUE(log.knows(Index(6)));
  EXPECT_FALSE(log.knows(Index(5)));
  EXPECT_EQ(log.term_at(Index(6)), Term(3));
  EXPECT_EQ(log.hash_at(Index(6)).value, 6003u);
  EXPECT_EQ(log.cached_from(), Index(7));
  EXPECT_EQ(log.first_of_term_at(Index(8)), Index(6));
  log.cut(Index(3));
  EXPECT_EQ(log.first(), Index(7));
  log.cut(Index(8));
  EXPECT_EQ(log.last(), Index(8));
  EXPECT_EQ(log.last_time(), HybridTime(80));
  log.append(entry(9, 3));
  EXPECT_EQ(log.last(), Index(9));
}

TEST(Log, EvictsPayloadsButKeepsWhatMustBe) {
  Log log = filled();
  log.evict(Index(4), 0);
  EXPECT_EQ(log.cached_from(), Index(4));
  EXPECT_EQ(log.first(), Index(1));
  EXPECT_EQ(log.hash_at(Index(2)).value, 2001u);
  log.evict(Index(9), 2 * 58);
  EXPECT_EQ(log.cached_from(), Index(7));
  log.evict(Index(9), 0);
  EXPECT_EQ(log.last_time(), HybridTime(80));
}

TEST(Log, SlicesByBytesAndAtLeastOne) {
  Log log = filled();
  EXPECT_EQ(log.slice(Index(3), 1).size(), 1u);
  EXPECT_EQ(log.slice(Index(3), 59).size(), 2u);
  EXPECT_EQ(log.slice(Index(3), 1000).size(), 6u);
}

TEST(LogDeathTest, HolesAreBugs) {
  Log log = filled();
  EXPECT_DEATH(log.append(entry(10, 3)), "contiguous");
  EXPECT_DEATH(log.term_at(Index(9)), "outside the log");
}

}  // namespace
}  // namespace raft
