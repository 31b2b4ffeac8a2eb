#include "tests/sim/event_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace sim {
namespace {

TEST(EventQueue, RunsByTimeAndThenByTheOrderOfScheduling) {
  EventQueue queue;
  std::string order;
  queue.at(20, [&] { order += "c"; });
  queue.at(10, [&] {
    order += "a";
    queue.after(0, [&] { order += "b"; });
  });
  queue.at(20, [&] { order += "d"; });
  while (!queue.empty()) queue.run_next();
  EXPECT_EQ(order, "abcd");
  EXPECT_EQ(queue.now(), 20u);
  EXPECT_EQ(queue.executed(), 4u);
}

TEST(EventQueueDeathTest, RefusesThePast) {
  EventQueue queue;
  queue.at(5, [] {});
  queue.run_next();
  EXPECT_DEATH(queue.at(4, [] {}), "nothing happens in the past");
}

}  // namespace
}  // namespace sim
