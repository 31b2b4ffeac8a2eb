// The memory twin's disk: what crashes lose and what faults do, judged by the same guard as the
// real one.
#include "storage/memory_log.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "tests/conformance/log_writer.h"

namespace storage_test {
namespace {

using base::Index;
using base::MemberId;
using base::Random;
using base::Term;
using conformance::LogWriter;
using storage::MemoryDisk;
using storage::MemoryLog;

class MemoryLogTest : public testing::Test {
 protected:
  MemoryLogTest() { reopen(); }

  void reopen() {
    log_ = std::move(MemoryLog::open(disk_, ++nonce_)).value();
    writer_.emplace(*log_);
  }
  void append(const raft::PersistRequest& request) {
    ASSERT_TRUE(log_->append({&request, 1}).is_ok());
  }
  void write(const raft::PersistRequest& request) {
    ASSERT_TRUE(log_->write({&request, 1}).is_ok());
  }
  void fill(int entries) {
    append(writer_->vote(Term(1), MemberId(2)));
    for (int i = 0; i < entries; ++i) append(writer_->append({"entry " + std::to_string(i)}));
  }
  std::size_t entries() const { return log_->contents().metas.size(); }
  bool quarantined() const { return log_->contents().quarantine.has_value(); }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>(
      storage::Identity{base::ClusterId(1), MemberId(2), base::Incarnation(3)});
  std::uint64_t nonce_ = 0;
  std::unique_ptr<MemoryLog> log_;
  std::optional<LogWriter> writer_;
};

TEST_F(MemoryLogTest, APowerCutLosesOnlyWhatWasNotSynced) {
  Random random(1);
  std::size_t seen_lost = 0, seen_kept = 0;
  for (int round = 0; round < 200; ++round) {
    disk_ = std::make_shared<MemoryDisk>(disk_->identity());
    reopen();
    fill(5);
    for (int i = 0; i < 3; ++i) write(writer_->append({"unsynced"}));
    EXPECT_EQ(disk_->unsynced(), 3u);
    disk_->power_cut(random);
    reopen();
    EXPECT_FALSE(quarantined()) << *log_->contents().quarantine;
    ASSERT_GE(entries(), 5u);
    ASSERT_LE(entries(), 8u);
    seen_lost += entries() == 5;
    seen_kept += entries() == 8;
  }
  EXPECT_GT(seen_lost, 20u);
  EXPECT_GT(seen_kept, 2u);
}

TEST_F(MemoryLogTest, AKilledProcessLosesAtMostATornBatch) {
  Random random(2);
  for (int round = 0; round < 50; ++round) {
    disk_ = std::make_shared<MemoryDisk>(disk_->identity());
    reopen();
    fill(5);
    for (int i = 0; i < 3; ++i) write(writer_->append({"unsynced"}));
    disk_->kill(random);
    reopen();
    EXPECT_FALSE(quarantined());
    EXPECT_GE(entries(), 7u);
  }
}

TEST_F(MemoryLogTest, LostSyncedBatchesAreNoticed) {
  Random random(3);
  for (std::size_t lost = 1; lost <= 5; ++lost) {
    disk_ = std::make_shared<MemoryDisk>(disk_->identity());
    reopen();
    fill(10);
    disk_->kill(random);
    ASSERT_TRUE(disk_->lose_newest(lost));
    reopen();
    EXPECT_TRUE(quarantined()) << lost;
    EXPECT_EQ(entries(), 10 - lost);
  }
  EXPECT_FALSE(disk_->lose_newest(1000));
}

TEST_F(MemoryLogTest, ADamagedBatchIsNoticedAndEndsTheLog) {
  Random random(4);
  for (std::size_t back = 0; back < 5; ++back) {
    disk_ = std::make_shared<MemoryDisk>(disk_->identity());
    reopen();
    fill(10);
    disk_->power_cut(random);
    ASSERT_TRUE(disk_->damage(back));
    reopen();
    EXPECT_EQ(entries(), 9 - back);
    // The newest batch has nothing behind it that claims it, so only a watermark that is exact
    // tells.
    if (back > 0) {
      EXPECT_TRUE(quarantined()) << back;
    }
  }
}

TEST_F(MemoryLogTest, AnAlteredEntryIsNoticedWhereverItIsStored) {
  for (const std::uint64_t index : {std::uint64_t{1}, std::uint64_t{30}, std::uint64_t{60}}) {
    disk_ = std::make_shared<MemoryDisk>(disk_->identity());
    reopen();
    fill(60);  // more than are kept apart
    ASSERT_TRUE(disk_->alter_entry(Index(index)));
    reopen();
    EXPECT_TRUE(quarantined());
    EXPECT_EQ(entries(), index - 1);
    EXPECT_FALSE(disk_->alter_entry(Index(61)));
    append(writer_->append({"goes on"}));
    reopen();
    EXPECT_TRUE(quarantined());
    EXPECT_EQ(entries(), index);
  }
}

TEST_F(MemoryLogTest, ALostWatermarkAndAWipedDiskAreNoticed) {
  fill(3);
  disk_->lose_watermark();
  reopen();
  EXPECT_TRUE(quarantined());
  EXPECT_EQ(entries(), 3u);

  disk_ = std::make_shared<MemoryDisk>(disk_->identity());
  reopen();
  fill(3);
  disk_->wipe();
  reopen();
  ASSERT_TRUE(quarantined());
  EXPECT_NE(log_->contents().quarantine->find("wiped"), std::string::npos);
  EXPECT_EQ(entries(), 0u);
}

TEST_F(MemoryLogTest, ALogThatSomebodyElseOpenedIsFenced) {
  fill(1);
  auto old = std::move(log_);
  LogWriter old_writer = *writer_;
  reopen();
  const auto request = old_writer.append({"from the past"});
  EXPECT_EQ(old->append({&request, 1}).code(), base::Code::kLocked);
}

/// Crash after crash, with truncations, votes, cuts and restarts between: never an alarm, and never
/// is anything lost that was synced.
TEST_F(MemoryLogTest, NoFalseAlarmInAThousandCrashes) {
  Random random(20261125);
  std::size_t crashes = 0;
  LogWriter synced = *writer_;
  while (crashes < 1000) {
    const std::uint64_t what = random.below(12);
    if (what < 5) {
      write(writer_->append({"a", "b"}));
    } else if (what == 5) {
      write(writer_->vote(writer_->term().next(), MemberId(random.below(3))));
    } else if (what == 6 && writer_->last() >= writer_->first()) {
      const std::uint64_t back = random.below(writer_->last() - writer_->first() + 1);
      write(writer_->overwrite(Index(writer_->last().value - back), {"new"}));
    } else if (what == 7 && writer_->last() > writer_->first() && disk_->unsynced() == 0) {
      const Index through(writer_->first().value);
      const auto meta = writer_->meta(through);
      ASSERT_TRUE(log_->cut(through, meta.term, meta.hash).is_ok());
      writer_->cut(through);
      synced = *writer_;
    } else if (what == 8) {
      ASSERT_TRUE(log_->sync_watermark().is_ok());
    } else if (what < 11) {
      ASSERT_TRUE(log_->sync().is_ok());
      synced = *writer_;
    } else {
      ++crashes;
      random.chance(2) ? disk_->power_cut(random) : disk_->kill(random);
      reopen();
      ASSERT_FALSE(quarantined()) << *log_->contents().quarantine << " after " << crashes;
      ASSERT_GE(log_->contents().ordinal,
                synced.ordinal().counter == 0 ? base::Ordinal() : synced.ordinal());
      if (random.chance(5)) {
        const Index index = writer_->last() + random.below(3);
        ASSERT_TRUE(
            log_->restart_after(index, writer_->term(), base::ChainHash{random.next()}).is_ok());
        writer_.emplace(*log_);
      }
      synced = *writer_;
    }
  }
}

}  // namespace
}  // namespace storage_test
