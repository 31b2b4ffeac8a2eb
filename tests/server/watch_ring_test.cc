#include "server/watch_ring.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace server {
namespace {

using kv::Revision;

kv::Change change(std::uint64_t revision, std::string key, std::size_t value_bytes = 10) {
  kv::Change made;
  made.event.item.key = std::move(key);
  made.event.item.value = std::string(value_bytes, 'v');
  made.event.item.modify_revision = Revision(revision);
  return made;
}
kv::Changes changes(std::uint64_t after, std::vector<kv::Change> list) {
  kv::Changes made{.after = Revision(after), .through = Revision(after)};
  for (kv::Change& each : list) made.through = each.event.item.modify_revision;
  made.changes = std::move(list);
  return made;
}
std::vector<std::uint64_t> seen(const WatchRing& ring, const WatchRing::GroupPtr& group,
                                std::uint64_t after) {
  std::vector<std::uint64_t> revisions;
  ring.visit(*group, Revision(after), [&](const kv::Change& each) {
    revisions.push_back(each.event.item.modify_revision.value);
    return true;
  });
  return revisions;
}

TEST(WatchRing, EachGroupHasItsOwn) {
  WatchRing ring;
  ring.restart(Revision(4));
  const auto all = ring.group({"a", "z"});
  const auto one = ring.group({"b", ""});
  ring.add(changes(4, {change(5, "a"), change(5, "b"), change(6, "c"), change(7, "b")}));
  EXPECT_EQ(seen(ring, all, 4), (std::vector<std::uint64_t>{5, 5, 6, 7}));
  EXPECT_EQ(seen(ring, one, 4), (std::vector<std::uint64_t>{5, 7}));
  EXPECT_EQ(seen(ring, one, 5), (std::vector<std::uint64_t>{7}));
  EXPECT_EQ(seen(ring, ring.group({"c", "d"}), 4), (std::vector<std::uint64_t>{6}))
      << "one that comes later sees what is held";
  EXPECT_EQ(ring.group({"b", ""}), one) << "one for equal ranges";
}

TEST(WatchRing, WhatIsTooMuchGoesByWholeRevisions) {
  WatchRing ring(1000);
  const auto all = ring.group({"a", "z"});
  ring.add(changes(0, {change(1, "a", 300), change(2, "a", 300), change(2, "b", 300)}));
  EXPECT_EQ(ring.after(), Revision(1)) << "of revision 2 nothing may be missing";
  ring.add(changes(2, {change(3, "a", 5000)}));
  EXPECT_EQ(ring.after(), Revision(2));
  EXPECT_EQ(seen(ring, all, 2), (std::vector<std::uint64_t>{3})) << "one is held whatever it takes";
}

TEST(WatchRing, AGapIsABug) {
  WatchRing ring;
  ring.add(changes(0, {change(1, "a")}));
  EXPECT_DEATH(ring.add(changes(2, {change(3, "a")})), "without a gap");
  WatchRing small(10);
  const auto all = small.group({"a", "z"});
  small.add(changes(0, {change(1, "a"), change(2, "a")}));
  EXPECT_DEATH(seen(small, all, 0), "let go");
}

TEST(WatchRing, DoesAsAFilterOverAll) {
  base::Random random(5);
  WatchRing ring(3000);
  std::vector<kv::Change> all;
  std::vector<WatchRing::GroupPtr> groups;
  std::uint64_t revision = 0;
  const auto key = [&] { return std::string(1, static_cast<char>('a' + random.below(6))); };
  for (int round = 0; round < 3000; ++round) {
    std::vector<kv::Change> list;
    const std::uint64_t after = revision;
    for (auto n = random.below(4); n > 0; --n) {
      ++revision;
      for (auto parts = random.between(1, 2); parts > 0; --parts)
        list.push_back(change(revision, key(), random.below(200)));
    }
    all.insert(all.end(), list.begin(), list.end());
    ring.add(changes(after, std::move(list)));
    if (random.chance(3)) groups.push_back(ring.group({key(), random.chance(2) ? key() : ""}));
    if (groups.size() > 10) groups.erase(groups.begin() + static_cast<int>(random.below(10)));
    for (const auto& group : groups) {
      const std::uint64_t from = random.between(ring.after().value, revision);
      std::vector<std::uint64_t> expected;
      for (const kv::Change& each : all) {
        const kv::KeyValue& item = each.event.item;
        if (item.modify_revision.value > from && kv::contains(group->range, item.key))
          expected.push_back(item.modify_revision.value);
      }
      ASSERT_EQ(seen(ring, group, from), expected);
    }
    if (random.chance(500)) ring.restart(Revision(revision));
  }
}

}  // namespace
}  // namespace server
