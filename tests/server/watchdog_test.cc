#include "server/watchdog.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "server/clock.h"

namespace server {
namespace {

struct Watched {
  Stamps stamps;
  std::atomic<int> ends{0};
  std::string text;
  WatchdogOptions options;

  Watched() {
    options.stuck_ms = 200;
    options.grace_ms = 50;
    options.check_ms = 5;
    options.end = [this](const std::string& why) {
      text = why;
      ++ends;
    };
  }
};

TEST(Watchdog, EndsTheProcessWhenALoopStaysStuck) {
  Watched watched;
  watched.stamps.loop.at_ms = boot_ms();
  Watchdog watchdog(watched.options, watched.stamps);
  const std::uint64_t start = boot_ms();
  watchdog.run();  // returns once the end was called
  EXPECT_EQ(watched.ends, 1);
  EXPECT_GE(boot_ms() - start, 200u);
  EXPECT_NE(watched.text.find("loop thread"), std::string::npos) << watched.text;
}

TEST(Watchdog, SeesTheDoorToo) {
  Watched watched;
  watched.stamps.door.at_ms = boot_ms();
  Watchdog watchdog(watched.options, watched.stamps);
  watchdog.run();
  EXPECT_NE(watched.text.find("door thread"), std::string::npos) << watched.text;
}

TEST(Watchdog, LetsTurningLoopsAndBusyDisksBe) {
  Watched watched;
  watched.stamps.log.at_ms = 1;  // a sync that hangs is the core's affair
  Watchdog watchdog(watched.options, watched.stamps);
  std::thread thread([&] { watchdog.run(); });
  for (const std::uint64_t start = boot_ms(); boot_ms() - start < 500;) {
    watched.stamps.loop.at_ms = boot_ms();
    watched.stamps.door.at_ms = boot_ms();
    std::this_thread::yield();
  }
  watchdog.stop();
  thread.join();
  EXPECT_EQ(watched.ends, 0) << watched.text;
}

TEST(Watchdog, AFatalErrorEndsTheProcessAfterItsGraceWithTheFirstReason) {
  Watched watched;
  Watchdog watchdog(watched.options, watched.stamps);
  EXPECT_TRUE(watchdog.reason().is_ok());
  const std::uint64_t start = boot_ms();
  watchdog.fatal({base::Code::kIo, "first"});
  watchdog.fatal({base::Code::kIo, "second"});
  watchdog.run();
  EXPECT_GE(boot_ms() - start, 50u);
  EXPECT_EQ(watched.ends, 1);
  EXPECT_NE(watched.text.find("first"), std::string::npos) << watched.text;
}

}  // namespace
}  // namespace server
