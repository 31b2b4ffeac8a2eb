// The table of codes: stable numbers and names, and traits that do not contradict each other.
#include "base/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace base {
namespace {

constexpr int kCodes = 37;

TEST(Traits, NumbersAndNamesAreStable) {
  const char* const kNames[kCodes] = {"ok",
                                      "invalid-argument",
                                      "too-large",
                                      "not-leader",
                                      "no-leader",
                                      "unavailable",
                                      "overloaded",
                                      "leadership-lost",
                                      "timeout",
                                      "timeout-before-send",
                                      "superseded",
                                      "unknown-session",
                                      "sequence-forgotten",
                                      "sequence-too-far",
                                      "disconnected",
                                      "quarantined",
                                      "corrupt",
                                      "io",
                                      "disk-full",
                                      "wrong-cluster",
                                      "wrong-member",
                                      "newer-format",
                                      "locked",
                                      "stalled",
                                      "faults-not-allowed",
                                      "protocol",
                                      "rolled-back",
                                      "unsupported",
                                      "internal",
                                      "compacted",
                                      "future-revision",
                                      "sealed",
                                      "lease-not-found",
                                      "lease-exists",
                                      "fenced",
                                      "lagging",
                                      "other-history"};
  std::set<std::string_view> seen;
  for (int i = 0; i < kCodes; ++i) {
    const CodeTraits& row = traits(static_cast<Code>(i));
    EXPECT_EQ(static_cast<int>(row.code), i);
    EXPECT_EQ(row.name, kNames[i]);
    EXPECT_TRUE(seen.insert(row.name).second);
  }
}

TEST(Traits, ExitCodesSayWhetherItMayHaveHappened) {
  for (int i = 1; i < kCodes; ++i) {
    const CodeTraits& row = traits(static_cast<Code>(i));
    SCOPED_TRACE(row.name);
    EXPECT_EQ(row.exit_code == 5, row.applied == Applied::kUnknown);
    EXPECT_TRUE(row.exit_code != 4 || (row.retryable && row.applied == Applied::kNo));
    EXPECT_TRUE(row.exit_code != 1 || !row.retryable);
    EXPECT_NE(row.applied, Applied::kYes);
    const bool not_there = row.code == Code::kLeaseNotFound || row.code == Code::kFenced;
    EXPECT_TRUE(not_there ? row.exit_code == 3
                          : row.exit_code == 1 || row.exit_code == 4 || row.exit_code == 5);
    EXPECT_TRUE(row.http_status >= 400 && row.http_status < 600);
    EXPECT_FALSE(row.text.empty() || row.text.ends_with('.'));
  }
  EXPECT_EQ(traits(Code::kOk).exit_code, 0);
}

TEST(Traits, WhatWasSentIsUnknownAndWhatWasNotIsNot) {
  for (const Code code : {Code::kTimeout, Code::kDisconnected, Code::kLeadershipLost})
    EXPECT_EQ(traits(code).applied, Applied::kUnknown);
  for (const Code code : {Code::kTimeoutBeforeSend, Code::kSuperseded, Code::kNotLeader,
                          Code::kNoLeader, Code::kOverloaded, Code::kUnavailable})
    EXPECT_EQ(traits(code).applied, Applied::kNo);
}

TEST(Traits, ACodeOfANewerVersionIsInternal) {
  EXPECT_EQ(traits(static_cast<Code>(4000)).code, Code::kInternal);
}

TEST(Status, SaysWhatHappened) {
  EXPECT_TRUE(Status().is_ok());
  const Status status(Code::kTooLarge, "a key of 5000 bytes");
  EXPECT_FALSE(status.is_ok());
  EXPECT_EQ(status.to_string(), "the request is above a limit: a key of 5000 bytes");
  EXPECT_EQ(Status(Code::kLocked, "").to_string(), "another process has the data directory open");
  EXPECT_EQ(status.applied(), Applied::kNo);
  EXPECT_FALSE(status.retryable());
}

TEST(Result, HoldsOneOfBoth) {
  const Result<int> value(5);
  EXPECT_TRUE(value.is_ok());
  EXPECT_EQ(value.value(), 5);
  EXPECT_TRUE(value.status().is_ok());
  const Result<int> failure(Status(Code::kIo, "disk"));
  EXPECT_FALSE(failure.is_ok());
  EXPECT_EQ(failure.status().code(), Code::kIo);
  Result<std::unique_ptr<int>> owned(std::make_unique<int>(3));
  EXPECT_EQ(*std::move(owned).value(), 3);
}

TEST(ResultDeath, MisuseIsABug) {
  const Result<int> failure(Status(Code::kIo, "the disk said no"));
  EXPECT_DEATH((void)failure.value(), "the disk said no");
  EXPECT_DEATH(Result<int>(Status::ok()), "CHECK failed");
}

TEST(CheckDeath, SaysWhereAndWhy) {
  const int three = 3;
  EXPECT_DEATH(CHECK(three == 4, "counting is hard"),
               "CHECK failed: three == 4 at .*status_test.cc:[0-9]+: counting is hard");
  EXPECT_DEATH(CHECK(three == 4), "CHECK failed: three == 4");
}

TEST(Check, ItsNoteIsEvaluatedOnlyOnFailure) {
  int evaluated = 0;
  CHECK(true, std::to_string(++evaluated));
  EXPECT_EQ(evaluated, 0);
}

}  // namespace
}  // namespace base
