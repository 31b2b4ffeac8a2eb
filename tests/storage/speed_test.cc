// One append against one bare fdatasync of as many bytes, on the disk: printed, not judged, since
// other work on the machine decides more than we do. The benchmark proper is tests/bench.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>

#include "base/histogram.h"
#include "storage/files.h"
#include "tests/storage/log_host.h"

namespace storage_test {
namespace {

using conformance::LogWriter;

constexpr int kAppends = 150;
constexpr std::size_t kPayloadBytes = 256;

template <class Work>
base::Histogram measure(Work&& work) {
  base::Histogram histogram;
  for (int i = 0; i < kAppends; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    histogram.record(
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                       std::chrono::steady_clock::now() - start)
                                       .count()));
  }
  return histogram;
}

TEST(Speed, OneAppendIsOneSync) {
  std::string pattern = fs::temp_directory_path() / "holdfast-speed-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  auto raw = std::move(storage::File::open(pattern + "/raw", O_WRONLY | O_CREAT)).value();
  std::uint64_t offset = 0;
  const std::string block(kPayloadBytes + 150, 'r');
  const auto bare = measure([&] {
    ASSERT_TRUE(storage::write_at(raw, pattern + "/raw", block, offset).is_ok());
    ASSERT_EQ(::fdatasync(raw.descriptor()), 0);
    offset += block.size();
  });
  ASSERT_TRUE(storage::write_opening(pattern, {1, 1}).is_ok());
  {
    auto log = std::move(storage::RocksLog::open({.member_directory = pattern,
                                                  .identity = {},
                                                  .opening = {1, 1},
                                                  .initialised = false,
                                                  .faults = nullptr}))
                   .value();
    LogWriter writer(*log);
    const std::uint64_t syncs = log->syncs();
    const auto appends =
        measure([&] { append(*log, writer.append({std::string(kPayloadBytes, 'p')})); });
    EXPECT_EQ(log->syncs() - syncs, static_cast<std::uint64_t>(kAppends));
    std::printf("bare fdatasync p50 %llu us, p99 %llu us; append p50 %llu us, p99 %llu us\n",
                static_cast<unsigned long long>(bare.quantile(0.5)),
                static_cast<unsigned long long>(bare.quantile(0.99)),
                static_cast<unsigned long long>(appends.quantile(0.5)),
                static_cast<unsigned long long>(appends.quantile(0.99)));
  }
  fs::remove_all(pattern);
}

}  // namespace
}  // namespace storage_test
