// Exactly once: what a session answers, keeps, drops and finds again after a restart.
#include "kv/sessions.h"

#include <gtest/gtest.h>

#include "kv/row.h"
#include "tests/kv/map_engine.h"

namespace kv {
namespace {

using base::Code;

class SessionsTest : public testing::Test {
 protected:
  SessionsTest() {
    limits_.sessions = 3;
    limits_.session_window = 4;
    restart();
  }
  void restart() {
    sessions_ = std::make_unique<Sessions>(limits_);
    ASSERT_TRUE(sessions_->load(engine_).is_ok());
  }
  SessionId open() {
    last_evicted_ = sessions_->open(Index(++index_), overlay_);
    commit();
    return SessionId(index_);
  }
  /// kOk and recorded at revision `index_` if it was let pass.
  Reply write(SessionId session, std::uint64_t sequence, std::uint64_t acknowledged_below = 0) {
    const Write write{session, sequence, acknowledged_below, {}};
    ++index_;
    auto answer = sessions_->answer(write, overlay_);
    EXPECT_TRUE(answer.is_ok());
    if (answer.value()) return *answer.value();
    Reply reply;
    reply.result.revision = Revision(index_);
    sessions_->record(write, Index(index_), reply, overlay_);
    commit();
    return reply;
  }
  void commit() { ASSERT_TRUE(overlay_.commit().is_ok()); }
  std::size_t rows() { return disk_->rows()[static_cast<std::size_t>(Space::kSessions)].size(); }

  Limits limits_;
  std::shared_ptr<MapDisk> disk_ = std::make_shared<MapDisk>();
  MapEngine engine_{disk_};
  Overlay overlay_{engine_};
  std::unique_ptr<Sessions> sessions_;
  std::uint64_t index_ = 0;
  std::vector<SessionId> last_evicted_;
};

TEST_F(SessionsTest, ARepeatedSequenceGivesTheFirstOutcome) {
  const SessionId session = open();
  const Reply first = write(session, 1);
  EXPECT_FALSE(first.repeated);
  for (int i = 0; i < 3; ++i) {
    Reply again = write(session, 1);
    EXPECT_TRUE(again.repeated);
    again.repeated = false;
    EXPECT_EQ(again, first);
    restart();
  }
}

TEST_F(SessionsTest, PipelinedSequencesArriveInAnyOrder) {
  const SessionId session = open();
  std::map<std::uint64_t, Reply> first;
  for (const std::uint64_t sequence : {3, 1, 4, 2}) {
    first[sequence] = write(session, sequence, 1);
    EXPECT_EQ(first[sequence].code, Code::kOk);
    EXPECT_FALSE(first[sequence].repeated);
  }
  for (const std::uint64_t sequence : {2, 3, 4, 1}) {
    Reply again = write(session, sequence, 1);
    EXPECT_TRUE(again.repeated);
    EXPECT_EQ(again.result, first[sequence].result);
  }
}

TEST_F(SessionsTest, AcknowledgedOutcomesAreDroppedAndTheirSequencesRefused) {
  const SessionId session = open();
  for (const std::uint64_t sequence : {1, 2, 3}) write(session, sequence);
  EXPECT_EQ(rows(), 4u);
  EXPECT_EQ(write(session, 4, 3).code, Code::kOk);
  EXPECT_EQ(rows(), 3u) << "the session, 3 and 4";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(write(session, 2).code, Code::kSequenceForgotten);
    EXPECT_TRUE(write(session, 3).repeated);
    restart();
  }
}

TEST_F(SessionsTest, AcknowledgementSurvivesARestartThoughNoRowIsRewritten) {
  const SessionId session = open();
  write(session, 3, 3);  // acknowledges 1 and 2 without an outcome for either
  write(session, 4, 1);  // says less than is known
  write(session, 6, 0);
  restart();
  EXPECT_EQ(write(session, 2).code, Code::kSequenceForgotten);
  EXPECT_EQ(write(session, 7).code, Code::kSequenceTooFar);
  EXPECT_EQ(write(session, 5).code, Code::kOk);
}

TEST_F(SessionsTest, TheWindowIsBounded) {
  const SessionId session = open();
  EXPECT_EQ(write(session, 4, 0).code, Code::kSequenceTooFar) << "0 + 4";
  EXPECT_EQ(write(session, 4, 1).code, Code::kOk);
  EXPECT_EQ(write(session, 5, 0).code, Code::kSequenceTooFar);
  EXPECT_EQ(write(session, 104, 100).code, Code::kSequenceTooFar);
  EXPECT_EQ(write(session, 103, 100).code, Code::kOk) << "its own acknowledgement counts first";
  EXPECT_EQ(write(session, 4).code, Code::kSequenceForgotten);
}

TEST_F(SessionsTest, ARefusedWriteLeavesNoTrace) {
  const SessionId session = open();
  write(session, 1);
  const Rows before = disk_->rows();
  EXPECT_EQ(write(session, 50, 40).code, Code::kSequenceTooFar);
  EXPECT_EQ(write(session, 0).code, Code::kInvalidArgument);
  EXPECT_EQ(write(session, 3, 4).code, Code::kInvalidArgument);
  EXPECT_TRUE(write(session, 1, 1).repeated);
  commit();
  EXPECT_EQ(disk_->rows(), before);
  EXPECT_EQ(write(session, 2).code, Code::kOk) << "40 acknowledged nothing";
}

TEST_F(SessionsTest, UnknownAndClosedSessionsAreRefused) {
  EXPECT_EQ(write(SessionId(77), 1).code, Code::kUnknownSession);
  const SessionId session = open();
  write(session, 1);
  EXPECT_TRUE(sessions_->close(session, overlay_));
  EXPECT_FALSE(sessions_->close(session, overlay_));
  commit();
  EXPECT_EQ(rows(), 0u);
  EXPECT_EQ(write(session, 1).code, Code::kUnknownSession) << "never run again";
  restart();
  EXPECT_EQ(write(session, 1).code, Code::kUnknownSession);
}

TEST_F(SessionsTest, TheLeastRecentlyUsedIsEvicted) {
  const SessionId a = open(), b = open(), c = open();
  write(a, 1);
  write(b, 1);
  write(a, 1);  // a repetition is no use
  restart();
  const SessionId d = open();
  EXPECT_EQ(last_evicted_, std::vector{c});
  EXPECT_EQ(sessions_->size(), 3u);
  restart();
  const SessionId e = open();
  EXPECT_EQ(last_evicted_, std::vector{a});
  EXPECT_EQ(write(a, 2).code, Code::kUnknownSession);
  EXPECT_EQ(write(b, 2).code, Code::kOk);
  EXPECT_EQ(write(d, 1).code, Code::kOk);
  EXPECT_EQ(write(e, 1).code, Code::kOk);
  EXPECT_EQ(rows(), 3u + 4u);
}

TEST_F(SessionsTest, OutcomesAreFoundBeforeTheyAreCommitted) {
  const SessionId session = open();
  const Write once{session, 1, 0, {}};
  ASSERT_FALSE(sessions_->answer(once, overlay_).value());
  sessions_->record(once, Index(++index_), Reply(), overlay_);
  ASSERT_TRUE(sessions_->answer(once, overlay_).value());
  EXPECT_TRUE(sessions_->answer(once, overlay_).value()->repeated);
}

class DamagedSessions : public SessionsTest {
 protected:
  Code load(std::string key, std::string row) {
    MapEngine damaged(std::make_shared<MapDisk>());
    EngineBatch batch;
    batch.put(Space::kSessions, session_key(SessionId(1)), encode_session());
    batch.put(Space::kSessions, std::move(key), std::move(row));
    EXPECT_TRUE(damaged.commit(batch).is_ok());
    return Sessions(limits_).load(damaged).code();
  }
};

TEST_F(DamagedSessions, AreNotLoaded) {
  const std::string row = encode_outcome({Index(5), 0, {}});
  EXPECT_EQ(load(outcome_key(SessionId(1), 1), row), Code::kOk);
  EXPECT_EQ(load(outcome_key(SessionId(2), 1), row), Code::kCorrupt) << "no session 2";
  EXPECT_EQ(load("odd", row), Code::kCorrupt);
  EXPECT_EQ(load(outcome_key(SessionId(1), 1), "\x02"), Code::kNewerFormat);
  EXPECT_EQ(load(outcome_key(SessionId(1), 1), "\x01"), Code::kCorrupt);
  EXPECT_EQ(load(session_key(SessionId(2)), "\x01garbage"), Code::kCorrupt);
}

TEST_F(SessionsTest, RunningASequenceTwiceIsABug) {
  const SessionId session = open();
  write(session, 1);
  EXPECT_DEATH(sessions_->record({session, 1, 0, {}}, Index(++index_), {}, overlay_),
               "a sequence ran twice");
}

}  // namespace
}  // namespace kv
