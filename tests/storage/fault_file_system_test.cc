// The faults of a volume: each really catches what the log and the state write.
#include "storage/fault_file_system.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>

#include "storage/rocks_engine.h"
#include "tests/storage/log_host.h"

namespace storage_test {
namespace {

using base::Term;
using conformance::LogWriter;
using namespace std::chrono_literals;
constexpr std::uint64_t kForever = base::FaultSwitch::kForever;

/// Heals at the end of a test that failed, so that it fails and does not hang.
struct Heal {
  storage::VolumeFaults& faults;
  ~Heal() { faults.hang_sync.clear(); }
};

/// Waits until the fault has caught this many syncs.
bool wait_for_hung(const storage::VolumeFaults& faults, std::uint64_t count) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (faults.hang_sync.hits() < count) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST(HungLogSync, AnAppendHangsUntilTheHeal) {
  storage::VolumeFaults faults;
  LogHost host;
  auto log = host.open(&faults);
  LogWriter writer(*log);
  append(*log, writer.vote(Term(1), base::MemberId(1)));
  EXPECT_EQ(faults.hang_sync.hits(), 0u);

  faults.hang_sync.set(0, kForever);
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

  faults.hang_sync.clear();
  ASSERT_EQ(hung.wait_for(20s), std::future_status::ready);
  EXPECT_TRUE(hung.get().is_ok());
  append(*log, writer.append({"goes on"}));
  log.reset();
  EXPECT_EQ(host.open(&faults)->contents().metas.size(), 2u);
}

TEST(HungLogSync, TheWatermarksSyncHangsToo) {
  storage::VolumeFaults faults;
  LogHost host;
  auto log = host.open(&faults);
  faults.hang_sync.set(0, kForever);
  auto hung = std::async(std::launch::async, [&] { return log->sync_watermark(); });
  const Heal heal{faults};
  ASSERT_TRUE(wait_for_hung(faults, 1));
  EXPECT_EQ(hung.wait_for(100ms), std::future_status::timeout);
  faults.hang_sync.clear();
  EXPECT_TRUE(hung.get().is_ok());
}

/// A process whose sync hangs must still be able to end: the supervisor starts it again.
TEST(HungLogSync, DoesNotKeepAProcessFromEnding) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // by exec, as other tests leave threads
  EXPECT_EXIT(
      {
        static storage::VolumeFaults faults;
        faults.hang_sync.set(0, kForever);
        std::thread([] { (void)storage::before_sync(&faults); }).detach();
        if (wait_for_hung(faults, 1)) ::_exit(42);
        ::_exit(1);
      },
      testing::ExitedWithCode(42), "");
}

TEST(VolumeFaults, WithoutThemEverythingWorks) {
  EXPECT_EQ(storage::before_sync(nullptr), 0);
  EXPECT_EQ(storage::before_write(nullptr), 0);
}

TEST(VolumeFaults, ASlowSyncTakesLongerAndWorks) {
  storage::VolumeFaults faults;
  LogHost host;
  auto log = host.open(&faults);
  LogWriter writer(*log);
  faults.slow_sync.set(150, kForever);
  const auto begin = std::chrono::steady_clock::now();
  append(*log, writer.append({"slow"}));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 150ms);
  EXPECT_GE(faults.slow_sync.hits(), 1u);
}

TEST(VolumeFaults, WhatCannotBeSyncedOrWrittenIsAnError) {
  for (base::FaultSwitch storage::VolumeFaults::*fault :
       {&storage::VolumeFaults::fail_sync, &storage::VolumeFaults::fail_write}) {
    storage::VolumeFaults faults;
    LogHost host;
    auto log = host.open(&faults);
    LogWriter writer(*log);
    append(*log, writer.append({"before"}));
    (faults.*fault).set(0, kForever);
    const auto request = writer.append({"lost"});
    const base::Status status = log->append({&request, 1});
    EXPECT_EQ(status.code(), base::Code::kIo) << status.to_string();
    EXPECT_NE(status.detail().find("Input/output error"), std::string::npos) << status.detail();
    EXPECT_GE((faults.*fault).hits(), 1u);
    (faults.*fault).clear();
    log.reset();
    EXPECT_GE(host.open(&faults)->contents().metas.size(), 1u) << "what was synced is there";
  }
}

TEST(VolumeFaults, TheStateHasItsOwn) {
  storage::VolumeFaults faults;
  conformance::ScratchDirectory scratch;
  auto engine = storage::RocksEngine::open(scratch.path() + "/state", &faults);
  ASSERT_TRUE(engine.is_ok()) << engine.status().to_string();
  kv::EngineBatch batch;
  batch.put(kv::Space::kMeta, "key", "value");
  ASSERT_TRUE(engine.value()->commit(batch).is_ok());
  faults.fail_write.set(0, kForever);
  EXPECT_FALSE(engine.value()->flush().is_ok());
  EXPECT_GE(faults.fail_write.hits(), 1u);
  faults.fail_write.clear();
}

// ---- What was not synced ----

/// One file, written through the faults.
class UnsyncedFile : public testing::Test {
 protected:
  UnsyncedFile()
      : system_(storage::make_fault_file_system(rocksdb::FileSystem::Default(), &faults_)) {
    EXPECT_TRUE(system_->NewWritableFile(path_, {}, &file_, nullptr).ok());
  }
  ~UnsyncedFile() override { std::filesystem::remove(path_); }
  void append(const std::string& data) {
    EXPECT_TRUE(file_->Append(data, {}, nullptr).ok());
    EXPECT_TRUE(file_->Flush({}, nullptr).ok());
  }
  bool sync() { return file_->Sync({}, nullptr).ok(); }
  std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  storage::VolumeFaults faults_;
  const std::string path_ = testing::TempDir() + "unsynced-" + std::to_string(getpid());
  std::shared_ptr<rocksdb::FileSystem> system_;
  std::unique_ptr<rocksdb::FSWritableFile> file_;
};

TEST_F(UnsyncedFile, IsOnlyInTheProcessUntilItsSync) {
  append("before, ");
  EXPECT_EQ(content(), "before, ") << "written, as without faults";
  faults_.lose_unsynced.set(0, kForever);
  append("held, ");
  append("too, ");
  EXPECT_EQ(content(), "before, ");
  EXPECT_EQ(faults_.lose_unsynced.hits(), 2u);
  EXPECT_TRUE(sync());
  EXPECT_EQ(content(), "before, held, too, ");
  append("again, ");
  faults_.lose_unsynced.clear();
  append("after");
  EXPECT_EQ(content(), "before, held, too, again, after") << "in their order";
}

TEST_F(UnsyncedFile, IsWrittenByAClose) {
  faults_.lose_unsynced.set(0, kForever);
  append("held");
  EXPECT_TRUE(file_->Close({}, nullptr).ok());
  EXPECT_EQ(content(), "held");
}

TEST_F(UnsyncedFile, IsTornByTheSyncThatEndsTheProcess) {
  EXPECT_EXIT(
      {
        faults_.tear_sync.set(0, kForever);
        append("0123456789");
        (void)sync();
      },
      testing::KilledBySignal(SIGKILL), "");
  EXPECT_EQ(content(), "01234");
}

}  // namespace
}  // namespace storage_test
