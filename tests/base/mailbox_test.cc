// The mailbox: its bound, its single wake a batch, and nothing lost or reordered between threads.
#include "base/mailbox.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <thread>

namespace base {
namespace {

TEST(Mailbox, GivesBackInOrderAndWakesOncePerBatch) {
  int wakes = 0;
  Mailbox<int> mailbox(100, [&] { ++wakes; });
  EXPECT_TRUE(mailbox.drain().empty());
  EXPECT_TRUE(mailbox.try_push(1, 10));
  EXPECT_TRUE(mailbox.try_push(2, 10));
  mailbox.push(3);
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(mailbox.used_bytes(), 20u);
  EXPECT_EQ(mailbox.drain(), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(mailbox.used_bytes(), 0u);
  mailbox.push(4);
  EXPECT_EQ(wakes, 2);
}

TEST(Mailbox, RefusesAboveItsBoundWithoutTakingTheItem) {
  Mailbox<std::unique_ptr<int>> mailbox(100, [] {});
  EXPECT_TRUE(mailbox.try_push(std::make_unique<int>(1), 60));
  auto item = std::make_unique<int>(2);
  EXPECT_FALSE(mailbox.try_push(std::move(item), 41));
  ASSERT_NE(item, nullptr);
  EXPECT_TRUE(mailbox.try_push(std::move(item), 40));
  EXPECT_FALSE(mailbox.try_push(std::make_unique<int>(3), 1));
  mailbox.push(std::make_unique<int>(4));  // must not be lost
  EXPECT_EQ(mailbox.drain().size(), 3u);
  EXPECT_TRUE(mailbox.try_push(std::make_unique<int>(5), 100)) << "draining makes room";
}

TEST(Mailbox, AnEmptyOneTakesAnythingOnce) {
  Mailbox<int> mailbox(100, [] {});
  EXPECT_TRUE(mailbox.try_push(1, 5000));
  EXPECT_FALSE(mailbox.try_push(2, 1));
}

TEST(Mailbox, ClosedTakesNothingButCanBeDrained) {
  int wakes = 0;
  Mailbox<int> mailbox(100, [&] { ++wakes; });
  mailbox.push(1);
  mailbox.close();
  mailbox.push(2);
  EXPECT_FALSE(mailbox.try_push(3, 1));
  EXPECT_EQ(mailbox.drain(), std::vector<int>{1});
  EXPECT_EQ(wakes, 1);
}

/// A reader that sleeps until woken sees every item: no wake is lost.
TEST(Mailbox, BetweenThreadsNothingIsLostOrReordered) {
  constexpr int kWriters = 3, kItems = 20'000;
  std::mutex mutex;
  std::condition_variable woken;
  bool wake = false;
  Mailbox<std::pair<int, int>> mailbox(4096, [&] {
    std::lock_guard lock(mutex);
    wake = true;
    woken.notify_one();
  });
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < kItems; ++i) {
        if (i % 7 == 0) {
          mailbox.push({writer, i});
        } else {
          while (!mailbox.try_push({writer, i}, 64)) std::this_thread::yield();
        }
      }
    });
  }
  std::vector<int> next(kWriters, 0);
  int seen = 0;
  while (seen < kWriters * kItems) {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(woken.wait_for(lock, std::chrono::seconds(60), [&] { return wake; }));
    wake = false;
    lock.unlock();
    for (const auto& [writer, i] : mailbox.drain()) {
      ASSERT_EQ(i, next[static_cast<std::size_t>(writer)]++);
      ++seen;
    }
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_TRUE(mailbox.drain().empty());
}

}  // namespace
}  // namespace base
