// That the checks neither miss nor invent a violation where elections overlap and repairs end.
#include "tests/sim/checks.h"

#include <gtest/gtest.h>

#include <memory>

namespace sim {
namespace {

class LeaderCompleteness : public ::testing::Test {
 protected:
  LeaderCompleteness() : journal_(queue_), checks_(journal_, 3, false) {}

  void lead(std::size_t node, std::uint64_t term, std::uint64_t index) {
    checks_.traced(node, {raft::TraceKind::kBecameLeader, base::Term(term), base::Index(index),
                          base::MemberId(), ""});
  }
  void commit(std::uint64_t term) {
    auto entry = std::make_shared<raft::Entry>();
    entry->index = checks_.ledger().last().next();
    entry->term = base::Term(term);
    entry->kind = raft::EntryKind::kEmpty;
    entry->time = base::HybridTime(entry->index.value);
    entry->hash = raft::chain_hash(checks_.ledger().hash_at(checks_.ledger().last()), *entry);
    checks_.committed(0, {entry}, {});
  }

  EventQueue queue_;
  Journal journal_;
  Checks checks_;
};

TEST_F(LeaderCompleteness, WhoLacksWhatIsCommittedIsFound) {
  lead(0, 1, 0);
  commit(1);
  commit(1);
  lead(1, 2, 1);
  ASSERT_TRUE(journal_.violation().has_value());
  EXPECT_NE(journal_.violation()->find("leader completeness"), std::string::npos);
}

/// Its votes were given before the later leader was elected (simulator seeds 2240 and 15049).
TEST_F(LeaderCompleteness, WhoIsElectedLateNeedNotHaveWhatALaterTermCommitted) {
  lead(0, 1, 0);
  commit(1);
  lead(1, 3, 1);
  commit(3);
  lead(2, 2, 1);
  EXPECT_EQ(journal_.violation().value_or(""), "");
}

TEST_F(LeaderCompleteness, ButWhatWasCommittedBefore) {
  lead(0, 1, 0);
  commit(1);
  lead(1, 3, 1);
  commit(3);
  lead(2, 2, 0);
  EXPECT_TRUE(journal_.violation().has_value());
}

/// What is put back in the same write was never away.
TEST(Acknowledged, StaysForTheTerm) {
  EventQueue queue;
  Journal journal(queue);
  Checks checks(journal, 3);
  std::vector<raft::EntryPtr> log;
  const auto entry = [&](std::uint64_t term) {
    auto made = std::make_shared<raft::Entry>();
    made->index = base::Index(log.size() + 1);
    made->term = base::Term(term);
    made->kind = raft::EntryKind::kEmpty;
    made->hash = raft::chain_hash(log.empty() ? base::ChainHash() : log.back()->hash, *made);
    log.push_back(made);
    return made;
  };
  const auto write = [&](std::uint64_t term, std::uint64_t from,
                         std::vector<raft::EntryPtr> entries) {
    raft::PersistRequest request;
    request.term = base::Term(term);
    if (from > 0) request.truncate_from = base::Index(from);
    request.entries = std::move(entries);
    checks.synced(0, {request});
  };
  checks.opened(0, raft::Recovered());
  write(5, 0, {entry(5), entry(5), entry(5)});
  raft::Message message;
  message.term = base::Term(5);
  message.body = raft::AppendEntriesReply{true, base::Index(2), base::Index(), false, false, {}};
  checks.sent(0, message);
  write(5, 3, {});
  write(5, 2, {log[1], log[2]});
  EXPECT_EQ(journal.violation().value_or(""), "");
  write(5, 2, {});
  EXPECT_NE(journal.violation().value_or("").find("truncates what it ack"), std::string::npos);
}

/// A repaired member goes on in a lower epoch than the one that was taken from it (seed 11384).
TEST(Ordinals, AreCountedAnewFromTheEndOfAQuarantine) {
  EventQueue queue;
  Journal journal(queue);
  Checks checks(journal, 3);
  const auto sync = [&](base::Ordinal ordinal, bool ends) {
    raft::PersistRequest request;
    request.ordinal = ordinal;
    request.end_quarantine = ends;
    checks.synced(0, {request});
  };
  const auto open = [&](base::Ordinal ordinal) {
    raft::Recovered recovered;
    recovered.first = base::Index(1);
    recovered.ordinal = ordinal;
    checks.opened(0, recovered);
  };
  sync({9, 24}, false);
  checks.data_lost(0, Notice::kPerhaps);
  sync({9, 3}, true);
  open({9, 3});
  EXPECT_EQ(journal.violation().value_or(""), "");
  open({9, 2});
  EXPECT_TRUE(journal.violation().has_value());
}

}  // namespace
}  // namespace sim
