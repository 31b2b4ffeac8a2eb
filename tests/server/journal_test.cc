// What a member remembers of the last hour.
#include "server/journal.h"

#include <gtest/gtest.h>

namespace server {
namespace {

JournalEvent event(std::uint64_t wall_ms, const std::string& what) {
  return {wall_ms, what, 1, "", ""};
}

TEST(Journal, ForgetsWhatIsOlderThanAnHour) {
  Journal journal;
  journal.add(event(1000, "stepped-down"));
  journal.add(event(2000, "became-leader"));
  journal.add(event(1000 + Journal::kKeptMs + 1, "verdict"));
  ASSERT_EQ(journal.read().size(), 2u);
  EXPECT_EQ(journal.read().front().what, "became-leader");
}

TEST(Journal, VerdictsByTheHundredDoNotHideWhoLed) {
  Journal journal;
  journal.add(event(1, "became-leader"));
  for (std::size_t i = 0; i < 3 * Journal::kMost; ++i)
    journal.add(event(2 + i, i % 2 == 0 ? "verdict" : "verdict-ended"));
  journal.add(event(9000, "stepped-down"));
  const auto events = journal.read();
  EXPECT_EQ(events.size(), Journal::kMost);
  EXPECT_EQ(events.front().what, "became-leader");
  EXPECT_EQ(events.back().what, "stepped-down");
}

TEST(Journal, OthersMakeRoomWhereThereIsNoVerdict) {
  Journal journal;
  for (std::size_t i = 0; i <= Journal::kMost; ++i) journal.add(event(i, "stepped-down"));
  EXPECT_EQ(journal.read().size(), Journal::kMost);
  EXPECT_EQ(journal.read().front().wall_ms, 1u);
}

}  // namespace
}  // namespace server
