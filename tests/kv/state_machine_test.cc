// The state machine as a whole: batches, position, exactly-once through restarts, what it refuses.
#include "kv/state_machine.h"

#include <gtest/gtest.h>

#include "kv/row.h"
#include "tests/kv/map_engine.h"

namespace kv {
namespace {

using base::Code;

constexpr base::Ordinal kOrdinal{3, 14};

class StateMachineTest : public testing::Test {
 protected:
  StateMachineTest() { open(); }
  void open() {
    machine_.reset();
    auto engine = std::make_unique<MapEngine>(disk_);
    engine_ = engine.get();
    auto opened = StateMachine::open(std::move(engine), limits_);
    ASSERT_TRUE(opened.is_ok()) << opened.status().to_string();
    machine_ = std::move(opened).value();
  }
  AppliedEntry entry(std::optional<Command> command) {
    AppliedEntry made;
    made.index = Index(++last_);
    made.term = Term(2);
    made.time = HybridTime(1000 + last_);
    made.hash.value = 7 * last_;
    made.command = std::move(command);
    return made;
  }
  Reply apply(std::optional<Command> command) {
    const std::vector<AppliedEntry> one{entry(std::move(command))};
    auto replies = machine_->apply(one, kOrdinal);
    EXPECT_TRUE(replies.is_ok()) << replies.status().to_string();
    return replies.value().at(0);
  }
  static Write put(SessionId session, std::uint64_t sequence, const std::string& key,
                   const std::string& value, bool previous = false) {
    Write write{session, sequence, 0, {}};
    write.transaction.then.push_back(PutOperation{key, value, previous});
    return write;
  }
  RangeResult get(const std::string& key) {
    Transaction transaction;
    transaction.then.push_back(RangeOperation{{key, ""}});
    return std::get<RangeResult>(machine_->read(transaction).value().results.at(0));
  }

  Limits limits_;
  std::shared_ptr<MapDisk> disk_ = std::make_shared<MapDisk>();
  MapEngine* engine_ = nullptr;
  std::unique_ptr<StateMachine> machine_;
  std::uint64_t last_ = 0;
};

TEST_F(StateMachineTest, BeginsEmpty) {
  EXPECT_EQ(machine_->position(), Position());
  EXPECT_EQ(machine_->durable_position(), std::nullopt);
  EXPECT_EQ(machine_->sessions(), 0u);
  EXPECT_EQ(get("k"), RangeResult());
}

TEST_F(StateMachineTest, ASessionIsNamedByItsEntry) {
  apply(std::nullopt);
  EXPECT_EQ(apply(OpenSession{}).session, SessionId(2));
  EXPECT_EQ(machine_->sessions(), 1u);
  EXPECT_EQ(apply(CloseSession{SessionId(2)}).code, Code::kOk);
  EXPECT_EQ(apply(CloseSession{SessionId(2)}).code, Code::kUnknownSession);
  EXPECT_EQ(machine_->sessions(), 0u);
}

TEST_F(StateMachineTest, ThePositionFollowsEachEntry) {
  AppliedEntry first = entry(std::nullopt);
  first.configuration = "members";
  const std::vector<AppliedEntry> entries{first, entry(OpenSession{}),
                                          entry(put(SessionId(2), 1, "k", "v"))};
  ASSERT_TRUE(machine_->apply(entries, kOrdinal).is_ok());
  const Position& position = machine_->position();
  EXPECT_EQ(position.applied, Index(3));
  EXPECT_EQ(position.term, Term(2));
  EXPECT_EQ(position.hash.value, 21u);
  EXPECT_EQ(position.log_ordinal, kOrdinal);
  EXPECT_EQ(position.revision, Revision(1));
  EXPECT_EQ(position.time, HybridTime(1003));
  EXPECT_EQ(position.configuration, "members");
  EXPECT_EQ(get("k").items.at(0).time, HybridTime(1003));
  const Position before = position;
  open();
  EXPECT_EQ(machine_->position(), before);
}

TEST_F(StateMachineTest, TimeNeverGoesBack) {
  apply(std::nullopt);
  AppliedEntry late = entry(OpenSession{});
  late.time = HybridTime(5);
  ASSERT_TRUE(machine_->apply(std::vector{late}, kOrdinal).is_ok());
  EXPECT_EQ(machine_->position().time, HybridTime(1001));
}

TEST_F(StateMachineTest, EntriesGoIntoOneBatchUpToABound) {
  std::vector<AppliedEntry> entries{entry(OpenSession{})};
  for (std::uint64_t i = 1; i <= 100; ++i)
    entries.push_back(entry(put(SessionId(1), i, "k" + std::to_string(i), "v")));
  ASSERT_TRUE(machine_->apply(entries, kOrdinal).is_ok());
  EXPECT_EQ(engine_->commits, 1);
  entries.clear();
  for (std::uint64_t i = 101; i <= 110; ++i)
    entries.push_back(entry(put(SessionId(1), i, "big", std::string(1 << 20, 'v'))));
  ASSERT_TRUE(machine_->apply(entries, kOrdinal).is_ok());
  EXPECT_GE(engine_->commits, 4);
  EXPECT_LE(engine_->commits, 7);
  EXPECT_TRUE(machine_->apply({}, kOrdinal).value().empty());
}

TEST_F(StateMachineTest, AWriteIsFiveRows) {
  apply(OpenSession{});
  disk_->unsynced.clear();
  apply(put(SessionId(1), 1, "k", "v"));
  ASSERT_EQ(disk_->unsynced.size(), 1u);
  EXPECT_EQ(disk_->unsynced[0].changes.size(), 5u);
}

TEST_F(StateMachineTest, ARepeatedWriteHappensOnce) {
  const SessionId session = apply(OpenSession{}).session;
  const Reply first = apply(put(session, 1, "k", "first", true));
  apply(put(session, 2, "k", "second", true));
  for (int i = 0; i < 3; ++i) {
    Reply again = apply(put(session, 1, "k", "first", true));
    EXPECT_TRUE(again.repeated);
    again.repeated = false;
    EXPECT_EQ(again, first);
    EXPECT_EQ(get("k").items.at(0).value, "second");
    EXPECT_EQ(machine_->position().revision, Revision(2));
    open();
  }
  EXPECT_EQ(disk_->rows()[static_cast<std::size_t>(Space::kHistory)].size(), 2u);
}

TEST_F(StateMachineTest, ARepetitionInTheSameBatchHappensOnce) {
  const std::vector<AppliedEntry> entries{
      entry(OpenSession{}), entry(put(SessionId(1), 2, "k", "v")),
      entry(put(SessionId(1), 1, "k", "w")), entry(put(SessionId(1), 2, "k", "v"))};
  const auto replies = machine_->apply(entries, kOrdinal).value();
  EXPECT_TRUE(replies[3].repeated);
  EXPECT_EQ(replies[3].result, replies[1].result);
  EXPECT_EQ(get("k").items.at(0).value, "w");
  EXPECT_EQ(get("k").items.at(0).version, 2u);
}

TEST_F(StateMachineTest, ADeterministicRefusalIsAnOutcome) {
  const SessionId session = apply(OpenSession{}).session;
  const Reply refused = apply(put(session, 1, "", "v"));
  EXPECT_EQ(refused.code, Code::kInvalidArgument);
  EXPECT_EQ(apply(put(session, 2, std::string(5000, 'k'), "v")).code, Code::kTooLarge);
  open();
  const Reply again = apply(put(session, 1, "k", "now valid"));
  EXPECT_EQ(again.code, Code::kInvalidArgument);
  EXPECT_EQ(again.detail, refused.detail);
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(get("k").count, 0u);
  EXPECT_EQ(machine_->position().revision, Revision(0));
}

TEST_F(StateMachineTest, ResultsTooLargeToKeepAreToldSo) {
  const SessionId session = apply(OpenSession{}).session;
  apply(put(session, 1, "k", std::string(100'000, 'v')));
  const Reply first = apply(put(session, 2, "k", "w", true));
  EXPECT_EQ(std::get<PutResult>(first.result.results.at(0)).previous->value.size(), 100'000u);
  const Reply again = apply(put(session, 2, "k", "w", true));
  EXPECT_EQ(again.code, Code::kOk);
  EXPECT_TRUE(again.repeated);
  EXPECT_TRUE(again.result.results.empty());
  EXPECT_EQ(again.result.revision, Revision(2));
  EXPECT_NE(again.detail.find("applied at revision 2"), std::string::npos);
}

TEST_F(StateMachineTest, ReadsAreValidatedAndCannotWrite) {
  Transaction transaction;
  transaction.otherwise.push_back(PutOperation{"k", "v"});
  EXPECT_EQ(machine_->read(transaction).status().code(), Code::kInvalidArgument);
  transaction.otherwise = {RangeOperation{{"", ""}}};
  EXPECT_EQ(machine_->read(transaction).status().code(), Code::kInvalidArgument);
  transaction.otherwise = {RangeOperation{{std::string(5000, 'k'), ""}}};
  EXPECT_EQ(machine_->read(transaction).status().code(), Code::kTooLarge);
}

TEST_F(StateMachineTest, DurablePositionIsThatOfTheLastFlush) {
  apply(OpenSession{});
  ASSERT_TRUE(machine_->flush().is_ok());
  apply(put(SessionId(1), 1, "k", "v"));
  ASSERT_TRUE(machine_->durable_position().has_value());
  EXPECT_EQ(machine_->durable_position()->applied, Index(1));
  ASSERT_TRUE(machine_->flush().is_ok());
  EXPECT_EQ(machine_->durable_position()->applied, Index(2));
}

TEST_F(StateMachineTest, TheDigestTellsEffectsApart) {
  const auto digest = [](std::vector<std::optional<Command>> commands) {
    auto machine =
        StateMachine::open(std::make_unique<MapEngine>(std::make_shared<MapDisk>())).value();
    std::vector<AppliedEntry> entries;
    for (auto& command : commands) {
      AppliedEntry one;
      one.index = Index(entries.size() + 1);
      one.command = std::move(command);
      entries.push_back(std::move(one));
    }
    EXPECT_TRUE(machine->apply(entries, {}).is_ok());
    return machine->position().digest;
  };
  const std::vector<std::optional<Command>> base{OpenSession{}, put(SessionId(1), 1, "k", "v")};
  EXPECT_EQ(digest(base), digest(base));
  EXPECT_NE(digest(base), digest({OpenSession{}, put(SessionId(1), 1, "k", "w")}));
  EXPECT_NE(digest(base), digest({OpenSession{}, put(SessionId(1), 2, "k", "v")}));
  EXPECT_NE(digest(base), digest({OpenSession{}, std::nullopt}));
  EXPECT_NE(digest(base), digest({std::nullopt, put(SessionId(1), 1, "k", "v")}));
}

TEST_F(StateMachineTest, AFailureOfTheEngineIsFinal) {
  apply(OpenSession{});
  engine_->fail_commits = true;
  const std::vector<AppliedEntry> one{entry(put(SessionId(1), 1, "k", "v"))};
  EXPECT_EQ(machine_->apply(one, kOrdinal).status().code(), Code::kDiskFull);
  engine_->fail_commits = false;
  const std::vector<AppliedEntry> next{entry(put(SessionId(1), 2, "k", "v"))};
  EXPECT_EQ(machine_->apply(next, kOrdinal).status().code(), Code::kDiskFull);
  EXPECT_EQ(machine_->read({}).status().code(), Code::kDiskFull);
}

TEST_F(StateMachineTest, GapsAndRepetitionsOfEntriesAreBugs) {
  apply(std::nullopt);
  AppliedEntry same = entry(std::nullopt);
  same.index = Index(1);
  EXPECT_DEATH((void)machine_->apply(std::vector{same}, kOrdinal), "skipped or applied twice");
  same.index = Index(3);
  EXPECT_DEATH((void)machine_->apply(std::vector{same}, kOrdinal), "skipped or applied twice");
  same.index = Index(2);
  same.term = Term(1);
  EXPECT_DEATH((void)machine_->apply(std::vector{same}, kOrdinal), "a term went back");
}

Code open_with(Space space, const std::string& key, const std::string& row) {
  auto engine = std::make_unique<MapEngine>(std::make_shared<MapDisk>());
  EngineBatch batch;
  batch.put(space, key, row);
  EXPECT_TRUE(engine->commit(batch).is_ok());
  return StateMachine::open(std::move(engine)).status().code();
}

TEST(StateMachineOpen, RefusesWhatItCannotRead) {
  const std::string position(kPositionKey);
  EXPECT_EQ(open_with(Space::kMeta, position, "\x03"), Code::kNewerFormat);
  EXPECT_EQ(open_with(Space::kMeta, position, "\x02"), Code::kCorrupt);
  EXPECT_EQ(open_with(Space::kSessions, "odd", ""), Code::kCorrupt);
  EXPECT_EQ(open_with(Space::kSessions, session_key(SessionId(9)), encode_session()),
            Code::kCorrupt)
      << "a session from beyond the position";
  EXPECT_EQ(open_with(Space::kHistory, history_key(Revision(1), 0), ""), Code::kCorrupt)
      << "an event from beyond the position";
  auto failing = std::make_unique<MapEngine>(std::make_shared<MapDisk>());
  failing->fail_reads = true;
  EXPECT_EQ(StateMachine::open(std::move(failing)).status().code(), Code::kIo);
}

}  // namespace
}  // namespace kv
