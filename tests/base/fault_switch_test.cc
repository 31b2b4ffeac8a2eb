// One injected fault: what it costs while it is on, and that it ends.
#include "base/fault_switch.h"

#include <gtest/gtest.h>

#include <chrono>

namespace base {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

template <class Work>
steady_clock::duration time_of(Work work) {
  const auto start = steady_clock::now();
  work();
  return steady_clock::now() - start;
}

TEST(FaultSwitch, HoldLastsUntilItEnds) {
  FaultSwitch fault;
  fault.hold();
  EXPECT_EQ(fault.hits(), 0u);
  fault.set(0, 60);
  EXPECT_GE(time_of([&] { fault.hold(); }), milliseconds(50));
  EXPECT_EQ(fault.hits(), 1u);
  EXPECT_FALSE(fault.on());
}

TEST(FaultSwitch, DelayTakesItsStrengthOnce) {
  FaultSwitch fault;
  fault.delay();
  EXPECT_EQ(fault.hits(), 0u);
  fault.set(40, FaultSwitch::kForever);
  EXPECT_GE(time_of([&] { fault.delay(); }), milliseconds(40));
  EXPECT_EQ(fault.hits(), 1u);
  EXPECT_TRUE(fault.on());
  fault.clear();
  EXPECT_EQ(fault.left_ms(), 0u);
}

TEST(FaultSwitch, ADelayEndsWithItsFault) {
  FaultSwitch fault;
  fault.set(60'000, 50);
  EXPECT_LT(time_of([&] { fault.delay(); }), milliseconds(30'000));
}

}  // namespace
}  // namespace base
