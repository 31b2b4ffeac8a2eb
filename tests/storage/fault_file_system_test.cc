// The hung log sync: it really hangs an append, and the heal lets it go on.
#include "storage/fault_file_system.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>

#include "tests/storage/log_host.h"

namespace storage_test {
namespace {

using base::Term;
using conformance::LogWriter;
using namespace std::chrono_literals;

/// Heals at the end of a test that failed, so that it fails and does not hang.
struct Heal {
  storage::FaultSwitches& faults;
  ~Heal() { faults.hang_log_sync = false; }
};

/// Waits until the fault has caught this many syncs.
bool wait_for_hung(const storage::FaultSwitches& faults, std::uint64_t count) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (faults.hung_log_syncs.load() < count) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(HungLogSync, AnAppendHangsUntilTheHeal) {
  storage::FaultSwitches faults;
  LogHost host;
  auto log = host.open(&faults);
  LogWriter writer(*log);
  append(*log, writer.vote(Term(1), base::MemberId(1)));
  EXPECT_EQ(faults.hung_log_syncs.load(), 0u);

  faults.hang_log_sync = true;
  const auto request = writer.append({"hangs"});
  auto hung = std::async(std::launch::async, [&] { return log->append({&request, 1}); });
  const Heal heal{faults};
  ASSERT_TRUE(wait_for_hung(faults, 1));
  EXPECT_EQ(hung.wait_for(200ms), std::future_status::timeout)
      << "it returned while it should hang";
  // What the loop asks for goes on meanwhile.
  EXPECT_EQ(log->size_bytes(), 0u);
  EXPECT_EQ(log->load(base::Index(1), base::Index(1), 1).status().code(),
            base::Code::kInvalidArgument);

  faults.hang_log_sync = false;
  ASSERT_EQ(hung.wait_for(20s), std::future_status::ready);
  EXPECT_TRUE(hung.get().is_ok());
  append(*log, writer.append({"goes on"}));
  log.reset();
  EXPECT_EQ(host.open(&faults)->contents().metas.size(), 2u);
}

TEST(HungLogSync, TheWatermarksSyncHangsToo) {
  storage::FaultSwitches faults;
  LogHost host;
  auto log = host.open(&faults);
  faults.hang_log_sync = true;
  auto hung = std::async(std::launch::async, [&] { return log->sync_watermark(); });
  const Heal heal{faults};
  ASSERT_TRUE(wait_for_hung(faults, 1));
  EXPECT_EQ(hung.wait_for(100ms), std::future_status::timeout);
  faults.hang_log_sync = false;
  EXPECT_TRUE(hung.get().is_ok());
}

/// A process whose sync hangs must still be able to end: the supervisor starts it again.
TEST(HungLogSync, DoesNotKeepAProcessFromEnding) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // by exec, as other tests leave threads
  EXPECT_EXIT(
      {
        static storage::FaultSwitches faults;
        faults.hang_log_sync = true;
        std::thread([] { storage::wait_while_hung(&faults); }).detach();
        if (wait_for_hung(faults, 1)) ::_exit(42);
        ::_exit(1);
      },
      testing::ExitedWithCode(42), "");
}

TEST(HungLogSync, WithoutSwitchesNothingHangs) {
  storage::wait_while_hung(nullptr);
}

}  // namespace
}  // namespace storage_test
