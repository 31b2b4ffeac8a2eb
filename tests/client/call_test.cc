#include "client/call.h"

#include <gtest/gtest.h>

namespace client {
namespace {

using base::Applied;
using base::Code;
using base::Status;

Call write_call() {
  Call call;
  call.kind = Call::Kind::kWrite;
  return call;
}

TEST(Conclusion, ADefiniteRefusalStaysDefiniteIfNoAttemptIsInDoubt) {
  EXPECT_EQ(conclusion(write_call(), Status(Code::kNoLeader, "x")).code(), Code::kNoLeader);
}

TEST(Conclusion, ADefiniteRefusalAfterADoubtfulAttemptIsUnknown) {
  Call call = write_call();
  call.unknown = Status(Code::kLeadershipLost, "n1");
  for (const Code code : {Code::kNoLeader, Code::kInvalidArgument, Code::kSuperseded}) {
    const Status end = conclusion(call, Status(code, "later"));
    EXPECT_EQ(end.code(), Code::kLeadershipLost);
    EXPECT_EQ(end.applied(), Applied::kUnknown);
  }
}

TEST(Conclusion, ASealIsTheLastWordWhateverWasInDoubt) {
  Call call = write_call();
  call.unknown = Status(Code::kLeadershipLost, "n1");
  EXPECT_EQ(conclusion(call, Status(Code::kSealed, "sequence 7")).code(), Code::kSealed);
}

/// Found by the model on real processes: after a kill, a grant that was refused was called unknown.
TEST(Conclusion, WhatTheSessionKeepsIsTheLastWordToo) {
  Call call = write_call();
  call.unknown = Status(Code::kDisconnected, "n1");
  for (const Code code : {Code::kFenced, Code::kLeaseNotFound, Code::kLeaseExists, Code::kCompacted,
                          Code::kFutureRevision}) {
    EXPECT_EQ(conclusion(call, Status(code, "x")).code(), code);
  }
  // This one may come from a member that is another cluster by now.
  EXPECT_EQ(conclusion(call, Status(Code::kOtherHistory, "x")).applied(), Applied::kUnknown);
}

TEST(Conclusion, AReadIsNeverUnknown) {
  Call call;
  for (const Code code :
       {Code::kTimeout, Code::kDisconnected, Code::kLeadershipLost, Code::kInternal}) {
    EXPECT_EQ(conclusion(call, Status(code, "x")).applied(), Applied::kNo);
  }
}

TEST(AtDeadline, DependsOnWhatWasSent) {
  Call call = write_call();
  EXPECT_EQ(at_deadline(call, 100).code(), Code::kTimeoutBeforeSend);
  call.refusal = Status(Code::kOverloaded, "n1");
  EXPECT_EQ(at_deadline(call, 100).code(), Code::kOverloaded);
  call.attempt = 7;
  EXPECT_EQ(at_deadline(call, 100).code(), Code::kTimeout);
  call.attempt = 0;
  call.unknown = Status(Code::kDisconnected, "n1");
  EXPECT_EQ(at_deadline(call, 100).applied(), Applied::kUnknown);
}

TEST(Weight, CountsKeysAndValues) {
  kv::Transaction transaction;
  transaction.then.push_back(
      kv::PutOperation{std::string(100, 'k'), std::string(5000, 'v'), false});
  EXPECT_GE(weight(transaction), 5100u);
  EXPECT_LE(weight(transaction), 5400u);
}

}  // namespace
}  // namespace client
