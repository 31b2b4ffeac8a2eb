// Configurations: who decides, how they follow one another, and their bytes.
#include "raft/configuration.h"

#include <gtest/gtest.h>

#include <set>

namespace raft {
namespace {

Member member(std::uint64_t id, std::uint64_t incarnation) {
  return {MemberId(id),
          Incarnation(incarnation),
          "n" + std::to_string(id),
          "127.0.0.1:" + std::to_string(7000 + id),
          "",
          false};
}
std::vector<Member> members(std::initializer_list<std::uint64_t> ids) {
  std::vector<Member> found;
  for (const std::uint64_t id : ids) found.push_back(member(id, 100 + id));
  return found;
}
std::function<bool(const Member&)> only(std::set<std::uint64_t> ids) {
  return [ids](const Member& each) { return ids.contains(each.id.value); };
}

TEST(Configuration, AMajorityOfTheVotersDecides) {
  const Configuration three{members({1, 2, 3}), {}, members({4, 5})};
  EXPECT_TRUE(three.decides(only({1, 3})));
  EXPECT_FALSE(three.decides(only({1, 4, 5}))) << "learners count for nothing";
  const Configuration four{members({1, 2, 3, 4}), {}, {}};
  EXPECT_FALSE(four.decides(only({1, 2})));
  EXPECT_TRUE(four.decides(only({1, 2, 3})));
  EXPECT_FALSE(Configuration().decides(only({}))) << "nobody decides nothing";
}

TEST(Configuration, AJointOneNeedsAMajorityOfEachSet) {
  const Configuration joint{members({3, 4, 5}), members({1, 2, 3}), {}};
  EXPECT_FALSE(joint.decides(only({1, 2}))) << "the old ones alone";
  EXPECT_FALSE(joint.decides(only({4, 5}))) << "the new ones alone";
  EXPECT_FALSE(joint.decides(only({1, 4, 5}))) << "three of five, and one of the old";
  EXPECT_TRUE(joint.decides(only({3, 4, 1})));
}

TEST(Configuration, WhatIsDecidedIsTheLowerOfBothSets) {
  const Configuration joint{members({3, 4, 5}), members({1, 2, 3}), {}};
  const std::uint64_t at[] = {0, 10, 20, 30, 5, 7};
  const auto match = [&](const Member& each) { return Index(at[each.id.value]); };
  EXPECT_EQ(joint.decided(match), Index(7)) << "20 with the old, 7 with the new";
  EXPECT_EQ((Configuration{members({1, 2, 3}), {}, {}}).decided(match), Index(20));
  EXPECT_EQ(Configuration().decided(match), Index());
}

TEST(Configuration, OtherVotersTakeAJointStepAndLearnersDoNot) {
  const Configuration from{members({1, 2, 3}), {}, {}};
  Configuration to = from;
  to.learners = members({4});
  EXPECT_EQ(step_towards(from, to), to);
  Configuration grown{members({1, 2, 3, 4}), {}, {}};
  EXPECT_EQ(step_towards(from, grown).outgoing, from.voters);
  EXPECT_EQ(step_towards(from, grown).voters, grown.voters);
  Configuration replaced = from;
  replaced.voters[1].incarnation = Incarnation(999);
  EXPECT_TRUE(step_towards(from, replaced).joint()) << "another data directory is another voter";
  Configuration moved = from;
  moved.voters[1].peer_address = "elsewhere:1";
  EXPECT_EQ(step_towards(from, moved), moved);
}

TEST(Configuration, WhatCannotFollowIsNamed) {
  const Configuration good{members({1, 2, 3}), {}, members({4})};
  EXPECT_EQ(check_next(good), "");
  const auto wrong = [&](void (*change)(Configuration&)) {
    Configuration bad = good;
    change(bad);
    return check_next(bad) != "";
  };
  EXPECT_TRUE(wrong([](Configuration& c) { c.voters.clear(); }));
  EXPECT_TRUE(wrong([](Configuration& c) { c.outgoing = c.voters; }));
  EXPECT_TRUE(wrong([](Configuration& c) { c.voters[0].incarnation = Incarnation(); }));
  EXPECT_TRUE(wrong([](Configuration& c) { std::swap(c.voters[0], c.voters[1]); }));
  EXPECT_TRUE(wrong([](Configuration& c) { c.voters[1] = c.voters[0]; }));
  EXPECT_TRUE(wrong([](Configuration& c) { c.learners = c.voters; }));
  EXPECT_TRUE(wrong([](Configuration& c) { c.learners[0].name.assign(1025, 'x'); }));
  EXPECT_TRUE(wrong([](Configuration& c) { c.learners[0].id = MemberId(); }));
  EXPECT_FALSE(wrong([](Configuration& c) { c.learners[0].incarnation = Incarnation(); }));
}

TEST(Configuration, EncodesAndDecodes) {
  Configuration configuration{members({1, 2, ~0ull}), members({1, 3}), members({7})};
  configuration.voters[1].incarnation = Incarnation();
  configuration.learners[0].promote = true;
  configuration.learners[0].replaced = Incarnation(77);
  configuration.learners[0].client_address = std::string(1024, 'a');
  EXPECT_EQ(decode_configuration(encode(configuration)), configuration);
  EXPECT_EQ(decode_configuration(encode(Configuration())), Configuration());
  EXPECT_TRUE(configuration.unbound());
  ASSERT_NE(configuration.find(MemberId(7)), nullptr);
  EXPECT_EQ(configuration.find_voter(MemberId(7)), nullptr);
  EXPECT_EQ(configuration.find(MemberId(9)), nullptr);
  EXPECT_EQ(configuration.ids().size(), 5u);
}

TEST(Configuration, ReadsWhatTheFirstVersionWrote) {
  const std::string bytes = std::string("\x01\x02\0\0\0", 5) +
                            std::string("\x01\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0", 16) +
                            std::string("\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
  const auto read = decode_configuration(bytes);
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->voters.size(), 2u);
  EXPECT_EQ(read->voters[0].incarnation, Incarnation(10));
  EXPECT_TRUE(read->unbound());
  EXPECT_FALSE(decode_configuration(bytes + "x"));
}

TEST(Configuration, RefusesEverythingElse) {
  const std::string good = encode(Configuration{members({1, 2}), members({3}), members({4})});
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(decode_configuration(good.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_configuration(good + "x"));
  std::string version = good;
  version[0] = 3;
  EXPECT_FALSE(decode_configuration(version));
  std::string count = good;
  count[4] = '\x7f';
  EXPECT_FALSE(decode_configuration(count));
  EXPECT_FALSE(decode_configuration(encode(Configuration{members({2, 1}), {}, {}})));
  EXPECT_FALSE(decode_configuration(encode(Configuration{{member(0, 1)}, {}, {}})));
  EXPECT_FALSE(decode_configuration(encode(Configuration{members({1, 2}), {}, members({2})})));
}

}  // namespace
}  // namespace raft
