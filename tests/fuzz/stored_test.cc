// Decoders of what is stored take any bytes: commands, rows of the log, configurations. Seeded,
// bounded, under the sanitizers too.
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "raft/entry.h"
#include "storage/codec.h"
#include "storage/log_rows.h"

namespace {

std::string random_bytes(base::Random& random, std::size_t below) {
  std::string bytes(random.below(below), '\0');
  for (char& each : bytes) {
    each = static_cast<char>(random.chance(3) ? random.below(256) : random.below(4));
  }
  return bytes;
}

/// Changes a few bytes, cuts off or adds some.
std::string damaged(std::string bytes, base::Random& random) {
  for (std::uint64_t i = 0; i <= random.below(4) && !bytes.empty(); ++i) {
    bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
  }
  if (random.chance(4)) bytes.resize(random.below(bytes.size() + 1));
  if (random.chance(8)) bytes += random_bytes(random, 20);
  return bytes;
}

kv::Operation random_operation(base::Random& random) {
  switch (random.below(6)) {
    case 0:
      return kv::RangeOperation{{random_bytes(random, 9), random_bytes(random, 9)}, 3, true, false};
    case 2:
      return kv::HistoryOperation{random_bytes(random, 9), base::Revision(random.next()), 2};
    case 3:
      return kv::CompactOperation{base::Revision(random.next())};
    case 4:
      return kv::RetainOperation{{random.next(), random.next()}};
    case 1:
      return kv::PutOperation{random_bytes(random, 9), random_bytes(random, 100), true};
    default:
      return kv::DeleteOperation{{random_bytes(random, 9), random_bytes(random, 9)}, false};
  }
}

kv::Command random_command(base::Random& random) {
  if (random.chance(10)) return kv::OpenSession{};
  if (random.chance(10)) return kv::CloseSession{base::SessionId(random.below(100))};
  if (random.chance(20)) return kv::Tick{};
  if (random.chance(20)) return kv::Scrub{};
  if (random.chance(20))
    return kv::Expire{base::Term(random.next()), {base::LeaseId(random.next())}};
  kv::Write write;
  write.session = base::SessionId(random.below(100));
  write.sequence = random.below(100) + 1;
  for (std::uint64_t i = 0; i < random.below(3); ++i) {
    write.transaction.compares.push_back({.key = random_bytes(random, 9), .number = i});
    write.transaction.then.push_back(random_operation(random));
    write.transaction.otherwise.push_back(random_operation(random));
  }
  return write;
}

TEST(FuzzCommand, WholeOnesAreTakenAndDamagedOnesDoNoHarm) {
  base::Random random(20261125);
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    const kv::Command command = random_command(random);
    const std::string bytes = storage::encode(command);
    const auto whole = storage::decode_command(bytes);
    ASSERT_TRUE(whole.is_ok()) << whole.status().to_string();
    ASSERT_EQ(whole.value(), command);
    refused += storage::decode_command(damaged(bytes, random)).is_ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 2000);
}

TEST(FuzzCommand, RandomBytesDoNoHarm) {
  base::Random random(3);
  int refused = 0;
  for (int round = 0; round < 50000; ++round) {
    refused += storage::decode_command(random_bytes(random, 200)).is_ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 25000);
}

/// How many of the decoders of rows take the bytes.
int takers(base::Index index, std::string_view bytes) {
  return (storage::decode_hard_state(bytes) ? 1 : 0) + (storage::decode_marker(bytes) ? 1 : 0) +
         (storage::decode_ordinal(bytes) ? 1 : 0) + (storage::decode_entry(index, bytes) ? 1 : 0) +
         (storage::decode_claim(bytes) ? 1 : 0);
}

/// Each row carries a checksum, so no damage may pass.
TEST(FuzzRows, WholeOnesAreTakenAndDamagedOnesRefused) {
  base::Random random(5);
  for (int round = 0; round < 20000; ++round) {
    raft::Entry entry;
    entry.index = base::Index(random.below(1000) + 1);
    entry.term = base::Term(random.below(9));
    entry.kind = raft::EntryKind::kCommand;
    entry.payload = random_bytes(random, 100);
    const base::Ordinal ordinal{random.below(9), random.below(99)};
    const raft::HardState hard_state{base::Term(random.below(9)), base::MemberId(2), {3, 4}};
    const storage::Marker marker{entry.index, entry.term, base::ChainHash{random.next()}};
    for (const std::string& row :
         {storage::encode_row(hard_state), storage::encode_row(marker),
          storage::encode_row(ordinal), storage::encode_row(entry, ordinal),
          storage::encode_claim({ordinal, entry.index, entry.term})}) {
      ASSERT_EQ(takers(entry.index, row), 1);
      const std::string other = damaged(row, random);
      if (other != row) {
        ASSERT_EQ(takers(entry.index, other), 0);
      }
    }
    ASSERT_EQ(takers(entry.index, random_bytes(random, 100)), 0);
  }
}

TEST(FuzzConfiguration, DamagedOnesDoNoHarm) {
  base::Random random(11);
  for (int round = 0; round < 20000; ++round) {
    raft::Configuration configuration;
    for (std::uint64_t id = 1; id <= random.below(7); ++id) {
      configuration.voters.push_back({base::MemberId(id), base::Incarnation(random.next())});
    }
    const std::string bytes = raft::encode(configuration);
    const auto whole = raft::decode_configuration(bytes);
    ASSERT_TRUE(whole && *whole == configuration);
    const std::string other = damaged(bytes, random);
    const auto read = raft::decode_configuration(other);
    // What is taken is what encode() makes of it.
    if (read) {
      ASSERT_EQ(raft::encode(*read), other);
    }
  }
}

}  // namespace
