// The same cases on the RocksDB log and its memory twin: what LogStore promises.
#include "storage/log_store.h"

#include <gtest/gtest.h>

#include <memory>

#include "storage/data_directory.h"
#include "storage/memory_log.h"
#include "tests/conformance/log_writer.h"
#include "tests/conformance/scratch.h"

namespace conformance {
namespace {

using base::ChainHash;
using base::Code;
using base::Index;
using base::MemberId;
using base::Ordinal;
using base::Status;
using base::Term;
using storage::LogStore;

/// One member's disk with a RocksDB log on it.
class RocksHost {
 public:
  std::unique_ptr<LogStore> open() {
    auto directory = storage::DataDirectory::open(
        {.path = scratch_.path() + "/n1", .cluster = base::ClusterId(1), .member = MemberId(2)});
    CHECK(directory.is_ok(), directory.status().to_string());
    return std::make_unique<Handle>(std::move(directory).value());
  }

 private:
  /// A log that keeps its directory open.
  class Handle final : public LogStore {
   public:
    explicit Handle(std::unique_ptr<storage::DataDirectory> directory)
        : directory_(std::move(directory)) {}
    LogStore& log() const { return directory_->log(); }
    const storage::LogContents& contents() const override { return log().contents(); }
    base::Opening opening() const override { return log().opening(); }
    storage::Identity identity() const override { return log().identity(); }
    Status append(std::span<const raft::PersistRequest> requests) override {
      return log().append(requests);
    }
    base::Result<std::vector<raft::EntryPtr>> load(Index from, Index to,
                                                   std::size_t limit_bytes) override {
      return log().load(from, to, limit_bytes);
    }
    Status cut(Index through, Term term, ChainHash hash) override {
      return log().cut(through, term, hash);
    }
    Status sync_watermark() override { return log().sync_watermark(); }
    Status quarantine(const std::string& reason) override { return log().quarantine(reason); }
    Status restart_after(Index index, Term term, ChainHash hash) override {
      return log().restart_after(index, term, hash);
    }
    std::uint64_t syncs() const override { return log().syncs(); }
    std::uint64_t size_bytes() const override { return log().size_bytes(); }

   private:
    std::unique_ptr<storage::DataDirectory> directory_;
  };

  ScratchDirectory scratch_;
};

class MemoryHost {
 public:
  std::unique_ptr<LogStore> open() {
    auto log = storage::MemoryLog::open(disk_, ++nonce_);
    CHECK(log.is_ok());
    return std::move(log).value();
  }

 private:
  std::shared_ptr<storage::MemoryDisk> disk_ = std::make_shared<storage::MemoryDisk>(
      storage::Identity{base::ClusterId(1), MemberId(2), base::Incarnation(3)});
  std::uint64_t nonce_ = 0;
};

template <class Host>
class LogStoreTest : public testing::Test {
 protected:
  LogStoreTest() { reopen(); }

  /// Closes the log and opens it again; the writer goes on from what it found.
  void reopen() {
    log_.reset();
    log_ = host_.open();
    writer_ = std::make_unique<LogWriter>(*log_);
  }
  void append(raft::PersistRequest request) {
    const Status status = log_->append({&request, 1});
    ASSERT_TRUE(status.is_ok()) << status.to_string();
  }
  /// Votes in term 1 and appends this many entries.
  void fill(std::size_t entries) {
    append(writer_->vote(Term(1), MemberId(2)));
    for (std::size_t i = 0; i < entries; ++i) append(writer_->append({payload(i)}));
  }
  static std::string payload(std::size_t i) { return "payload " + std::to_string(i); }

  /// Whether contents() tells what `expected` holds.
  void expect_contents(const LogWriter& expected) {
    const auto& contents = log_->contents();
    EXPECT_EQ(contents.quarantine, std::nullopt);
    EXPECT_EQ(contents.first, expected.first());
    EXPECT_EQ(contents.previous_term, expected.meta(expected.first().previous()).term);
    EXPECT_EQ(contents.previous_hash, expected.meta(expected.first().previous()).hash);
    ASSERT_EQ(contents.metas.size(), expected.metas().size());
    for (std::size_t i = 0; i < contents.metas.size(); ++i) {
      EXPECT_EQ(contents.metas[i].term, expected.metas()[i].term);
      EXPECT_EQ(contents.metas[i].hash, expected.metas()[i].hash);
      EXPECT_EQ(contents.metas[i].size_bytes, expected.metas()[i].size_bytes);
    }
  }

  Host host_;
  std::unique_ptr<LogStore> log_;
  std::unique_ptr<LogWriter> writer_;
};

using Hosts = testing::Types<RocksHost, MemoryHost>;
class HostNames {
 public:
  template <class Host>
  static std::string GetName(int) {
    return std::is_same_v<Host, RocksHost> ? "Rocks" : "Memory";
  }
};
TYPED_TEST_SUITE(LogStoreTest, Hosts, HostNames);

TYPED_TEST(LogStoreTest, StartsEmpty) {
  const auto& contents = this->log_->contents();
  EXPECT_EQ(contents.hard_state, raft::HardState());
  EXPECT_EQ(contents.ordinal, Ordinal());
  EXPECT_EQ(contents.first, Index(1));
  EXPECT_TRUE(contents.metas.empty());
  EXPECT_EQ(contents.quarantine, std::nullopt);
  EXPECT_EQ(this->log_->opening().epoch, 1u);
  EXPECT_EQ(this->log_->size_bytes(), 0u);
}

TYPED_TEST(LogStoreTest, EachOpeningHasAHigherEpochAndTheSameIncarnation) {
  const auto identity = this->log_->identity();
  const auto first = this->log_->opening();
  EXPECT_TRUE(identity.incarnation);
  EXPECT_NE(first.nonce, 0u);
  this->reopen();
  EXPECT_EQ(this->log_->identity(), identity);
  EXPECT_EQ(this->log_->opening().epoch, first.epoch + 1);
  EXPECT_NE(this->log_->opening().nonce, first.nonce);
}

TYPED_TEST(LogStoreTest, WhatWasAppendedIsFoundAgain) {
  this->fill(10);
  const LogWriter written = *this->writer_;
  this->reopen();
  this->expect_contents(written);
  EXPECT_EQ(this->log_->contents().ordinal, written.ordinal());
  EXPECT_EQ(this->log_->contents().hard_state, (raft::HardState{Term(1), MemberId(2), {7, 77}}));
  auto loaded = this->log_->load(Index(1), Index(10), 1 << 20);
  ASSERT_TRUE(loaded.is_ok()) << loaded.status().to_string();
  ASSERT_EQ(loaded->size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) {
    const raft::Entry& entry = *loaded.value()[i];
    EXPECT_EQ(entry.index, Index(i + 1));
    EXPECT_EQ(entry.term, Term(1));
    EXPECT_EQ(entry.kind, raft::EntryKind::kCommand);
    EXPECT_EQ(entry.time, base::HybridTime(1001 + i, 3));
    EXPECT_EQ(entry.hash, written.meta(entry.index).hash);
    EXPECT_EQ(entry.payload, this->payload(i));
  }
}

TYPED_TEST(LogStoreTest, OneAppendIsOneSyncHoweverManyRequests) {
  this->append(this->writer_->vote(Term(1), MemberId()));
  const std::uint64_t before = this->log_->syncs();
  std::vector<raft::PersistRequest> requests;
  for (int i = 0; i < 20; ++i) requests.push_back(this->writer_->append({"a", "b"}));
  ASSERT_TRUE(this->log_->append(requests).is_ok());
  EXPECT_EQ(this->log_->syncs(), before + 1);
  const LogWriter written = *this->writer_;
  this->reopen();
  this->expect_contents(written);
  EXPECT_EQ(this->log_->contents().ordinal, written.ordinal());
}

TYPED_TEST(LogStoreTest, TheOrdinalIsRecoveredWhateverTheLastRequestWas) {
  this->fill(5);
  this->append(this->writer_->vote(Term(2), MemberId(3)));
  LogWriter written = *this->writer_;
  this->reopen();
  EXPECT_EQ(this->log_->contents().ordinal, written.ordinal());
  EXPECT_EQ(this->log_->contents().hard_state.term, Term(2));

  this->append(this->writer_->overwrite(Index(3), {}));
  written = *this->writer_;
  this->reopen();
  this->expect_contents(written);
  EXPECT_EQ(this->log_->contents().ordinal, written.ordinal());
}

TYPED_TEST(LogStoreTest, TruncatedEntriesAreGoneAndOverwrittenOnesNew) {
  this->fill(10);
  this->append(this->writer_->vote(Term(2), MemberId()));
  this->append(this->writer_->overwrite(Index(6), {"new six", "new seven"}));
  const LogWriter written = *this->writer_;
  EXPECT_EQ(this->log_->load(Index(8), Index(8), 100).status().code(), Code::kInvalidArgument);
  this->reopen();
  this->expect_contents(written);
  auto loaded = this->log_->load(Index(5), Index(7), 1 << 20);
  ASSERT_TRUE(loaded.is_ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded.value()[0]->payload, this->payload(4));
  EXPECT_EQ(loaded.value()[1]->payload, "new six");
  EXPECT_EQ(loaded.value()[2]->payload, "new seven");
}

TYPED_TEST(LogStoreTest, RequestsOfOneAppendTakeEffectInOrder) {
  this->fill(4);
  std::vector<raft::PersistRequest> requests;
  requests.push_back(this->writer_->append({"five", "six", "seven"}));
  requests.push_back(this->writer_->vote(Term(2), MemberId(1)));
  requests.push_back(this->writer_->overwrite(Index(6), {"other six"}));
  requests.push_back(this->writer_->overwrite(Index(4), {"other four", "other five"}));
  requests.push_back(this->writer_->append({"third six"}));
  ASSERT_TRUE(this->log_->append(requests).is_ok());
  const LogWriter written = *this->writer_;
  this->reopen();
  this->expect_contents(written);
  auto loaded = this->log_->load(Index(3), Index(6), 1 << 20);
  ASSERT_TRUE(loaded.is_ok()) << loaded.status().to_string();
  EXPECT_EQ(loaded.value()[1]->payload, "other four");
  EXPECT_EQ(loaded.value()[3]->payload, "third six");
}

TYPED_TEST(LogStoreTest, TheWholeLogCanBeTruncated) {
  this->fill(3);
  this->append(this->writer_->vote(Term(2), MemberId()));
  this->append(this->writer_->overwrite(Index(1), {}));
  EXPECT_EQ(this->log_->size_bytes(), 0u);
  const LogWriter written = *this->writer_;
  this->reopen();
  this->expect_contents(written);
  this->append(this->writer_->append({"one again"}));
}

TYPED_TEST(LogStoreTest, LoadStopsAtItsLimitButGivesAtLeastOne) {
  this->append(this->writer_->vote(Term(1), MemberId()));
  this->append(this->writer_->append({std::string(1000, 'a'), std::string(1000, 'b'),
                                      std::string(1000, 'c'), std::string(5000, 'd')}));
  EXPECT_EQ(this->log_->load(Index(1), Index(4), 2200)->size(), 2u);
  EXPECT_EQ(this->log_->load(Index(4), Index(4), 10)->size(), 1u);
  EXPECT_EQ(this->log_->load(Index(1), Index(4), 1 << 20)->size(), 4u);
  EXPECT_EQ(this->log_->load(Index(4), Index(5), 10).status().code(), Code::kInvalidArgument);
}

TYPED_TEST(LogStoreTest, ACutLogBeginsBehindTheCut) {
  this->fill(10);
  const std::uint64_t before = this->log_->size_bytes();
  const auto meta = this->writer_->meta(Index(4));
  ASSERT_TRUE(this->log_->cut(Index(4), meta.term, meta.hash).is_ok());
  this->writer_->cut(Index(4));
  EXPECT_LT(this->log_->size_bytes(), before);
  EXPECT_EQ(this->log_->load(Index(4), Index(5), 100).status().code(), Code::kInvalidArgument);
  this->append(this->writer_->append({"eleven"}));
  const std::uint64_t after = this->log_->size_bytes();
  const LogWriter written = *this->writer_;
  this->reopen();
  this->expect_contents(written);
  EXPECT_EQ(this->log_->contents().first, Index(5));
  EXPECT_EQ(this->log_->size_bytes(), after);
  // A cut that was made already changes nothing.
  ASSERT_TRUE(this->log_->cut(Index(4), meta.term, meta.hash).is_ok());
  EXPECT_EQ(this->log_->load(Index(5), Index(11), 1 << 20)->size(), 7u);
}

TYPED_TEST(LogStoreTest, ManyCutsLeaveAWholeLog) {
  this->fill(1);
  for (int round = 0; round < 40; ++round) {
    this->append(this->writer_->append({"x", "y", "z"}));
    const Index through = this->writer_->last().previous();
    const auto meta = this->writer_->meta(through);
    ASSERT_TRUE(this->log_->cut(through, meta.term, meta.hash).is_ok());
    this->writer_->cut(through);
  }
  const LogWriter written = *this->writer_;
  this->reopen();
  this->expect_contents(written);
}

TYPED_TEST(LogStoreTest, ALogCanRestartBehindAnEntryOfTheState) {
  this->fill(5);
  const Ordinal before = this->writer_->ordinal();
  this->reopen();
  ASSERT_TRUE(this->log_->restart_after(Index(20), Term(1), ChainHash{99}).is_ok());
  const auto check = [&] {
    const auto& contents = this->log_->contents();
    EXPECT_EQ(contents.first, Index(21));
    EXPECT_EQ(contents.previous_term, Term(1));
    EXPECT_EQ(contents.previous_hash, ChainHash{99});
    EXPECT_TRUE(contents.metas.empty());
    EXPECT_EQ(contents.quarantine, std::nullopt);
    EXPECT_GT(contents.ordinal, before);
    EXPECT_EQ(contents.hard_state.term, Term(1));
  };
  check();
  EXPECT_EQ(this->log_->size_bytes(), 0u);
  this->reopen();
  check();
  this->append(this->writer_->append({"twenty-one"}));
  const LogWriter written = *this->writer_;
  this->reopen();
  this->expect_contents(written);
}

TYPED_TEST(LogStoreTest, ASnapshotRestartsTheLogWhateverItHeld) {
  for (const auto& payloads : {std::vector<std::string>(), std::vector<std::string>{"a", "b"}}) {
    this->fill(5);
    const Index index(this->writer_->last().value + 15);
    this->append(this->writer_->restart(index, Term(1), ChainHash{99}, payloads));
    EXPECT_EQ(this->log_->load(Index(1), Index(1), 100).status().code(), Code::kInvalidArgument);
    const LogWriter written = *this->writer_;
    const Ordinal before = this->writer_->ordinal();
    this->reopen();
    this->expect_contents(written);
    EXPECT_GE(this->log_->contents().ordinal, before);
    // And it goes on, below what the old log held too.
    this->append(this->writer_->append({"next"}));
    const LogWriter more = *this->writer_;
    this->reopen();
    this->expect_contents(more);
  }
}

TYPED_TEST(LogStoreTest, ARestartInTheMiddleOfABatchLeavesOnlyWhatFollowsIt) {
  this->fill(3);
  std::vector<raft::PersistRequest> requests;
  requests.push_back(this->writer_->append({"before"}));
  requests.push_back(this->writer_->restart(Index(2), Term(1), ChainHash{7}, {"three", "four"}));
  requests.push_back(this->writer_->overwrite(Index(4), {"another four", "five"}));
  ASSERT_TRUE(this->log_->append(requests).is_ok());
  const auto loaded = this->log_->load(Index(3), Index(5), 10000);
  ASSERT_TRUE(loaded.is_ok()) << loaded.status().to_string();
  ASSERT_EQ(loaded->size(), 3u);
  EXPECT_EQ(loaded.value()[1]->payload, "another four");
  const LogWriter written = *this->writer_;
  this->reopen();
  this->expect_contents(written);
}

TYPED_TEST(LogStoreTest, ACutThatComesAfterARestartIsNone) {
  this->fill(5);
  this->append(this->writer_->restart(Index(20), Term(1), ChainHash{9}, {"x", "y"}));
  ASSERT_TRUE(this->log_->cut(Index(3), Term(1), ChainHash{1}).is_ok());
  const LogWriter written = *this->writer_;
  this->reopen();
  this->expect_contents(written);
}

TYPED_TEST(LogStoreTest, AQuarantineThatEndsIsGoneForGood) {
  this->fill(3);
  ASSERT_TRUE(this->log_->quarantine("lost").is_ok());
  this->reopen();
  ASSERT_TRUE(this->log_->contents().quarantine.has_value());
  this->append(this->writer_->end_quarantine());
  const LogWriter written = *this->writer_;
  this->reopen();
  this->expect_contents(written);
}

TYPED_TEST(LogStoreTest, ARequestOfAnOlderTermIsFenced) {
  this->fill(2);
  auto old = this->writer_->append({"from an older leader"});
  auto vote = this->writer_->vote(Term(5), MemberId(4));
  std::swap(old.ordinal, vote.ordinal);
  this->append(std::move(vote));
  const Status status = this->log_->append({&old, 1});
  EXPECT_EQ(status.code(), Code::kInternal);
  EXPECT_NE(status.detail().find("term 5 is durable"), std::string::npos) << status.detail();
  this->reopen();
  EXPECT_EQ(this->log_->contents().metas.size(), 2u);
  EXPECT_EQ(this->log_->contents().hard_state.term, Term(5));
}

TYPED_TEST(LogStoreTest, TheFenceAlsoHoldsInsideOneAppend) {
  this->fill(2);
  std::vector<raft::PersistRequest> requests;
  requests.push_back(this->writer_->vote(Term(3), MemberId(1)));
  requests.push_back(this->writer_->append({"x"}));
  requests.back().term = Term(2);
  EXPECT_EQ(this->log_->append(requests).code(), Code::kInternal);
}

TYPED_TEST(LogStoreTest, TheFenceIsThereAgainAfterReopening) {
  this->append(this->writer_->vote(Term(9), MemberId(1)));
  this->reopen();
  auto request = this->writer_->append({"x"});
  request.term = Term(8);
  EXPECT_EQ(this->log_->append({&request, 1}).code(), Code::kInternal);
}

TYPED_TEST(LogStoreTest, AQuarantineIsForGoodAndKeepsItsFirstReason) {
  this->fill(3);
  ASSERT_TRUE(this->log_->quarantine("told by a peer").is_ok());
  ASSERT_TRUE(this->log_->quarantine("told again").is_ok());
  ASSERT_TRUE(this->log_->sync_watermark().is_ok());
  for (int i = 0; i < 2; ++i) {
    this->reopen();
    EXPECT_EQ(this->log_->contents().quarantine, "told by a peer");
    EXPECT_EQ(this->log_->contents().metas.size(), 3u);
  }
}

TYPED_TEST(LogStoreTest, ReopeningOftenNeverAlarms) {
  for (int round = 0; round < 6; ++round) {
    if (round % 2 == 0) this->append(this->writer_->vote(Term(1u + round), MemberId(1)));
    this->append(this->writer_->append({"a"}));
    if (round % 3 == 2) {
      ASSERT_TRUE(this->log_->sync_watermark().is_ok());
    }
    const LogWriter written = *this->writer_;
    this->reopen();
    this->expect_contents(written);
  }
}

}  // namespace
}  // namespace conformance
