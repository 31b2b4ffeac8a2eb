// Registers and others without revisions: the order of values, the search, and both against trying
// every order.
#include <gtest/gtest.h>

#include <algorithm>

#include "jepsen/check/registers.h"
#include "jepsen/check/search.h"
#include "jepsen/check/store_model.h"
#include "tests/jepsen/histories.h"

namespace jepsen {
namespace {

/// Every order, one call after the other; only for a dozen calls.
bool try_every_order(const std::vector<Call>& calls, Model& model, std::uint32_t state,
                     std::vector<bool>& done) {
  std::uint32_t first_end = UINT32_MAX;
  bool left = false;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (done[i]) continue;
    first_end = std::min(first_end, calls[i].returned);
    left = left || calls[i].returned != UINT32_MAX;
  }
  if (!left) return true;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (done[i] || calls[i].invoked > first_end) continue;
    const auto after = model.step(state, i);
    if (!after) continue;
    done[i] = true;
    const bool found = try_every_order(calls, model, *after, done);
    done[i] = false;
    if (found) return true;
  }
  return false;
}

bool explained(const History& history) {
  for (const auto& part : independent_parts(history)) {
    StoreModel model(history, part, kAbsent);
    const auto calls = model.calls();
    std::vector<bool> done(calls.size());
    if (!try_every_order(calls, model, model.initial(), done)) return false;
  }
  return true;
}

Finding finding_of(const std::string& edn, std::int64_t initial = kAbsent) {
  const History history = history_of(edn);
  CheckOptions options;
  options.initial = initial;
  return check_linearizable(history, options);
}

TEST(Linearizable, WhatTheOrderOfValuesSaysIsWhatEveryOrderSays) {
  base::Random random(7);
  int good = 0, bad = 0;
  for (int i = 0; i < 20'000; ++i) {
    RandomOptions options;
    options.operations = 4 + random.below(7);
    options.processes = 2 + static_cast<std::uint32_t>(random.below(4));
    options.unknown_percent = random.chance(2) ? 20 : 0;
    options.cas_percent = random.chance(2) ? 50 : 0;
    options.lies = random.chance(2) ? 2 : 0;
    const History history = random_history(random, options);
    const bool expected = explained(history);
    for (const auto& part : independent_parts(history)) {
      const auto finding = check_registers(history, part, kAbsent);
      ASSERT_TRUE(finding.has_value());
      ASSERT_EQ(finding->verdict == Verdict::kValid, expected) << i << ": " << finding->why;
    }
    ++(expected ? good : bad);
    if (options.lies == 0) {
      ASSERT_TRUE(expected) << i;
    }
  }
  EXPECT_GT(good, 2000);
  EXPECT_GT(bad, 800);
}

TEST(Linearizable, WhatTheSearchSaysIsWhatEveryOrderSays) {
  base::Random random(8);
  int good = 0, bad = 0;
  for (int i = 0; i < 20'000; ++i) {
    RandomOptions options;
    options.operations = 4 + random.below(7);
    options.processes = 2 + static_cast<std::uint32_t>(random.below(4));
    options.values = 3;
    options.unknown_percent = random.chance(2) ? 30 : 0;
    options.cas_percent = 40;
    options.lies = random.chance(2) ? 2 : 0;
    const History history = random_history(random, options);
    const bool expected = explained(history);
    bool found = true;
    for (const auto& part : independent_parts(history)) {
      StoreModel model(history, part, kAbsent);
      const auto result = search(model.calls(), model);
      ASSERT_NE(result.answer, SearchResult::Answer::kUndecided);
      found = found && result.answer == SearchResult::Answer::kYes;
    }
    ASSERT_EQ(found, expected) << i;
    ++(expected ? good : bad);
  }
  EXPECT_GT(good, 2000);
  EXPECT_GT(bad, 500);
}

TEST(Linearizable, AStaleReadIsToldInFewOperations) {
  const Finding finding = finding_of(R"(
    {:process 0, :type :invoke, :f :write, :value [1 5]}
    {:process 0, :type :ok, :f :write, :value [1 5]}
    {:process 0, :type :invoke, :f :write, :value [1 6]}
    {:process 0, :type :ok, :f :write, :value [1 6]}
    {:process 1, :type :invoke, :f :read, :value [1 nil]}
    {:process 1, :type :ok, :f :read, :value [1 5]})");
  EXPECT_EQ(finding.verdict, Verdict::kInvalid);
  EXPECT_EQ(finding.why, "neither of the values 6 and 5 can have been there first");
  EXPECT_EQ(finding.witness, (std::vector<std::uint32_t>{0, 1, 2}));
}

TEST(Linearizable, AnUnknownWriteMayHaveHappenedLate) {
  const char* const kHistory = R"(
    {:process 0, :type :invoke, :f :write, :value 5}
    {:process 0, :type :info, :f :write, :value 5}
    {:process 1, :type :invoke, :f :read, :value nil}
    {:process 1, :type :ok, :f :read, :value -1}
    {:process 1, :type :invoke, :f :read, :value nil}
    {:process 1, :type :ok, :f :read, :value 5})";
  EXPECT_EQ(finding_of(kHistory).verdict, Verdict::kValid);
}

TEST(Linearizable, TwoHoldOneMutex) {
  const char* const kBegin = R"(
    {:process 0, :type :invoke, :f :acquire}
    {:process 0, :type :ok, :f :acquire}
    {:process 1, :type :invoke, :f :acquire})";
  EXPECT_EQ(finding_of(kBegin).verdict, Verdict::kValid);
  const Finding finding = finding_of(std::string(kBegin) + "{:process 1, :type :ok, :f :acquire}");
  EXPECT_EQ(finding.verdict, Verdict::kInvalid);
  EXPECT_EQ(finding.witness.size(), 2u);
}

TEST(Linearizable, ATransactionReadsSeveralKeysAtOnce) {
  const char* const kHistory = R"(
    {:process 0, :type :invoke, :f :txn, :value [[:w :x 1] [:w :y 1]]}
    {:process 1, :type :invoke, :f :txn, :value [[:r :x nil] [:r :y nil]]}
    {:process 0, :type :ok, :f :txn, :value [[:w :x 1] [:w :y 1]]}
    {:process 1, :type :ok, :f :txn, :value [[:r :x 1] [:r :y %]]})";
  std::string torn = kHistory, whole = kHistory;
  torn.replace(torn.find('%'), 1, "-1");
  whole.replace(whole.find('%'), 1, "1");
  EXPECT_EQ(finding_of(torn).verdict, Verdict::kInvalid);
  EXPECT_EQ(finding_of(whole).verdict, Verdict::kValid);
}

TEST(Linearizable, WhatTheSearchBlamesIsShort) {
  base::Random random(9);
  for (int i = 0; i < 20; ++i) {
    RandomOptions options;
    options.operations = 300;
    options.processes = 4;
    options.values = 6;
    options.lies = 1;
    const History history = random_history(random, options);
    const Finding finding = check_linearizable(history, {});
    if (finding.verdict == Verdict::kValid) continue;
    ASSERT_EQ(finding.verdict, Verdict::kInvalid);
    EXPECT_LE(finding.witness.size(), 12u);
    EXPECT_FALSE(finding.why.empty());
  }
}

TEST(Linearizable, ABoundThatIsMetIsNoPass) {
  base::Random random(10);
  RandomOptions options;
  options.operations = 400;
  options.processes = 12;
  options.values = 3;
  options.unknown_percent = 30;
  const History history = random_history(random, options);
  CheckOptions bounds;
  bounds.states_max = 3;
  EXPECT_EQ(check_linearizable(history, bounds).verdict, Verdict::kUnknown);
  bounds.states_max = 1'000'000;
  EXPECT_EQ(check_linearizable(history, bounds).verdict, Verdict::kValid);
}

TEST(Linearizable, NothingIsNoPass) {
  History history = history_of("{:process :nemesis, :type :info, :f :start}");
  EXPECT_EQ(check(history).verdict, Verdict::kEmpty);
}

}  // namespace
}  // namespace jepsen
