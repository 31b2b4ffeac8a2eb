#include "storage/wal_scan.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "tests/storage/log_host.h"

namespace storage_test {
namespace {

using conformance::LogWriter;
using storage::Claim;
using storage::highest_claim_in_wal;

TEST(WalScan, Crc32cOfTheStandardVector) {
  EXPECT_EQ(storage::crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(storage::crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4
  EXPECT_EQ(storage::crc32c(""), 0u);
}

/// A write-ahead file that RocksDB wrote, and what the append before each record made durable.
struct Written {
  std::string bytes;
  std::vector<Claim> claims;        // of record i
  std::vector<std::size_t> starts;  // where record i begins
};

Written write_some(const std::vector<std::size_t>& payload_bytes) {
  Written written;
  LogHost host;
  auto log = host.open();
  LogWriter writer(*log);
  const auto start = fs::file_size(host.newest_write_ahead_file());
  written.starts.push_back(start);
  Claim durable;
  for (const std::size_t bytes : payload_bytes) {
    written.claims.push_back(durable);
    append(*log, writer.append({std::string(bytes, 'x')}));
    durable = {writer.ordinal(), writer.last(), writer.term()};
    written.starts.push_back(fs::file_size(host.newest_write_ahead_file()));
  }
  written.bytes = read(host.newest_write_ahead_file());
  return written;
}

TEST(WalScan, FindsTheClaimOfTheLastRecord) {
  const Written written = write_some({10, 20, 30});
  EXPECT_EQ(highest_claim_in_wal(written.bytes), written.claims.back());
  EXPECT_EQ(highest_claim_in_wal(""), std::nullopt);
}

/// Whatever a block's end cuts in two: header, sequence, claim or entry.
TEST(WalScan, FindsClaimsAcrossTheEndsOfBlocks) {
  const Written probe = write_some({0});
  // The length of a long entry takes two bytes more.
  const std::size_t overhead = probe.starts[1] - probe.starts[0] + 2;
  for (std::size_t left = 0; left < overhead + 20; left += 1 + left / 40) {
    // The second record starts `left` bytes before the end of the first block.
    const std::size_t first = 32768 - left - probe.starts[0] - overhead;
    const Written written = write_some({first, 5});
    ASSERT_EQ(written.starts[1], 32768 - left);
    EXPECT_EQ(highest_claim_in_wal(written.bytes), written.claims[1]) << left << " bytes left";
    if (HasFailure()) break;
  }
}

TEST(WalScan, ARecordOfManyBlocksHasItsClaim) {
  const Written written = write_some({10, 200000, 10});
  EXPECT_EQ(highest_claim_in_wal(written.bytes), written.claims.back());
  EXPECT_EQ(highest_claim_in_wal(std::string_view(written.bytes).substr(0, 40000)),
            written.claims[1]);
}

TEST(WalScan, GoesOnBehindDamage) {
  const Written written = write_some(std::vector<std::size_t>(1000, 100));
  for (const std::size_t at : {std::size_t{3}, std::size_t{33000}, std::size_t{70000}}) {
    std::string bytes = written.bytes;
    bytes[at] ^= 4;
    EXPECT_EQ(highest_claim_in_wal(bytes), written.claims.back()) << at;
    bytes.replace(at, 5000, 5000, '\0');
    EXPECT_EQ(highest_claim_in_wal(bytes), written.claims.back()) << at;
  }
}

TEST(WalScan, ACutFileHasTheClaimOfItsLastWholeRecord) {
  const Written written = write_some({10, 10, 10, 10});
  for (std::size_t record = 0; record < written.claims.size(); ++record) {
    const std::string_view whole(written.bytes.data(), written.starts[record + 1]);
    EXPECT_EQ(highest_claim_in_wal(whole), written.claims[record]);
    const auto cut = highest_claim_in_wal(whole.substr(0, whole.size() - 1));
    EXPECT_EQ(cut, record == 0 ? std::nullopt : std::optional(written.claims[record - 1]));
  }
}

TEST(WalScan, RandomBytesClaimNothing) {
  base::Random random(11);
  const Written written = write_some({10, 40000, 10});
  for (int round = 0; round < 200; ++round) {
    std::string bytes(random.below(100000), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.next());
    EXPECT_EQ(highest_claim_in_wal(bytes), std::nullopt);
    std::string shuffled = written.bytes;
    for (int i = 0; i < 20; ++i) shuffled[random.below(shuffled.size())] = '\xff';
    const auto claim = highest_claim_in_wal(shuffled);
    EXPECT_LE(claim.value_or(Claim()).ordinal, written.claims.back().ordinal);
  }
}

}  // namespace
}  // namespace storage_test
