#include "raft/message.h"

#include <gtest/gtest.h>

#include "raft/trace.h"

namespace raft {
namespace {

Message with(MessageBody body) {
  Message message;
  message.from = MemberId(1);
  message.to = MemberId(2);
  message.term = Term(3);
  message.body = std::move(body);
  return message;
}

TEST(Message, LivenessTravelsApartFromBulk) {
  EXPECT_EQ(lane_of(with(AppendEntries())), Lane::kBulk);
  EXPECT_EQ(lane_of(with(AppendEntriesReply())), Lane::kBulk);
  EXPECT_EQ(lane_of(with(RequestVote())), Lane::kLiveness);
  EXPECT_EQ(lane_of(with(RequestVoteReply())), Lane::kLiveness);
  EXPECT_EQ(lane_of(with(Heartbeat())), Lane::kLiveness);
  EXPECT_EQ(lane_of(with(HeartbeatReply())), Lane::kLiveness);
  EXPECT_EQ(lane_of(with(TimeoutNow())), Lane::kBulk) << "behind the entries that were sent";
  EXPECT_EQ(lane_of(with(Refusal())), Lane::kLiveness);
}

TEST(Message, IsOneLine) {
  AppendEntries body;
  body.previous_index = Index(4);
  body.previous_term = Term(2);
  body.commit = Index(4);
  for (std::uint64_t i = 5; i <= 7; ++i) {
    Entry entry;
    entry.index = Index(i);
    entry.payload = std::string(100, 'x');
    body.entries.push_back(std::make_shared<Entry>(entry));
  }
  const Message message = with(body);
  EXPECT_EQ(to_string(message), "AppendEntries 1->2 term=3 prev=4/2 entries=[5..7] commit=4");
  EXPECT_GT(size_bytes(message), 300u);
  EXPECT_LT(size_bytes(message), 1000u);
  EXPECT_EQ(to_string(with(Refusal{RefusalReason::kRolledBack, Ordinal{4, 9}})),
            "Refusal 1->2 term=3 rolled-back remembered=4.9");
}

TEST(Trace, IsOneLine) {
  EXPECT_EQ(to_string(TraceEvent{TraceKind::kBecameLeader, Term(3), Index(7), MemberId(2), "why"}),
            "became-leader term=3 index=7 peer=2: why");
  EXPECT_EQ(to_string(TraceEvent{TraceKind::kLeaderChanged, Term(3), {}, {}, ""}),
            "leader-changed term=3");
}

}  // namespace
}  // namespace raft
