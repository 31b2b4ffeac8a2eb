// That failures are made smaller, and that a campaign goes on where it was.
#include "tests/sim/shrink.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/sim/journal.h"
#include "tests/sim/simulation.h"
#include "tests/sim/totals.h"

namespace sim {
namespace {

std::vector<PlannedFault> ten() {
  std::vector<PlannedFault> planned;
  for (std::uint64_t i = 1; i <= 10; ++i) planned.push_back({i, i * kSecond, Fault::kReset, i});
  return planned;
}

std::set<std::uint64_t> numbers(const Shrunk& shrunk) {
  std::set<std::uint64_t> all;
  for (const PlannedFault& fault : shrunk.faults) all.insert(fault.number);
  return all;
}

TEST(Shrink, FindsTheTwoThatMatterTogether) {
  std::uint64_t runs = 0;
  const Shrunk shrunk = shrink(
      ten(),
      [&](const auto& only) {
        ++runs;
        return only.contains(3) && only.contains(8);
      },
      1000);
  EXPECT_EQ(numbers(shrunk), (std::set<std::uint64_t>{3, 8}));
  EXPECT_TRUE(shrunk.minimal);
  EXPECT_EQ(shrunk.runs, runs);
}

TEST(Shrink, WhatFailsWithoutAnyFaultNeedsNone) {
  const Shrunk shrunk = shrink(
      ten(), [](const auto&) { return true; }, 1000);
  EXPECT_TRUE(shrunk.faults.empty());
  EXPECT_TRUE(shrunk.minimal);
}

TEST(Shrink, StopsAtItsLimitAndSaysSo) {
  const Shrunk shrunk = shrink(
      ten(), [](const auto& only) { return only.contains(3) && only.contains(8); }, 4);
  EXPECT_EQ(shrunk.runs, 4u);
  EXPECT_FALSE(shrunk.minimal);
  EXPECT_TRUE(numbers(shrunk).contains(3));
  EXPECT_TRUE(numbers(shrunk).contains(8));
}

/// Of a real run: a loss that is passed over. One fault is enough for it, and those that are left
/// out change nothing about it.
TEST(Shrink, ARealFailureComesDownToOneFault) {
  Options options;
  options.set(Fault::kLoseData);
  options.set(Fault::kReset);
  options.set(Fault::kDelay);
  options.mistakes.ignore_quarantine = true;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto fails = [&](const std::set<std::uint64_t>& only) {
      Options fewer = options;
      fewer.only_faults = only;
      Simulation run(seed, fewer);
      run.run();
      return run.journal().violation().has_value();
    };
    const auto planned = Simulation(seed, options).planned();
    std::set<std::uint64_t> every;
    for (const PlannedFault& fault : planned) every.insert(fault.number);
    if (planned.size() < 5 || !fails(every)) continue;
    const Shrunk shrunk = shrink(planned, fails, 200);
    ASSERT_EQ(shrunk.faults.size(), 1u);
    EXPECT_EQ(shrunk.faults[0].fault, Fault::kLoseData);
    EXPECT_TRUE(fails(numbers(shrunk)));
    return;
  }
  FAIL() << "no seed fails: the test shows nothing";
}

TEST(Schedule, FaultsThatAreLeftOutDoNotChangeTheOthers) {
  Options options;
  options.set(Fault::kReset);
  options.set(Fault::kPause);
  const auto all = plan_faults(options, 7);
  ASSERT_GT(all.size(), 4u);
  options.only_faults = {all[1].number, all[4].number};
  const auto some = plan_faults(options, 7);
  ASSERT_EQ(some.size(), 2u);
  for (const auto& [one, other] : {std::pair(some[0], all[1]), std::pair(some[1], all[4])}) {
    EXPECT_EQ(one.after, other.after);
    EXPECT_EQ(one.fault, other.fault);
    EXPECT_EQ(one.seed, other.seed);
  }
}

class TotalsFile : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() /
            ("holdfast-sim-totals-" + std::to_string(getpid()));
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::filesystem::path path_;
};

TEST_F(TotalsFile, ComesBackAsItWas) {
  EventQueue queue;
  Journal good(queue);
  good.count("a thing with words", 3);
  Journal bad(queue);
  bad.count("a thing with words", 1);
  bad.violation("broken");
  Totals totals;
  totals.floor = 5;
  totals.add(5, good, 10, 20);
  totals.add(7, bad, 30, 40);
  EXPECT_EQ(totals.floor, 6u);
  ASSERT_TRUE(save(totals, "these seeds", path_).is_ok());
  const auto found = load("these seeds", path_);
  ASSERT_TRUE(found.is_ok());
  const Totals& again = *found.value();
  EXPECT_EQ(again.floor, 6u);
  EXPECT_TRUE(again.done(5));
  EXPECT_FALSE(again.done(6));
  EXPECT_TRUE(again.done(7));
  EXPECT_EQ(again.failed, (std::set<std::uint64_t>{7}));
  EXPECT_EQ(again.counts.at("a thing with words"), 4u);
  EXPECT_EQ(again.seeds_with.at("a thing with words"), 2u);
  EXPECT_EQ(again.simulated_us, 40u);
  EXPECT_EQ(again.cpu_us, 60u);
}

TEST_F(TotalsFile, OfOtherSeedsOrCutShortIsRefused) {
  EXPECT_FALSE(load("these seeds", path_).value().has_value()) << "no file: a new campaign";
  ASSERT_TRUE(save(Totals(), "these seeds", path_).is_ok());
  EXPECT_EQ(load("other seeds", path_).status().code(), base::Code::kInvalidArgument);
  std::ofstream(path_, std::ios::trunc) << "these seeds\nfloor 3\n";
  EXPECT_EQ(load("these seeds", path_).status().code(), base::Code::kInvalidArgument);
  std::ofstream(path_, std::ios::trunc) << "these seeds\nroof 3\nend\n";
  EXPECT_EQ(load("these seeds", path_).status().code(), base::Code::kInvalidArgument);
}

}  // namespace
}  // namespace sim
