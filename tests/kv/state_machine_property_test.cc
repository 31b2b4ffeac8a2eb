// Random commands against a model, through restarts and crashes: replies, revisions, history, rows
// and sessions are what the model says, and what is applied again after a crash gives the same.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "kv/row.h"
#include "kv/state_machine.h"
#include "tests/kv/generator.h"
#include "tests/kv/map_engine.h"
#include "tests/kv/model.h"

namespace kv {
namespace {

using base::Code;
using base::Random;

/// A machine that is restarted and crashed beside a model that lives on.
class Trial {
 public:
  explicit Trial(std::uint64_t seed) : random_(seed), generator_(seed * 31), model_(limits_) {
    generator_.known_leases = &model_.leases;
    generator_.known_items = &model_.items;
    open();
  }

  void extend(std::size_t entries) {
    const std::size_t end = log_.size() + entries;
    while (log_.size() < end && !testing::Test::HasFailure()) {
      make(random_.between(1, 12));
      apply_all();
      if (random_.chance(4)) read();
      if (random_.chance(40)) read_changes();
      if (random_.chance(6)) sweep();
      if (random_.chance(20)) {
        ASSERT_TRUE(machine_->flush().is_ok());
      }
      if (random_.chance(25)) restart();
      if (random_.chance(25)) crash();
      if (random_.chance(40)) compare_rows();
    }
  }
  void finish() {
    compare_rows();
    EXPECT_GT(counts_[Code::kOk], log_.size() / 4);
    if (log_.size() < 30'000) return;  // too few to meet all of the rest
    for (const Code code :
         {Code::kInvalidArgument, Code::kTooLarge, Code::kUnknownSession, Code::kSequenceForgotten,
          Code::kSequenceTooFar, Code::kSealed, Code::kCompacted, Code::kFutureRevision,
          Code::kLeaseNotFound, Code::kLeaseExists, Code::kFenced, Code::kOverloaded,
          Code::kSuperseded})
      EXPECT_GT(counts_[code], 10u) << base::traits(code).name;
    for (const Code code : {Code::kOk, Code::kCompacted, Code::kFutureRevision})
      EXPECT_GT(reads_[code], 5u) << base::traits(code).name;
    EXPECT_GT(repeated_, 100u);
    EXPECT_GT(crashes_, 10u);
    EXPECT_GT(applied_again_, 40u);
    EXPECT_GT(read_changes_, 500u);
    EXPECT_GT(refused_changes_, 3u);
  }

 private:
  void open() {
    auto opened = StateMachine::open(std::make_unique<MapEngine>(disk_), limits_);
    ASSERT_TRUE(opened.is_ok()) << opened.status().to_string();
    machine_ = std::move(opened).value();
    told_.clear();
    take_lease_changes();
  }
  void make(std::size_t entries) {
    for (; entries > 0; --entries) {
      log_.push_back(generator_.entry(Index(log_.size() + 1)));
      expected_.push_back(model_.apply(log_.back()));
      generator_.newest = model_.revision.value;
      ++counts_[expected_.back().code];
      repeated_ += expected_.back().repeated ? 1 : 0;
      revisions_.push_back(model_.revision);
      compactions_.push_back(model_.compacted);
    }
    positions_.resize(log_.size() + 1);
  }
  /// Applies what the machine lacks, in random batches.
  void apply_all() {
    while (machine_->position().applied.value < log_.size()) {
      const std::size_t from = machine_->position().applied.value;
      const std::size_t count = random_.between(1, log_.size() - from);
      const auto replies =
          machine_->apply(std::span(log_).subspan(from, count), base::Ordinal{1, from + count});
      ASSERT_TRUE(replies.is_ok()) << replies.status().to_string();
      ASSERT_EQ(replies.value().size(), count);
      take_lease_changes();
      for (std::size_t i = 0; i < count; ++i) compare(replies.value()[i], from + i);
      check_position(from + count);
    }
  }
  /// Who counts the time of leases knows of each that there is.
  void take_lease_changes() {
    for (const LeaseChange& change : machine_->take_lease_changes()) {
      if (change.kind == LeaseChange::Kind::kReset) told_.clear();
      if (change.kind == LeaseChange::Kind::kGranted) told_[change.lease.value] = change;
      if (change.kind == LeaseChange::Kind::kEnded) {
        ASSERT_EQ(told_.erase(change.lease.value), 1u);
      }
    }
    if (machine_->position().applied.value != log_.size()) return;
    ASSERT_EQ(told_.size(), model_.leases.size());
    for (const auto& [id, lease] : model_.leases) {
      ASSERT_TRUE(told_.contains(id));
      ASSERT_EQ(told_[id].ttl_ms, lease.ttl_ms);
      ASSERT_EQ(told_[id].session, lease.session);
    }
  }
  void compare(Reply reply, std::size_t i) {
    ASSERT_EQ(reply.code != Code::kOk, !reply.detail.empty());
    reply.detail.clear();
    ASSERT_EQ(reply, expected_[i]) << "entry " << i + 1;
  }
  void check_position(std::size_t applied) {
    const Position& position = machine_->position();
    ASSERT_EQ(position.applied, Index(applied));
    ASSERT_EQ(position.term, log_[applied - 1].term);
    ASSERT_EQ(position.hash, log_[applied - 1].hash);
    ASSERT_EQ(position.time, log_[applied - 1].time);
    ASSERT_EQ(position.revision, revisions_[applied - 1]);
    ASSERT_EQ(position.compacted, compactions_[applied - 1]);
    ASSERT_EQ(position.log_ordinal, (base::Ordinal{1, applied}));
    std::optional<Position>& first = positions_[applied];
    if (first) {
      ASSERT_EQ(position, *first) << "another batching gave another position or digest";
      ++applied_again_;
    }
    first = position;
  }
  void read() {
    const Transaction transaction = generator_.transaction(false);
    if (!validate(transaction, limits_).is_ok()) return;
    const auto result = machine_->read(transaction);
    const Reply expected = model_.read(transaction);
    ASSERT_EQ(result.status().code(), expected.code) << result.status().to_string();
    if (result.is_ok()) {
      ASSERT_EQ(result.value(), expected.result);
    }
    ++reads_[expected.code];
  }
  /// What a watch is told: all events, in whole revisions, each with what was there before.
  void read_changes() {
    const std::uint64_t behind = random_.below(30);
    const Revision after(model_.revision.value - std::min(model_.revision.value, behind));
    const std::size_t slice_bytes = random_.between(1, 3000);
    const auto read = machine_->changes(after, true, slice_bytes);
    if (after < model_.compacted) {
      ASSERT_EQ(read.status().code(), Code::kCompacted);
      ++refused_changes_;
      return;
    }
    ASSERT_TRUE(read.is_ok()) << read.status().to_string();
    const Changes& changes = read.value();
    ASSERT_TRUE(changes.through > after || after == model_.revision);
    std::vector<Change> expected;
    std::map<std::string, KeyValue> latest;
    for (const Event& event : model_.history) {
      if (event.item.modify_revision > changes.through) break;
      Change change{event, std::nullopt};
      const auto before = latest.find(event.item.key);
      if (before != latest.end()) change.previous = before->second;
      if (event.item.modify_revision > after) expected.push_back(change);
      if (event.deleted) {
        latest.erase(event.item.key);
      } else {
        latest[event.item.key] = event.item;
      }
    }
    ASSERT_EQ(changes.changes, expected);
    read_changes_ += changes.changes.size();
  }
  bool sweep() {
    const auto more = machine_->sweep(random_.between(1, 600));
    EXPECT_TRUE(more.is_ok()) << more.status().to_string();
    return more.is_ok() && more.value();
  }
  void restart() {
    const Position before = machine_->position();
    machine_.reset();
    open();
    ASSERT_EQ(machine_->position(), before);
    ASSERT_EQ(machine_->sessions(), model_.sessions.size());
  }
  void crash() {
    const auto durable = machine_->durable_position();
    const std::size_t kept = random_.between(0, disk_->unsynced.size());
    machine_.reset();
    disk_->crash(kept);
    open();
    const Position& found = machine_->position();
    if (kept == 0 && durable) {
      ASSERT_EQ(found, *durable);
    }
    if (positions_[found.applied.value]) {
      ASSERT_EQ(found, *positions_[found.applied.value]);
    }
    ++crashes_;
    apply_all();
  }
  void compare_rows();
  void compare_leases(const std::map<std::string, std::string>& rows) const;

  const Limits limits_ = small_limits();
  Random random_;
  Generator generator_;
  Model model_;
  std::shared_ptr<MapDisk> disk_ = std::make_shared<MapDisk>();
  std::unique_ptr<StateMachine> machine_;
  std::vector<AppliedEntry> log_;
  std::vector<Reply> expected_;
  std::vector<Revision> revisions_;
  std::vector<Revision> compactions_;
  std::vector<std::optional<Position>> positions_;
  std::map<std::uint64_t, LeaseChange> told_;
  std::map<Code, std::uint64_t> counts_;
  std::map<Code, std::uint64_t> reads_;
  std::uint64_t read_changes_ = 0;
  std::uint64_t refused_changes_ = 0;
  std::uint64_t repeated_ = 0;
  std::uint64_t crashes_ = 0;
  std::uint64_t applied_again_ = 0;
};

/// Every row of the engine is what the model implies, and no other row is there.
void Trial::compare_rows() {
  while (sweep()) {
  }
  const Rows rows = disk_->rows();
  const auto& latest = rows[static_cast<std::size_t>(Space::kLatest)];
  ASSERT_EQ(latest.size(), model_.items.size());
  for (const auto& [key, row] : latest)
    ASSERT_EQ(decode_latest(key, row).value(), model_.items.at(key));
  const auto& history = rows[static_cast<std::size_t>(Space::kHistory)];
  const std::vector<Event> kept = model_.kept();
  ASSERT_EQ(history.size(), kept.size());
  const auto& versions = rows[static_cast<std::size_t>(Space::kVersions)];
  ASSERT_EQ(versions.size(), kept.size());
  std::size_t at = 0;
  for (const auto& [key, row] : history) {
    const Event event = decode_event(key, row).value();
    ASSERT_EQ(event, kept[at++]);
    const std::string version = version_key(event.item.key, event.item.modify_revision);
    ASSERT_TRUE(versions.contains(version));
    const Version decoded = decode_version(version, versions.at(version)).value();
    ASSERT_EQ(
        std::tuple(decoded.key, decoded.revision, decoded.sub_index, decoded.deleted),
        std::tuple(event.item.key, event.item.modify_revision, event.sub_index, event.deleted));
  }
  std::size_t expected = 0;
  const auto& sessions = rows[static_cast<std::size_t>(Space::kSessions)];
  for (const auto& [id, session] : model_.sessions) {
    ASSERT_TRUE(sessions.contains(session_key(SessionId(id))));
    expected += 1 + session.outcomes.size();
    for (const auto& [sequence, reply] : session.outcomes) {
      Outcome outcome = decode_outcome(sessions.at(outcome_key(SessionId(id), sequence))).value();
      outcome.reply.detail.clear();
      ASSERT_EQ(outcome.reply, reply);
    }
  }
  ASSERT_EQ(sessions.size(), expected);
  compare_leases(rows[static_cast<std::size_t>(Space::kLeases)]);
}

void Trial::compare_leases(const std::map<std::string, std::string>& rows) const {
  std::size_t expected = 0;
  for (const auto& [id, lease] : model_.leases) {
    ASSERT_TRUE(rows.contains(lease_key(LeaseId(id))));
    Lease stored = decode_lease(LeaseId(id), rows.at(lease_key(LeaseId(id)))).value();
    stored.keys = lease.keys;
    ASSERT_EQ(stored, lease);
    for (const std::string& key : lease.keys)
      ASSERT_TRUE(rows.contains(attachment_key(LeaseId(id), key)));
    expected += 1 + lease.keys.size();
  }
  ASSERT_EQ(rows.size(), expected);
}

/// With about three operations each, and four seeds.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kEntries = 8'000;
#else
constexpr std::size_t kEntries = 40'000;
#endif

class StateMachineProperty : public testing::TestWithParam<std::uint64_t> {};

TEST_P(StateMachineProperty, DoesAsTheModelThroughRestartsAndCrashes) {
  Trial trial(GetParam());
  trial.extend(kEntries);
  trial.finish();
}

INSTANTIATE_TEST_SUITE_P(Seeds, StateMachineProperty, testing::Values(1, 2, 3, 4));

/// The same entries, batched differently on machines that never crash: all rows are alike.
TEST(StateMachineDeterminism, BatchingChangesNothing) {
  Generator generator(77);
  std::vector<AppliedEntry> log;
  for (std::uint64_t i = 1; i <= 3000; ++i) log.push_back(generator.entry(Index(i)));
  std::vector<std::vector<Reply>> replies;
  std::vector<Rows> rows;
  for (const std::size_t size : {std::size_t{1}, std::size_t{7}, log.size()}) {
    auto disk = std::make_shared<MapDisk>();
    auto machine = StateMachine::open(std::make_unique<MapEngine>(disk), small_limits()).value();
    replies.emplace_back();
    for (std::size_t from = 0; from < log.size(); from += size) {
      auto some = machine->apply(std::span(log).subspan(from, std::min(size, log.size() - from)),
                                 base::Ordinal{1, 9});
      ASSERT_TRUE(some.is_ok());
      replies.back().insert(replies.back().end(), some.value().begin(), some.value().end());
    }
    rows.push_back(disk->rows());
  }
  EXPECT_EQ(replies[0], replies[1]);
  EXPECT_EQ(replies[0], replies[2]);
  EXPECT_EQ(rows[0], rows[1]);
  EXPECT_EQ(rows[0], rows[2]);
}

}  // namespace
}  // namespace kv
