#include "raft/stall.h"

#include <gtest/gtest.h>

namespace raft {
namespace {

TEST(Stall, OldButMovingIsNotStalled) {
  Stall stall;
  for (int i = 0; i < 500; ++i) {
    stall.log.tick(true);
    if (i % 50 == 0) stall.log.completed();
    ASSERT_EQ(stall.reason(60, 10), "");
  }
}

TEST(Stall, NothingPendingIsNotStalled) {
  Stall stall;
  for (int i = 0; i < 500; ++i) stall.apply.tick(i < 59);
  EXPECT_EQ(stall.reason(60, 10), "");
  EXPECT_EQ(stall.apply.ticks(), 0u);
}

TEST(Stall, SaysWhatStalledAndForHowLong) {
  Stall stall;
  for (int i = 0; i < 60; ++i) stall.log.tick(true);
  EXPECT_EQ(stall.reason(60, 10), "log sync pending for 600 ms without a completion");
  stall.log.completed();
  for (int i = 0; i < 61; ++i) stall.apply.tick(true);
  EXPECT_EQ(stall.reason(60, 10), "apply pending for 610 ms without a completion");
  stall.apply.completed();
  stall.fit = false;
  stall.unfit_reason = "the volume probe failed";
  EXPECT_EQ(stall.reason(60, 10), "the volume probe failed");
}

}  // namespace
}  // namespace raft
