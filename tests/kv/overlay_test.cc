// Reads over pending writes: against a plain map that takes every write at once.
#include "kv/overlay.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/kv/map_engine.h"

namespace kv {
namespace {

using base::Random;
using Map = std::map<std::string, std::string>;

class OverlayTest : public testing::Test {
 protected:
  Map scan(const std::string& begin, const std::string& end, std::size_t most = 1000) {
    Map seen;
    std::string last;
    EXPECT_TRUE(overlay_
                    .scan(Space::kLatest, begin, end,
                          [&](std::string_view key, std::string_view value) {
                            EXPECT_TRUE(seen.empty() || key > last) << "not in order";
                            last = key;
                            seen.emplace(key, value);
                            return seen.size() < most;
                          })
                    .is_ok());
    return seen;
  }
  void seed(const Map& rows) {
    for (const auto& [key, value] : rows) overlay_.put(Space::kLatest, key, value);
    ASSERT_TRUE(overlay_.commit().is_ok());
  }

  std::shared_ptr<MapDisk> disk_ = std::make_shared<MapDisk>();
  MapEngine engine_{disk_};
  Overlay overlay_{engine_};
};

TEST_F(OverlayTest, PendingWritesHideCommittedRows) {
  seed({{"a", "1"}, {"b", "1"}, {"c", "1"}});
  overlay_.put(Space::kLatest, "b", "2");
  overlay_.remove(Space::kLatest, "c");
  overlay_.put(Space::kLatest, "d", "2");
  EXPECT_EQ(overlay_.get(Space::kLatest, "a").value(), "1");
  EXPECT_EQ(overlay_.get(Space::kLatest, "b").value(), "2");
  EXPECT_EQ(overlay_.get(Space::kLatest, "c").value(), std::nullopt);
  EXPECT_EQ(scan("", ""), (Map{{"a", "1"}, {"b", "2"}, {"d", "2"}}));
  EXPECT_EQ(scan("", "", 2), (Map{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(scan("b", "d"), (Map{{"b", "2"}}));
  EXPECT_EQ(scan("d", "b"), Map{});
  EXPECT_EQ(engine_.get(Space::kLatest, "b").value(), "1") << "nothing is committed yet";
}

TEST_F(OverlayTest, ScansStopWhereTheVisitorSays) {
  seed({{"b", "1"}, {"d", "1"}});
  for (const char* key : {"a", "c", "e"}) overlay_.put(Space::kLatest, key, "2");
  for (std::size_t most = 1; most <= 5; ++most) EXPECT_EQ(scan("", "", most).size(), most);
}

TEST_F(OverlayTest, FailuresOfTheEngineComeThrough) {
  overlay_.put(Space::kLatest, "a", "1");
  engine_.fail_reads = true;
  EXPECT_EQ(overlay_.get(Space::kLatest, "b").status().code(), base::Code::kIo);
  int seen = 0;
  EXPECT_EQ(overlay_.scan(Space::kLatest, "", "", [&](auto, auto) { return ++seen > 0; }).code(),
            base::Code::kIo);
  engine_.fail_commits = true;
  EXPECT_EQ(overlay_.commit().code(), base::Code::kDiskFull);
}

TEST_F(OverlayTest, CommitsEverySpaceAtOnce) {
  overlay_.put(Space::kLatest, "a", "1");
  overlay_.put(Space::kHistory, "h", "2");
  overlay_.put(Space::kSessions, "s", "3");
  overlay_.put(Space::kMeta, "m", "4");
  EXPECT_EQ(overlay_.size_bytes(), 8u);
  ASSERT_TRUE(overlay_.commit().is_ok());
  EXPECT_EQ(engine_.commits, 1);
  EXPECT_EQ(overlay_.size_bytes(), 0u);
  const Rows rows = disk_->rows();
  EXPECT_EQ(rows, (Rows{Map{{"a", "1"}}, Map{{"h", "2"}}, Map{{"s", "3"}}, Map{}, Map{},
                        Map{{"m", "4"}}}));
}

TEST_F(OverlayTest, AgreesWithAMapThroughRollbacksAndCommits) {
  Random random(1);
  Map truth;
  std::vector<std::pair<std::size_t, Map>> marks;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key(1 + random.below(2), static_cast<char>('a' + random.below(5)));
    switch (random.below(8)) {
      case 0:
        overlay_.remove(Space::kLatest, key);
        truth.erase(key);
        break;
      case 1:
        marks.emplace_back(overlay_.mark(), truth);
        break;
      case 2:
        if (marks.empty()) break;
        overlay_.rollback(marks.back().first);
        truth = marks.back().second;
        marks.pop_back();
        break;
      case 3:
        if (!random.chance(5)) break;
        ASSERT_TRUE(overlay_.commit().is_ok());
        ASSERT_EQ(disk_->rows()[0], truth);
        marks.clear();
        break;
      default:
        overlay_.put(Space::kLatest, key, std::to_string(i));
        overlay_.put(Space::kHistory, std::to_string(i), "");
        truth[key] = std::to_string(i);
    }
    const auto found = truth.find(key);
    ASSERT_EQ(overlay_.get(Space::kLatest, key).value(),
              found == truth.end() ? std::nullopt : std::optional(found->second));
    const std::string end(1, static_cast<char>('a' + random.below(6)));
    ASSERT_EQ(scan(key, end),
              key < end ? Map(truth.lower_bound(key), truth.lower_bound(end)) : Map());
  }
}

TEST(OverlayDeath, ThePositionIsNotReadHere) {
  MapEngine engine(std::make_shared<MapDisk>());
  Overlay overlay(engine);
  EXPECT_DEATH((void)overlay.get(Space::kMeta, "k"), "CHECK failed");
}

}  // namespace
}  // namespace kv
