// Which files are really synced, and in which order: the program's own fdatasync stands in front of
// the system's, for RocksDB too.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "tests/storage/log_host.h"

namespace {

std::mutex& mutex() {
  static std::mutex instance;
  return instance;
}
/// Names of the files synced since it was cleared.
std::vector<std::string>& synced() {
  static std::vector<std::string> instance;
  return instance;
}

}  // namespace

extern "C" int fdatasync(int descriptor) {
  char path[512];
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t length = ::readlink(link.c_str(), path, sizeof path);
  if (length > 0) {
    const std::string name(path, static_cast<std::size_t>(length));
    std::lock_guard lock(mutex());
    synced().push_back(name.substr(name.rfind('/') + 1));
  }
  return static_cast<int>(::syscall(SYS_fdatasync, descriptor));
}

namespace storage_test {
namespace {

using base::MemberId;
using base::Term;
using conformance::LogWriter;

/// What `work` syncs, in order; write-ahead files by "wal".
template <class Work>
std::vector<std::string> syncs_of(Work&& work) {
  {
    std::lock_guard lock(mutex());
    synced().clear();
  }
  work();
  std::lock_guard lock(mutex());
  std::vector<std::string> names = synced();
  for (std::string& name : names) {
    if (name.ends_with(".log")) name = "wal";
  }
  return names;
}

using Names = std::vector<std::string>;

class SyncCount : public testing::Test {
 protected:
  SyncCount() : log_(host_.open()), writer_(*log_) {
    append(*log_, writer_.vote(Term(1), MemberId(1)));
  }
  LogHost host_;
  std::unique_ptr<storage::RocksLog> log_;
  LogWriter writer_;
};

TEST_F(SyncCount, AnAppendSyncsTheLogOnceAndNothingElse) {
  for (int i = 0; i < 3; ++i) {
    const auto request = writer_.append({"a", "b", "c"});
    EXPECT_EQ(syncs_of([&] { append(*log_, request); }), Names{"wal"});
  }
}

TEST_F(SyncCount, TermAndVoteAreSyncedInTheLogAndThenInTheWatermark) {
  const auto request = writer_.vote(Term(2), MemberId(3));
  EXPECT_EQ(syncs_of([&] { append(*log_, request); }), (Names{"wal", "watermark"}));
}

TEST_F(SyncCount, TheWatermarkIsSyncedWhenAskedForAndAtTheEnd) {
  append(*log_, writer_.append({"a"}));
  EXPECT_EQ(syncs_of([&] { ASSERT_TRUE(log_->sync_watermark().is_ok()); }), Names{"watermark"});
  const Names at_end = syncs_of([&] { log_.reset(); });
  EXPECT_EQ(std::count(at_end.begin(), at_end.end(), "watermark"), 1);
}

TEST_F(SyncCount, ACutSyncsItsMarkerFirst) {
  append(*log_, writer_.append({"a", "b", "c"}));
  const auto meta = writer_.meta(base::Index(2));
  const Names names =
      syncs_of([&] { ASSERT_TRUE(log_->cut(base::Index(2), meta.term, meta.hash).is_ok()); });
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.front(), "wal");
}

TEST_F(SyncCount, ARestartSyncsBeforeItReturns) {
  log_.reset();
  log_ = host_.open();
  const Names names = syncs_of([&] {
    ASSERT_TRUE(log_->restart_after(base::Index(9), Term(1), base::ChainHash{1}).is_ok());
  });
  EXPECT_EQ(names, (Names{"wal", "watermark"}));
}

}  // namespace
}  // namespace storage_test
