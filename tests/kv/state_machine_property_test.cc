// Random commands against a model, through restarts and crashes: replies, revisions, history, rows
// and sessions are what the model says, and what is applied again after a crash gives the same.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "kv/row.h"
#include "kv/state_machine.h"
#include "tests/kv/map_engine.h"
#include "tests/kv/model.h"

namespace kv {
namespace {

using base::Code;
using base::Random;

Limits small_limits() {
  Limits limits;
  limits.range_bytes = 700;
  limits.deleted_keys = 6;
  limits.value_bytes = 300;
  limits.sessions = 5;
  limits.session_window = 8;
  return limits;
}

/// Makes commands that meet each other: few keys, few sessions, sequences sent again and out of
/// order.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  AppliedEntry entry(Index index) {
    AppliedEntry entry;
    entry.index = index;
    term_ += random_.chance(50) ? 1 : 0;
    entry.term = Term(term_);
    time_ += random_.below(3);  // equal times happen
    if (random_.chance(10)) time_ += random_.below(400) << 16;
    index_ = index.value;
    entry.time = HybridTime(time_);
    entry.hash = base::ChainHash{random_.next()};
    if (random_.chance(30)) return configuration(entry);
    entry.command = command(index);
    return entry;
  }
  std::uint64_t newest = 0;  // revision, if somebody knows it
  Transaction transaction(bool may_write = true) {
    Transaction made;
    for (auto n = random_.below(3); n > 0; --n) made.compares.push_back(compare());
    for (auto n = random_.below(5); n > 0; --n) made.then.push_back(operation(may_write));
    for (auto n = random_.below(3); n > 0; --n) made.otherwise.push_back(operation(may_write));
    return made;
  }

 private:
  AppliedEntry configuration(AppliedEntry entry) {
    if (random_.chance(2)) entry.configuration = "configuration " + std::to_string(time_);
    return entry;
  }
  Command command(Index index) {
    if (sessions_.empty() || random_.chance(60)) {
      sessions_.push_back({SessionId(index.value), 1});
      return OpenSession{};
    }
    Open& open =
        sessions_[sessions_.size() - 1 - random_.below(std::min<std::size_t>(7, sessions_.size()))];
    if (random_.chance(100)) return CloseSession{open.session};
    if (random_.chance(50)) return Tick{};
    Write write{open.session, open.next, 0, transaction()};
    const std::uint64_t oldest = open.next > 6 ? open.next - 6 : 1;
    switch (random_.below(6)) {
      case 0:  // sent again, or sent late
        write.sequence = random_.between(oldest, open.next);
        break;
      case 1:  // skips some
        write.sequence = open.next + random_.below(10);
        break;
      case 2:
        write.sequence = random_.below(3) * open.next;
        break;
      default:
        break;
    }
    if (random_.chance(12)) {
      write.seal = true;
      write.transaction = {};
    }
    open.next = std::max(open.next, std::min(write.sequence, open.next + 3) + 1);
    if (random_.chance(3))
      write.acknowledged_below = random_.between(0, write.sequence + 1);
    else
      write.acknowledged_below = std::min(write.sequence, oldest);
    return write;
  }
  std::string key() {
    static const char* const kKeys[] = {"a", "ab", "b", "b\x01", "c", "d", "e", "f", "\xff", "g"};
    return random_.chance(200) ? "" : kKeys[random_.below(10)];
  }
  std::string value() { return std::string(random_.below(40) * random_.below(9), 'v') + tag(); }
  std::string tag() { return std::to_string(random_.below(3)); }
  KeyRange range() {
    switch (random_.below(4)) {
      case 0:
        return {key(), std::string(1, '\0')};
      case 1:
        return {key(), key()};
      default:
        return {key(), ""};
    }
  }
  Compare compare() {
    return {key(), static_cast<CompareTarget>(random_.below(4)),
            static_cast<CompareResult>(random_.below(4)), random_.below(5), value()};
  }
  Operation operation(bool may_write) {
    if (!may_write && random_.chance(4))
      return HistoryOperation{key(), random_.chance(3) ? revision() : Revision(), random_.below(4)};
    if (may_write && random_.chance(40)) return compaction();
    const auto kind = may_write ? random_.below(5) : 4;
    if (kind < 3) return PutOperation{key(), value(), random_.chance(3)};
    if (kind == 3) return DeleteOperation{range(), random_.chance(3)};
    RangeOperation read{range(), random_.below(4), random_.chance(4), random_.chance(6)};
    if (random_.chance(may_write ? 12 : 3)) read.revision = revision();
    if (random_.chance(may_write ? 20 : 6))
      read.time = HybridTime(time_ - random_.below(900 << 16));
    return read;
  }
  /// Kept or not, mostly.
  Revision revision() {
    const std::uint64_t about = newest > 0 ? newest : index_ / 10;
    return Revision(about - std::min(about, random_.below(60)) + (random_.chance(2) ? 9 : 1));
  }
  Operation compaction() {
    switch (random_.below(8)) {
      case 0:
        return RetainOperation{{random_.below(3) * 20, 0}};
      case 1:
        return RetainOperation{{0, random_.below(3) * 900}};
      case 2:
        return HistoryOperation{key()};
      default:
        return CompactOperation{revision()};
    }
  }

  struct Open {
    SessionId session;
    std::uint64_t next;
  };
  Random random_;
  std::uint64_t term_ = 1;
  std::uint64_t time_ = 1 << 30;
  std::uint64_t index_ = 0;
  std::vector<Open> sessions_;
};

/// A machine that is restarted and crashed beside a model that lives on.
class Trial {
 public:
  explicit Trial(std::uint64_t seed) : random_(seed), generator_(seed * 31), model_(limits_) {
    open();
  }

  void extend(std::size_t entries) {
    const std::size_t end = log_.size() + entries;
    while (log_.size() < end && !testing::Test::HasFailure()) {
      make(random_.between(1, 12));
      apply_all();
      if (random_.chance(4)) read();
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
    for (const Code code :
         {Code::kInvalidArgument, Code::kTooLarge, Code::kUnknownSession, Code::kSequenceForgotten,
          Code::kSequenceTooFar, Code::kSealed, Code::kCompacted, Code::kFutureRevision})
      EXPECT_GT(counts_[code], 10u) << base::traits(code).name;
    for (const Code code : {Code::kOk, Code::kCompacted, Code::kFutureRevision})
      EXPECT_GT(reads_[code], 5u) << base::traits(code).name;
    EXPECT_GT(repeated_, 100u);
    EXPECT_GT(crashes_, 10u);
    EXPECT_GT(applied_again_, 40u);
  }

 private:
  void open() {
    auto opened = StateMachine::open(std::make_unique<MapEngine>(disk_), limits_);
    ASSERT_TRUE(opened.is_ok()) << opened.status().to_string();
    machine_ = std::move(opened).value();
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
      for (std::size_t i = 0; i < count; ++i) compare(replies.value()[i], from + i);
      check_position(from + count);
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
  std::map<Code, std::uint64_t> counts_;
  std::map<Code, std::uint64_t> reads_;
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
}

class StateMachineProperty : public testing::TestWithParam<std::uint64_t> {};

TEST_P(StateMachineProperty, DoesAsTheModelThroughRestartsAndCrashes) {
  Trial trial(GetParam());
  trial.extend(20000);
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
