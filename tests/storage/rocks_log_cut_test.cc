// Cutting the log really frees its space.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <system_error>
#include <vector>

#include "tests/storage/log_host.h"

namespace storage_test {
namespace {

using base::Index;
using base::MemberId;
using base::Term;
using conformance::LogWriter;

std::uintmax_t bytes_in(const fs::path& directory) {
  std::uintmax_t bytes = 0;
  for (const auto& file : fs::directory_iterator(directory)) {
    std::error_code gone;  // RocksDB removes files meanwhile
    const std::uintmax_t size = file.file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

void cut(storage::LogStore& log, LogWriter& writer, Index through) {
  const auto meta = writer.meta(through);
  ASSERT_TRUE(log.cut(through, meta.term, meta.hash).is_ok());
  writer.cut(through);
}

TEST(RocksLogCut, DiskUseStaysBoundedWhateverIsWritten) {
  LogHost host;
  auto log = host.open();
  LogWriter writer(*log);
  append(*log, writer.vote(Term(1), MemberId(1)));
  std::uintmax_t written = 0, peak = 0;
  const std::string payload(1 << 16, 'p');
  while (written < (std::uintmax_t{400} << 20)) {
    append(*log, writer.append(std::vector<std::string>(16, payload)));
    written += 16 * payload.size();
    if (writer.metas().size() > 256) cut(*log, writer, writer.last().previous());
    peak = std::max(peak, bytes_in(host.log_directory()));
  }
  // Memtables and their write-ahead files, four tables that wait for level 1, and the log itself.
  EXPECT_LT(peak, std::uintmax_t{100} << 20);
  std::printf("wrote %ju MiB, at most %ju MiB on disk\n", written >> 20, peak >> 20);
  log.reset();
  auto again = host.open();
  EXPECT_EQ(again->contents().quarantine, std::nullopt);
  EXPECT_EQ(again->contents().metas.size(), writer.metas().size());
}

}  // namespace
}  // namespace storage_test
