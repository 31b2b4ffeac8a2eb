// Rule 3 of DESIGN section 6, and what the state proves against the log. On the memory twin, which
// the conformance tests hold to the real one.
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "storage/data_directory.h"
#include "storage/memory_log.h"
#include "tests/conformance/log_writer.h"

namespace storage_test {
namespace {

using base::ChainHash;
using base::Code;
using base::Index;
using base::MemberId;
using base::Ordinal;
using base::Term;
using conformance::LogWriter;
using storage::MemoryDisk;
using storage::MemoryLog;
using storage::reconcile;

class ReconcileTest : public testing::Test {
 protected:
  ReconcileTest() {
    reopen();
    append(writer_->vote(Term(2), MemberId(1)));
    for (int i = 1; i <= 10; ++i) append(writer_->append({"entry " + std::to_string(i)}));
  }
  void append(const raft::PersistRequest& request) {
    ASSERT_TRUE(log_->append({&request, 1}).is_ok());
  }
  void reopen() {
    log_ = std::move(MemoryLog::open(disk_, ++nonce_)).value();
    writer_.emplace(*log_);
  }
  /// The state as it was when this entry of the log was applied.
  kv::Position applied(Index index) const {
    kv::Position position;
    position.applied = index;
    position.term = writer_->meta(index).term;
    position.hash = writer_->meta(index).hash;
    return position;
  }
  base::Result<raft::Recovered> run(const kv::Position& position) {
    reopen();
    return reconcile(*log_, position, initial_);
  }

  const raft::Configuration initial_{{{MemberId(1), {}}, {MemberId(2), {}}, {MemberId(3), {}}}};
  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>(
      storage::Identity{base::ClusterId(1), MemberId(2), base::Incarnation(3)});
  std::uint64_t nonce_ = 0;
  std::unique_ptr<MemoryLog> log_;
  std::optional<LogWriter> writer_;
};

TEST_F(ReconcileTest, LoadsWhatMustBeAppliedAgain) {
  kv::Position position = applied(Index(7));
  position.time = base::HybridTime(5000, 1);
  auto recovered = run(position);
  ASSERT_TRUE(recovered.is_ok()) << recovered.status().to_string();
  EXPECT_EQ(recovered->applied_time, position.time);
  EXPECT_EQ(recovered->applied, Index(7));
  EXPECT_EQ(recovered->first, Index(1));
  EXPECT_EQ(recovered->metas.size(), 10u);
  ASSERT_EQ(recovered->entries.size(), 3u);
  EXPECT_EQ(recovered->entries[0]->payload, "entry 8");
  EXPECT_EQ(recovered->entries[2]->index, Index(10));
  EXPECT_EQ(recovered->hard_state.term, Term(2));
  EXPECT_EQ(recovered->configuration, initial_);
  EXPECT_FALSE(recovered->quarantined);
}

TEST_F(ReconcileTest, AnEmptyStateAppliesAll) {
  auto recovered = run(kv::Position());
  ASSERT_TRUE(recovered.is_ok());
  EXPECT_EQ(recovered->entries.size(), 10u);
}

TEST_F(ReconcileTest, AStateAtTheEndOfTheLogAppliesNothing) {
  auto recovered = run(applied(Index(10)));
  ASSERT_TRUE(recovered.is_ok());
  EXPECT_TRUE(recovered->entries.empty());
  EXPECT_EQ(recovered->metas.size(), 10u);
}

TEST_F(ReconcileTest, TheConfigurationOfTheStateCounts) {
  kv::Position position = applied(Index(5));
  const raft::Configuration other{{{MemberId(4), base::Incarnation(9)}}};
  position.configuration = raft::encode(other);
  EXPECT_EQ(run(position)->configuration, other);
  position.configuration = "nonsense";
  EXPECT_EQ(run(position).status().code(), Code::kCorrupt);
}

TEST_F(ReconcileTest, ALogThatEndsBelowTheStateRestartsThere) {
  kv::Position position = applied(Index(10));
  position.applied = Index(15);
  position.hash = ChainHash{1234};
  auto recovered = run(position);
  ASSERT_TRUE(recovered.is_ok()) << recovered.status().to_string();
  EXPECT_EQ(recovered->first, Index(16));
  EXPECT_EQ(recovered->previous_term, Term(2));
  EXPECT_EQ(recovered->previous_hash, ChainHash{1234});
  EXPECT_TRUE(recovered->metas.empty());
  EXPECT_FALSE(recovered->quarantined) << "that is no loss";
  // Durably so.
  base::Random random(1);
  disk_->power_cut(random);
  reopen();
  EXPECT_EQ(log_->contents().first, Index(16));
  EXPECT_EQ(log_->contents().quarantine, std::nullopt);
}

TEST_F(ReconcileTest, ALogThatDisagreesInTermRestartsAtTheState) {
  append(writer_->vote(Term(4), MemberId(1)));
  kv::Position position = applied(Index(6));
  position.term = Term(3);
  position.hash = ChainHash{77};
  auto recovered = run(position);
  ASSERT_TRUE(recovered.is_ok()) << recovered.status().to_string();
  EXPECT_EQ(recovered->first, Index(7));
  EXPECT_EQ(recovered->previous_hash, ChainHash{77});
  EXPECT_TRUE(recovered->entries.empty());
  EXPECT_FALSE(recovered->quarantined);
}

TEST_F(ReconcileTest, EqualTermAndUnequalHashIsDivergence) {
  kv::Position position = applied(Index(6));
  position.hash = ChainHash{77};
  auto recovered = run(position);
  EXPECT_EQ(recovered.status().code(), Code::kCorrupt);
  EXPECT_NE(recovered.status().detail().find("divergence"), std::string::npos);
  reopen();
  EXPECT_EQ(log_->contents().metas.size(), 10u) << "nothing was truncated";
}

class CutLog : public ReconcileTest {
 protected:
  CutLog() {
    const auto meta = writer_->meta(Index(4));
    at_cut_ = applied(Index(4));
    before_cut_ = applied(Index(3));
    EXPECT_TRUE(log_->cut(Index(4), meta.term, meta.hash).is_ok());
    writer_->cut(Index(4));
  }
  kv::Position at_cut_, before_cut_;
};

TEST_F(CutLog, AStateRightBeforeTheFirstEntryIsWhole) {
  auto recovered = run(at_cut_);
  ASSERT_TRUE(recovered.is_ok()) << recovered.status().to_string();
  EXPECT_EQ(recovered->first, Index(5));
  EXPECT_EQ(recovered->entries.size(), 6u);
}

/// DESIGN section 6, rule 3: the log stays, and the member votes and acknowledges.
TEST_F(CutLog, AStateBelowTheFirstEntryHasLostDataAndWaitsForASnapshot) {
  for (const kv::Position& position : {before_cut_, kv::Position()}) {
    auto recovered = run(position);
    ASSERT_TRUE(recovered.is_ok()) << recovered.status().to_string();
    EXPECT_EQ(recovered->first, Index(5));
    EXPECT_EQ(recovered->applied, position.applied);
    EXPECT_EQ(recovered->entries.size(), 6u) << "they wait in memory for a snapshot";
    EXPECT_FALSE(recovered->quarantined) << "the log lost nothing";
    reopen();
    EXPECT_EQ(log_->contents().metas.size(), 6u) << "the log stays";
  }
}

TEST_F(CutLog, AMarkerThatContradictsTheStateIsDivergence) {
  kv::Position position = at_cut_;
  position.hash = ChainHash{5};
  EXPECT_EQ(run(position).status().code(), Code::kCorrupt);
  position.term = Term(1);
  EXPECT_EQ(run(position).status().code(), Code::kCorrupt);
}

TEST_F(ReconcileTest, TheStatesClaimTellsOfALossThatNothingElseKnows) {
  kv::Position position = applied(Index(5));
  position.log_ordinal = writer_->ordinal();
  EXPECT_FALSE(run(position)->quarantined);
  position.log_ordinal.counter += 1;
  auto recovered = run(position);
  ASSERT_TRUE(recovered.is_ok());
  EXPECT_TRUE(recovered->quarantined);
  EXPECT_NE(recovered->quarantine_reason.find("the state says"), std::string::npos);
  EXPECT_TRUE(disk_->quarantine().has_value()) << "written down";
  // And for good.
  EXPECT_TRUE(run(applied(Index(5)))->quarantined);
}

TEST_F(ReconcileTest, AStateOfAHigherTermProvesARollback) {
  kv::Position position = applied(Index(10));
  position.applied = Index(11);
  position.term = Term(9);
  auto recovered = run(position);
  ASSERT_TRUE(recovered.is_ok()) << recovered.status().to_string();
  EXPECT_TRUE(recovered->quarantined);
  EXPECT_EQ(recovered->hard_state, (raft::HardState{Term(9), {}, {}}));
  EXPECT_EQ(recovered->first, Index(12));
}

}  // namespace
}  // namespace storage_test
