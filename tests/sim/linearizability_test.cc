#include "tests/sim/linearizability.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/random.h"

namespace sim {
namespace {

using Kind = RegisterCall::Kind;

RegisterCall read(std::uint32_t value, Time from, Time to) {
  return {Kind::kRead, 0, value, {}, from, to, 0};
}
RegisterCall write(std::uint32_t value, Time from, Time to) {
  return {Kind::kWrite, 0, value, {}, from, to, 0};
}
RegisterCall cas(std::uint32_t expected, std::uint32_t value, Time from, Time to) {
  return {Kind::kCas, expected, value, {}, from, to, 0};
}

TEST(Linearizability, AcceptsWhatCanBeOrdered) {
  EXPECT_EQ(check_register({}), Linearizable::kYes);
  EXPECT_EQ(check_register({read(0, 1, 2), write(1, 3, 4), read(1, 5, 6)}), Linearizable::kYes);
  // Both reads overlap the write, so one may see it and the other not.
  EXPECT_EQ(check_register({write(1, 1, 10), read(0, 2, 3), read(1, 4, 5)}), Linearizable::kYes);
  EXPECT_EQ(check_register({write(1, 1, 2), cas(1, 2, 3, 9), read(2, 4, 5)}), Linearizable::kYes);
}

TEST(Linearizability, RefusesStaleAndLostValues) {
  EXPECT_EQ(check_register({write(1, 1, 2), read(0, 3, 4)}), Linearizable::kNo);
  EXPECT_EQ(check_register({write(1, 1, 10), read(1, 2, 3), read(0, 4, 5)}), Linearizable::kNo);
  EXPECT_EQ(check_register({write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)}), Linearizable::kNo);
  EXPECT_EQ(check_register({read(7, 1, 2)}), Linearizable::kNo);
  EXPECT_EQ(check_register({write(1, 1, 2), cas(2, 3, 3, 4)}), Linearizable::kNo);
}

TEST(Linearizability, FailedComparesAreObservations) {
  const RegisterCall failed{Kind::kFailedCas, 5, 1, {}, 3, 4, 0};
  EXPECT_EQ(check_register({write(1, 1, 2), failed}), Linearizable::kYes);
  const RegisterCall held{Kind::kFailedCas, 1, 1, {}, 3, 4, 0};
  EXPECT_EQ(check_register({write(1, 1, 2), held}), Linearizable::kNo);
}

TEST(Linearizability, OpenCallsMayHappenLateOrNever) {
  EXPECT_EQ(check_register({write(1, 1, kOpen), read(0, 5, 6)}), Linearizable::kYes);
  EXPECT_EQ(check_register({write(1, 1, kOpen), read(0, 5, 6), read(1, 7, 8)}), Linearizable::kYes);
  EXPECT_EQ(check_register({write(1, 1, kOpen), read(1, 5, 6), read(0, 7, 8)}), Linearizable::kNo);
  EXPECT_EQ(check_register({read(1, 1, 2), write(1, 3, kOpen)}), Linearizable::kNo);
  EXPECT_EQ(check_register({write(1, 1, 2), cas(9, 2, 3, kOpen), read(1, 4, 5)}),
            Linearizable::kYes);
}

TEST(Linearizability, SaysWhenItGivesUp) {
  std::vector<RegisterCall> calls;
  for (std::uint32_t i = 1; i <= 30; ++i) calls.push_back(write(i, 1, 100));
  calls.push_back(read(99, 101, 102));
  EXPECT_EQ(check_register(calls, 1000), Linearizable::kUndecided);
}

/// By the definition: some order that respects time and the register's meaning.
bool brute_force(const std::vector<RegisterCall>& calls) {
  std::vector<std::size_t> order(calls.size());
  std::iota(order.begin(), order.end(), 0);
  do {
    std::uint32_t state = 0;
    bool legal = true;
    for (std::size_t i = 0; i < order.size() && legal; ++i) {
      const RegisterCall& call = calls[order[i]];
      for (std::size_t j = i + 1; j < order.size(); ++j) {
        if (calls[order[j]].returned < call.invoked) legal = false;
      }
      if (call.kind == Kind::kRead && call.value != state) legal = false;
      if (call.kind == Kind::kCas && call.expected != state) legal = false;
      if (call.kind != Kind::kRead) state = call.value;
    }
    if (legal) return true;
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

TEST(Linearizability, AgreesWithEveryOrderTried) {
  base::Random random(11);
  int legal = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<RegisterCall> calls;
    for (int i = 0; i < 6; ++i) {
      const Time from = random.below(30) * 2;
      const Time to = from + 1 + random.below(15) * 2;
      const auto value = static_cast<std::uint32_t>(random.below(3));
      const std::uint64_t kind = random.below(3);
      calls.push_back(kind == 0 ? read(value, from, to)
                      : kind == 1
                          ? write(value, from, to)
                          : cas(static_cast<std::uint32_t>(random.below(3)), value, from, to));
    }
    const bool expected = brute_force(calls);
    legal += expected ? 1 : 0;
    ASSERT_EQ(check_register(calls), expected ? Linearizable::kYes : Linearizable::kNo) << round;
  }
  EXPECT_GT(legal, 300);
  EXPECT_LT(legal, 2700);
}

}  // namespace
}  // namespace sim
