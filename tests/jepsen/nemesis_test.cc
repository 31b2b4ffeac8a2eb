// Plans: the same for the same seed, with everything that was asked for in them.
#include "jepsen/nemesis.h"

#include <gtest/gtest.h>

#include <set>

#include "jepsen/suite.h"
#include "jepsen/workload.h"

namespace jepsen {
namespace {

std::string text_of(const std::vector<Strike>& plan) {
  std::string text;
  for (const Strike& strike : plan)
    text += strike.fault + " " + name_of(strike.target) + " " + std::to_string(strike.calm_ms) +
            " " + std::to_string(strike.for_ms) + "\n";
  return text;
}

TEST(Plans, AreTheSameForTheSameSeed) {
  const auto plan = [](std::uint64_t seed) {
    return text_of(make_plan("kill+isolate+hang-disk", "mixed", 60'000, seed));
  };
  EXPECT_EQ(plan(7), plan(7));
  EXPECT_NE(plan(7), plan(8));
}

TEST(Plans, HoldEachFaultAndHitTheLeaderInHalfOfAll) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    const auto plan = make_plan("kill+isolate+hang-disk", "mixed", 60'000, seed);
    std::set<std::string> faults;
    std::size_t leader = 0;
    std::uint64_t sum_ms = 0;
    for (const Strike& strike : plan) {
      faults.insert(strike.fault);
      leader += strike.target == Target::kLeader ? 1 : 0;
      sum_ms += strike.calm_ms + strike.for_ms;
    }
    EXPECT_EQ(faults.size(), 3u);
    EXPECT_GE(leader * 2, plan.size());
    EXPECT_LE(sum_ms, 60'000u);
    EXPECT_GT(sum_ms, 45'000u);
  }
}

TEST(Plans, HoldEachFaultHoweverShortTheTime) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::set<std::string> faults;
    for (const Strike& strike : make_plan("isolate+ring+bridge+one-way-out", "mixed", 1000, seed))
      faults.insert(strike.fault);
    EXPECT_EQ(faults.size(), 4u);
  }
}

TEST(Plans, HitWhomTheyAreToldTo) {
  for (const Strike& strike : make_plan("kill", "follower", 60'000, 1))
    EXPECT_EQ(strike.target, Target::kFollower);
  // Some make sense with some targets only.
  for (const Strike& strike : make_plan("bit-flip", "leader", 60'000, 1))
    EXPECT_EQ(strike.target, Target::kFollower);
  for (const Strike& strike : make_plan("kill-all", "mixed", 60'000, 1))
    EXPECT_EQ(strike.target, Target::kAll);
  EXPECT_TRUE(make_plan("none", "mixed", 60'000, 1).empty());
}

TEST(Suites, HoldWhatThereIs) {
  Values values;
  std::set<std::string> workloads;
  for (const char* const suite : {"ci", "nightly"}) {
    std::set<std::string> names;
    for (const Cell& cell : cells_of(suite)) {
      EXPECT_TRUE(names.insert(cell.name()).second) << cell.name() << " is there twice";
      EXPECT_NE(make_workload(cell.workload, values, {}), nullptr) << cell.name();
      workloads.insert(cell.workload);
      for (const Strike& strike : make_plan(cell.nemesis, cell.target, cell.duration_ms, 1))
        EXPECT_NE(make_fault(strike.fault), nullptr) << cell.name();
    }
  }
  EXPECT_GE(cells_of("ci").size(), 16u);
  EXPECT_EQ(cells_of("nightly").size(), 96u);
  for (const WorkloadText& text : workload_texts())
    EXPECT_TRUE(workloads.contains(text.name)) << text.name << " is in no suite";
  std::set<std::string> faults;
  for (const Cell& cell : cells_of("nightly"))
    for (const Strike& strike : make_plan(cell.nemesis, cell.target, 1'000'000, 1))
      faults.insert(strike.fault);
  for (const FaultText& text : fault_texts())
    EXPECT_TRUE(faults.contains(text.name)) << text.name << " is in no suite";
}

}  // namespace
}  // namespace jepsen
