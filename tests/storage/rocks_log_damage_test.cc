// What the guard says of damaged logs. The oracle is the same everywhere: an opening either finds
// every byte that was synced, or says that it does not, having kept the evidence; and a log that
// only lost what was never synced starts without alarm.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

#include "base/random.h"
#include "storage/evidence.h"
#include "tests/storage/log_host.h"

namespace storage_test {
namespace {

using base::Index;
using base::MemberId;
using base::Term;
using conformance::LogWriter;
using storage::RocksLog;

/// A log that was written and closed, to be copied for each case.
struct Original {
  LogHost host;
  std::optional<LogWriter> written;
  std::vector<std::string> payloads;  // of the entries
  raft::HardState hard_state;
  std::vector<std::size_t> record_ends;  // in the newest write-ahead file, after each append

  std::unique_ptr<RocksLog> open() {
    auto log = host.open();
    written.emplace(*log);
    return log;
  }
  void vote(RocksLog& log, Term term) {
    append(log, written->vote(term, MemberId(2)));
    hard_state = {term, MemberId(2), {7, 77}};
    mark();
  }
  void fill(RocksLog& log, std::size_t entries, std::size_t payload_bytes) {
    for (std::size_t i = 0; i < entries; ++i) {
      payloads.push_back(std::to_string(payloads.size()) + std::string(payload_bytes, 'p'));
      append(log, written->append({payloads.back()}));
      mark();
    }
  }
  void mark() { record_ends.push_back(fs::file_size(host.newest_write_ahead_file())); }
  base::Ordinal ordinal() const { return written->ordinal(); }
};

/// Everything in one write-ahead file.
void make_small(Original& original, std::size_t entries = 12, std::size_t payload_bytes = 8) {
  auto log = original.open();
  original.vote(*log, Term(3));
  original.fill(*log, entries, payload_bytes);
}

/// Two table files of entries and a write-ahead file.
void make_large(Original& original) {
  for (int opening = 0; opening < 3; ++opening) {
    auto log = original.open();
    original.record_ends.clear();
    original.vote(*log, Term(3u + static_cast<unsigned>(opening)));
    original.fill(*log, 40, 60);
  }
}

enum class Verdict { kWhole, kQuarantined };

/// Opens the damaged copy and holds it against the original; checks what must hold either way.
Verdict judge(LogHost& damaged, const Original& original) {
  auto log = damaged.open();
  const auto& contents = log->contents();
  const std::size_t found = contents.metas.size();
  EXPECT_LE(found, original.payloads.size());
  for (std::size_t i = 0; i < found && contents.first == Index(1); ++i) {
    EXPECT_EQ(contents.metas[i].hash, original.written->metas()[i].hash) << "entry " << i + 1;
  }
  for (Index index = contents.first; index < contents.first + found;) {
    auto loaded = log->load(index, contents.first + (found - 1), 1 << 20);
    EXPECT_TRUE(loaded.is_ok()) << loaded.status().to_string();
    if (!loaded.is_ok()) break;
    for (const auto& entry : loaded.value()) {
      EXPECT_EQ(entry->payload, original.payloads[entry->index.value - 1]);
    }
    index = loaded->back()->index.next();
  }
  EXPECT_EQ(damaged.quarantined(), contents.quarantine.has_value());
  if (!contents.quarantine) {
    EXPECT_EQ(found, original.payloads.size()) << "a loss without a word";
    EXPECT_EQ(contents.ordinal, original.ordinal());
    EXPECT_EQ(contents.hard_state, original.hard_state);
    return Verdict::kWhole;
  }
  EXPECT_FALSE(contents.quarantine->empty());
  EXPECT_TRUE(fs::exists(damaged.evidence())) << "the evidence is kept";
  EXPECT_TRUE(log->sync_watermark().is_ok());
  EXPECT_TRUE(fs::exists(damaged.evidence())) << "for good";
  return Verdict::kQuarantined;
}

/// A quarantined log can be written to, and stays quarantined for the same reason.
void expect_usable(LogHost& host) {
  std::optional<std::string> reason;
  std::size_t entries = 0;
  {
    auto log = host.open();
    reason = log->contents().quarantine;
    LogWriter writer(*log);
    append(*log, writer.vote(Term(50), MemberId(1)));
    fill(*log, writer, 3);
    entries = writer.metas().size();
  }
  auto log = host.open();
  EXPECT_EQ(log->contents().quarantine, reason);
  EXPECT_EQ(log->contents().metas.size(), entries);
  EXPECT_EQ(log->contents().hard_state.term, Term(50));
}

TEST(RocksLogDamage, AnUndamagedCopyIsWhole) {
  Original original;
  make_large(original);
  LogHost copy(original.host);
  EXPECT_EQ(judge(copy, original), Verdict::kWhole);
  EXPECT_EQ(judge(copy, original), Verdict::kWhole);
}

TEST(RocksLogDamage, EveryByteOfTheLastThreeRecords) {
  Original original;
  make_small(original);
  const auto& ends = original.record_ends;
  for (std::size_t at = ends[ends.size() - 4]; at < ends.back(); ++at) {
    LogHost copy(original.host);
    flip(copy.newest_write_ahead_file(), at, static_cast<unsigned>(at % 8));
    EXPECT_EQ(judge(copy, original), Verdict::kQuarantined) << "byte " << at;
    if (HasFailure()) break;
  }
}

TEST(RocksLogDamage, ANewestFileCutShortAnywhere) {
  Original original;
  make_small(original);
  base::Random random(3);
  const std::size_t end = original.record_ends.back();
  std::vector<std::size_t> lengths(original.record_ends.begin(), original.record_ends.end() - 1);
  lengths.push_back(0);
  lengths.push_back(end - 1);
  for (int i = 0; i < 30; ++i) lengths.push_back(random.below(end));
  for (const std::size_t length : lengths) {
    LogHost copy(original.host);
    fs::resize_file(copy.newest_write_ahead_file(), length);
    EXPECT_EQ(judge(copy, original), Verdict::kQuarantined) << "length " << length;
  }
}

TEST(RocksLogDamage, TwoHundredSeededPlaces) {
  Original original;
  make_large(original);
  base::Random random(20261125);
  std::vector<fs::path> files;
  for (const auto& file : fs::directory_iterator(original.host.log_directory())) {
    if (file.file_size() > 0) files.push_back(file.path().filename());
  }
  std::sort(files.begin(), files.end());
  int quarantined = 0;
  for (int place = 0; place < 200; ++place) {
    LogHost copy(original.host);
    const fs::path file = copy.log_directory() / files[random.below(files.size())];
    const std::size_t at = random.below(fs::file_size(file));
    SCOPED_TRACE(file.filename().string() + " byte " + std::to_string(at));
    flip(file, at, static_cast<unsigned>(random.below(8)));
    const Verdict verdict = judge(copy, original);
    if (file.extension() == ".log") {
      EXPECT_EQ(verdict, Verdict::kQuarantined);
    }
    if (verdict == Verdict::kQuarantined && quarantined++ % 10 == 0) expect_usable(copy);
    if (testing::Test::HasFailure()) break;
  }
  // Bytes that hold no data (options, padding, statistics) may flip unnoticed; most are not such.
  EXPECT_GT(quarantined, 80);
}

TEST(RocksLogDamage, EveryMissingFile) {
  Original original;
  make_large(original);
  int quarantined = 0;
  for (const auto& file : fs::directory_iterator(original.host.log_directory())) {
    const fs::path name = file.path().filename();
    SCOPED_TRACE(name.string());
    LogHost copy(original.host);
    fs::remove(copy.log_directory() / name);
    const Verdict verdict = judge(copy, original);
    const bool holds_data = name.extension() == ".log" || name.extension() == ".sst" ||
                            name == "CURRENT" || name.string().starts_with("MANIFEST");
    if (holds_data) {
      EXPECT_EQ(verdict, Verdict::kQuarantined);
    }
    if (verdict == Verdict::kQuarantined) {
      ++quarantined;
      expect_usable(copy);
    }
  }
  EXPECT_GE(quarantined, 5);
}

TEST(RocksLogDamage, AZeroedBlock) {
  Original original;
  make_small(original, 1200, 100);  // several blocks of 32 KiB
  const std::size_t size = original.record_ends.back();
  ASSERT_GT(size, std::size_t{5} * 32768);
  for (const auto& [at, length] : {std::pair<std::size_t, std::size_t>{65536, 32768},
                                   {4096, 4096},
                                   {0, 512},
                                   {size - 4096, 4096}}) {
    LogHost copy(original.host);
    std::string bytes = read(copy.newest_write_ahead_file());
    bytes.replace(at, length, length, '\0');
    write(copy.newest_write_ahead_file(), bytes);
    EXPECT_EQ(judge(copy, original), Verdict::kQuarantined) << "at " << at;
    expect_usable(copy);
  }
}

TEST(RocksLogDamage, AMissingWatermark) {
  Original original;
  make_small(original);
  LogHost copy(original.host);
  fs::remove(copy.watermark());
  EXPECT_EQ(judge(copy, original), Verdict::kQuarantined);
  EXPECT_NE(copy.open()->contents().quarantine->find("watermark"), std::string::npos);
  expect_usable(copy);
}

TEST(RocksLogDamage, OneDamagedSlotOfTheWatermarkIsATornWriteAndNoLoss) {
  Original original;
  make_small(original);
  const std::size_t size = read(original.host.watermark()).size();
  for (std::size_t at = 0; at < size; at += 17) {
    LogHost copy(original.host);
    flip(copy.watermark(), at, static_cast<unsigned>(at % 8));
    EXPECT_EQ(judge(copy, original), Verdict::kWhole) << "byte " << at;
  }
}

TEST(RocksLogDamage, BothSlotsOfTheWatermarkDamagedIsAMissingWatermark) {
  Original original;
  make_small(original);
  LogHost flipped(original.host);
  flip(flipped.watermark(), 20, 1);
  flip(flipped.watermark(), 4096 + 20, 1);
  EXPECT_EQ(judge(flipped, original), Verdict::kQuarantined);
  LogHost emptied(original.host);
  fs::resize_file(emptied.watermark(), 0);
  EXPECT_EQ(judge(emptied, original), Verdict::kQuarantined);
}

TEST(RocksLogDamage, AMissingLogKeepsTermAndVoteOfTheWatermark) {
  Original original;
  make_small(original);
  LogHost copy(original.host);
  fs::remove_all(copy.log_directory());
  EXPECT_EQ(judge(copy, original), Verdict::kQuarantined);
  auto log = copy.open();
  EXPECT_TRUE(log->contents().metas.empty());
  EXPECT_EQ(log->contents().hard_state, original.hard_state);
}

TEST(RocksLogDamage, LogAndWatermarkGoneIsWiped) {
  Original original;
  make_small(original);
  LogHost copy(original.host);
  fs::remove_all(copy.log_directory());
  fs::remove(copy.watermark());
  EXPECT_EQ(judge(copy, original), Verdict::kQuarantined);
  EXPECT_NE(copy.open()->contents().quarantine->find("wiped"), std::string::npos);
  expect_usable(copy);
}

TEST(RocksLogDamage, WhatWasNeverSyncedMayBeTornAnywhere) {
  Original original;
  make_small(original);
  LogHost longer(original.host);
  {
    auto log = longer.open();
    LogWriter writer(*log);
    fill(*log, writer, 3);  // these bytes stand for a write whose sync never ended
  }
  const std::string unsynced = read(longer.newest_write_ahead_file());
  const std::string name = longer.newest_write_ahead_file().filename().string();
  // RocksDB has made a new file at that opening, so what was found before lies in a table.
  LogHost base(original.host);
  { auto log = base.open(); }
  for (std::size_t length = 0; length < unsynced.size(); length += 3) {
    LogHost torn(base);
    ASSERT_EQ(torn.newest_write_ahead_file().filename(), name);
    write(torn.newest_write_ahead_file(), std::string_view(unsynced).substr(0, length));
    auto log = torn.open();
    EXPECT_EQ(log->contents().quarantine, std::nullopt) << "length " << length;
    EXPECT_GE(log->contents().metas.size(), original.payloads.size());
  }
}

TEST(RocksLogDamage, GarbageAndZerosBehindTheEndAreATornTail) {
  Original original;
  make_small(original);
  base::Random random(5);
  for (const bool zeros : {true, false}) {
    for (const std::size_t length : {1, 6, 7, 100, 5000, 70000}) {
      LogHost copy(original.host);
      std::string bytes = read(copy.newest_write_ahead_file());
      for (std::size_t i = 0; i < length; ++i) {
        bytes.push_back(zeros ? '\0' : static_cast<char>(random.below(256)));
      }
      write(copy.newest_write_ahead_file(), bytes);
      EXPECT_EQ(judge(copy, original), Verdict::kWhole) << length << (zeros ? " zeros" : " bytes");
    }
  }
}

/// After a power cut the watermark may be old: then claims in the log speak for what came before
/// them.
TEST(RocksLogDamage, ClaimsTellOfALossInTheMiddleWhenTheWatermarkIsOld) {
  Original original;
  make_small(original, 1, 8);
  const std::string old_watermark = read(original.host.watermark());
  {
    auto log = original.open();
    original.record_ends.clear();
    original.vote(*log, Term(4));
    original.fill(*log, 800, 100);
  }
  ASSERT_GT(original.record_ends.back(), std::size_t{3} * 32768);
  LogHost copy(original.host);
  write(copy.watermark(), old_watermark);
  flip(copy.newest_write_ahead_file(), original.record_ends[100] + 30, 2);
  EXPECT_EQ(judge(copy, original), Verdict::kQuarantined);
}

/// What nothing on the node can tell: a lost tail behind an old watermark, no claim behind it. The
/// state (reconcile_test.cc) and the peers may know; this test says plainly that the log does not.
TEST(RocksLogDamage, ALostTailBehindAnOldWatermarkCannotBeToldByTheLogAlone) {
  Original original;
  make_small(original, 5, 8);
  const std::string old_watermark = read(original.host.watermark());
  const std::size_t old_entries = original.payloads.size();
  {
    auto log = original.open();
    original.record_ends.clear();
    original.fill(*log, 5, 8);
  }
  LogHost copy(original.host);
  write(copy.watermark(), old_watermark);
  fs::resize_file(copy.newest_write_ahead_file(), 0);
  auto log = copy.open();
  EXPECT_EQ(log->contents().quarantine, std::nullopt);
  EXPECT_EQ(log->contents().metas.size(), old_entries);
}

/// An opening that ends between RocksDB's recovery, which deletes the damaged file, and the
/// verdict.
TEST(RocksLogDamage, ACrashBeforeTheVerdictHidesNothing) {
  Original original;
  make_small(original, 1, 8);
  const std::string old_watermark = read(original.host.watermark());
  {
    auto log = original.open();
    original.record_ends.clear();
    original.vote(*log, Term(4));
    original.fill(*log, 800, 100);
  }
  LogHost copy(original.host);
  write(copy.watermark(), old_watermark);
  flip(copy.newest_write_ahead_file(), original.record_ends[100] + 30, 2);
  {
    storage::EvidenceFolder evidence(copy.path(), 2);
    ASSERT_TRUE(evidence.collect(copy.log_directory()).is_ok());
    rocksdb::DB* db = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(storage::log_options(rocksdb::Env::Default(), nullptr),
                                  copy.log_directory(), &db)
                    .ok());
    delete db;
  }
  EXPECT_EQ(judge(copy, original), Verdict::kQuarantined);
}

/// What rots while the log is open is found by whoever loads it.
TEST(RocksLogDamage, AnEntryThatRotsUnderAnOpenLogCannotBeLoaded) {
  LogHost host;
  {
    auto log = host.open();
    LogWriter writer(*log);
    fill(*log, writer, 50, 1000);
  }
  auto log = host.open();  // the entries are in a table now
  ASSERT_TRUE(log->load(Index(1), Index(50), 1 << 20).is_ok());
  for (const auto& file : fs::directory_iterator(host.log_directory())) {
    if (file.path().extension() != ".sst") continue;
    // In place: RocksDB has the file open.
    auto opened = storage::File::open(file.path(), O_WRONLY);
    ASSERT_TRUE(storage::write_at(opened.value(), file.path(), "rot", 20000).is_ok());
  }
  auto loaded = log->load(Index(1), Index(50), 1 << 20);
  EXPECT_EQ(loaded.status().code(), base::Code::kCorrupt) << loaded.status().to_string();
}

TEST(RocksLogDamage, EvidenceOfACleanOpeningIsRemovedWithTheFirstSyncOfTheWatermark) {
  Original original;
  make_small(original);
  LogHost copy(original.host);
  auto log = copy.open();
  EXPECT_TRUE(fs::exists(copy.evidence()));
  ASSERT_TRUE(log->sync_watermark().is_ok());
  EXPECT_FALSE(fs::exists(copy.evidence()));
}

TEST(RocksLogDamage, ALossThatIsToldBeforeTheFirstSyncKeepsTheEvidence) {
  Original original;
  make_small(original);
  LogHost copy(original.host);
  auto log = copy.open();
  ASSERT_TRUE(log->quarantine("the state says so").is_ok());
  ASSERT_TRUE(log->sync_watermark().is_ok());
  EXPECT_TRUE(fs::exists(copy.evidence()));
}

TEST(RocksLogDamage, AnEpochThatWasPutBackIsARollback) {
  Original original;
  make_small(original);
  LogHost rolled_back;  // epoch 0 again
  fs::copy(original.host.path(), rolled_back.path(), fs::copy_options::recursive);
  auto log = storage::RocksLog::open({.member_directory = rolled_back.path(),
                                      .identity = {},
                                      .opening = {1, 9},
                                      .initialised = true,
                                      .faults = nullptr});
  EXPECT_EQ(log.status().code(), base::Code::kRolledBack);
  EXPECT_FALSE(rolled_back.quarantined());
}

}  // namespace
}  // namespace storage_test
