#include "net/loop.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <kj/debug.h>

namespace net {
namespace {

TEST(Loop, RunsWhatOtherThreadsPostInTheirOrder) {
  Loop loop;
  constexpr int kThreads = 4, kEach = 1000;
  std::vector<std::vector<int>> seen(kThreads);
  int total = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        loop.post([&, t, i] {
          seen[static_cast<std::size_t>(t)].push_back(i);
          if (++total == kThreads * kEach) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (auto& thread : threads) thread.join();
  for (const auto& each : seen) {
    ASSERT_EQ(each.size(), static_cast<std::size_t>(kEach));
    EXPECT_TRUE(std::is_sorted(each.begin(), each.end()));
  }
}

TEST(Loop, ABusyPromiseQueueDoesNotStarvePostedTasks) {
  Loop loop;
  bool posted = false;
  std::uint64_t turns = 0;
  std::function<kj::Promise<void>()> spin = [&]() -> kj::Promise<void> {
    ++turns;
    if (posted || turns > 10'000'000) return kj::READY_NOW;
    return kj::evalLater([&] { return spin(); });
  };
  std::thread other([&] { loop.post([&] { posted = true; }); });
  EXPECT_TRUE(loop.wait(spin(), 60000));
  other.join();
  EXPECT_TRUE(posted);
  EXPECT_LE(turns, 10'000'000u);
}

TEST(Loop, WaitSaysWhetherThePromiseCameInTime) {
  Loop loop;
  EXPECT_TRUE(loop.wait(kj::READY_NOW, 1000));
  EXPECT_FALSE(loop.wait(kj::NEVER_DONE, 20));
  EXPECT_THROW(loop.wait(KJ_EXCEPTION(FAILED, "as planned"), 1000), kj::Exception);
}

TEST(Loop, TimersFireInOrderAndDroppedOnesNever) {
  Loop loop;
  std::vector<int> fired;
  auto late = loop.timer()
                  .afterDelay(40 * kj::MILLISECONDS)
                  .then([&] { fired.push_back(2); })
                  .eagerlyEvaluate(nullptr);
  auto early = loop.timer()
                   .afterDelay(10 * kj::MILLISECONDS)
                   .then([&] { fired.push_back(1); })
                   .eagerlyEvaluate(nullptr);
  {
    auto dropped = loop.timer()
                       .afterDelay(1 * kj::MILLISECONDS)
                       .then([&] { fired.push_back(3); })
                       .eagerlyEvaluate(nullptr);
  }
  EXPECT_TRUE(loop.wait(kj::joinPromises(kj::arr(kj::mv(late), kj::mv(early))), 60000));
  EXPECT_EQ(fired, (std::vector<int>{1, 2}));
}

TEST(Loop, EveryRepeatsUntilTheLoopGoes) {
  int calls = 0;
  {
    Loop loop;
    loop.every(5, [&] {
      if (++calls == 3) loop.stop();
    });
    loop.run();
  }
  EXPECT_EQ(calls, 3);
}

TEST(Loop, AStopThatCameFirstEndsTheNextRun) {
  Loop loop;
  loop.stop();
  EXPECT_FALSE(loop.wait(kj::NEVER_DONE, 60000));
  loop.run();
  // Used up: the loop runs again.
  EXPECT_TRUE(loop.wait(loop.timer().afterDelay(1 * kj::MILLISECONDS), 60000));
}

TEST(Loop, WhatWasPostedAndDidNotRunIsDroppedWithTheLoop) {
  auto held = std::make_shared<int>(0);
  bool ran = false;
  {
    Loop loop;
    loop.post([&ran, held] { ran = true; });
    loop.every(1, [&ran, held] { ran = true; });
    std::this_thread::sleep_for(std::chrono::milliseconds(3));  // so that the timer has expired
  }
  EXPECT_FALSE(ran);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(Loop, AnExpiredTimerDoesNotRunItsTaskWhenTheLoopGoes) {
  int calls = 0;
  {
    Loop loop;
    const auto stop = [&] {
      ++calls;
      loop.stop();
    };
    loop.every(1, stop);
    loop.every(1, stop);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // so that both have expired
    loop.run();
    EXPECT_EQ(calls, 1);
  }
  EXPECT_EQ(calls, 1);
}

TEST(LoopDeathTest, WaitingWithinAHandlerIsABug) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        Loop loop;
        loop.post([&] { loop.wait(kj::READY_NOW, 10); });
        loop.wait(kj::NEVER_DONE, 10000);
      },
      "may not be run from within itself");
}

/// A task that takes 4 ms of its 10 must not push the next ones back. A loaded machine may spoil
/// attempts, but cannot make a drifting timer, which needs 14 ms a call, keep its pace.
TEST(Loop, EveryDoesNotDriftUnderLoad) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::seconds(60);
  const auto good = std::chrono::milliseconds(350);
  Clock::duration best = Clock::duration::max();
  while (best > good && Clock::now() < deadline) {
    Loop loop;
    int calls = 0;
    const auto begin = Clock::now();
    loop.every(10, [&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(4));
      if (++calls == 30) loop.stop();
    });
    loop.run();
    best = std::min(best, Clock::now() - begin);
  }
  EXPECT_LE(best, good);
}

}  // namespace
}  // namespace net
