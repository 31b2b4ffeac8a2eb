// The bounds of DESIGN section 5.13: what is refused, with which code, and that the text names it.
#include "kv/types.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kv {
namespace {

using base::Code;
using ::testing::AllOf;
using ::testing::HasSubstr;

const Limits kLimits;

Transaction then(std::vector<Operation> operations) {
  Transaction transaction;
  transaction.then = std::move(operations);
  return transaction;
}

void expect_refused(const Transaction& transaction, Code code, const std::string& what,
                    const std::string& bound) {
  const base::Status status = validate(transaction, kLimits);
  EXPECT_EQ(status.code(), code) << status.to_string();
  EXPECT_THAT(status.detail(), AllOf(HasSubstr(what), HasSubstr(bound)));
}

TEST(Validate, TakesWhatIsExactlyAtEachBound) {
  EXPECT_TRUE(validate(Transaction{}, kLimits).is_ok());
  EXPECT_TRUE(validate(then({PutOperation{std::string(4096, 'k'), "v"}}), kLimits).is_ok());
  EXPECT_TRUE(validate(then({PutOperation{"k", std::string(1536 * 1024, 'v')}}), kLimits).is_ok());
  std::vector<Operation> most;
  for (int i = 0; i < 128; ++i) most.push_back(PutOperation{"k" + std::to_string(i), ""});
  EXPECT_TRUE(validate(then(most), kLimits).is_ok());
  const std::size_t left = kLimits.transaction_bytes - kLimits.value_bytes - 2;
  EXPECT_TRUE(validate(then({PutOperation{"a", std::string(kLimits.value_bytes, 'v')},
                             PutOperation{"b", std::string(left, 'v')}}),
                       kLimits)
                  .is_ok());
}

TEST(Validate, RefusesEmptyKeys) {
  expect_refused(then({PutOperation{"", "v"}}), Code::kInvalidArgument, "operation 1 of then",
                 "empty");
  expect_refused(then({RangeOperation{{"", ""}}}), Code::kInvalidArgument, "operation 1", "empty");
  expect_refused(then({DeleteOperation{{"", ""}}}), Code::kInvalidArgument, "operation 1", "empty");
  Transaction compare;
  compare.compares.push_back(Compare{""});
  expect_refused(compare, Code::kInvalidArgument, "compare 1", "empty");
}

TEST(Validate, AnEmptyBeginIsABoundAndNoKey) {
  EXPECT_TRUE(validate(then({RangeOperation{{"", std::string(kToTheEnd)}}}), kLimits).is_ok());
  EXPECT_TRUE(validate(then({RangeOperation{{"", "b"}}}), kLimits).is_ok());
}

TEST(Validate, RefusesOverlongKeys) {
  const std::string key(4097, 'k');
  expect_refused(then({PutOperation{key, "v"}}), Code::kTooLarge, "4097 bytes", "4096");
  expect_refused(then({RangeOperation{{key, ""}}}), Code::kTooLarge, "4097", "4096");
  expect_refused(then({RangeOperation{{key, "z"}}}), Code::kTooLarge, "begin", "4096");
  expect_refused(then({DeleteOperation{{"a", key}}}), Code::kTooLarge, "end", "4096");
  Transaction compare;
  compare.compares = {Compare{"a"}, Compare{key}};
  expect_refused(compare, Code::kTooLarge, "compare 2", "4096");
}

TEST(Validate, RefusesOversizedValues) {
  const std::string value(1536 * 1024 + 1, 'v');
  expect_refused(then({PutOperation{"k", value}}), Code::kTooLarge, "1572865 bytes", "1572864");
  Transaction compare;
  compare.compares.push_back(Compare{"k", CompareTarget::kValue, CompareResult::kEqual, 0, value});
  expect_refused(compare, Code::kTooLarge, "1572865 bytes", "1572864");
}

TEST(Validate, RefusesTooManyOperations) {
  const std::vector<Operation> many(129, RangeOperation{{"k", ""}});
  expect_refused(then(many), Code::kTooLarge, "then has 129", "128");
  Transaction otherwise;
  otherwise.otherwise = many;
  expect_refused(otherwise, Code::kTooLarge, "otherwise has 129", "128");
  Transaction compares;
  compares.compares.assign(129, Compare{"k"});
  expect_refused(compares, Code::kTooLarge, "129 compares", "128");
}

TEST(Validate, RefusesATooLargeSumOverAllParts) {
  Transaction transaction = then({PutOperation{"a", std::string(kLimits.value_bytes, 'v')}});
  transaction.otherwise.push_back(PutOperation{"b", std::string(64 * 1024, 'v')});
  expect_refused(transaction, Code::kTooLarge, "the transaction has 1638402", "1638400");
}

TEST(Validate, RefusesAKeyThatIsWrittenTwice) {
  expect_refused(then({PutOperation{"a", "1"}, PutOperation{"b", "1"}, PutOperation{"a", "2"}}),
                 Code::kInvalidArgument, "then", "twice");
  for (const KeyRange& range : {KeyRange{"b", ""}, KeyRange{"a", "c"}, KeyRange{"b", "c"},
                                KeyRange{"", std::string(kToTheEnd)}})
    expect_refused(then({DeleteOperation{range}, PutOperation{"b", "1"}}), Code::kInvalidArgument,
                   "then", "also deletes");
}

TEST(Validate, WritesThatDoNotMeetMayStandTogether) {
  for (const KeyRange& range :
       {KeyRange{"a", ""}, KeyRange{"a", "b"}, KeyRange{"c", "d"}, KeyRange{"z", "a"}})
    EXPECT_TRUE(validate(then({DeleteOperation{range}, PutOperation{"b", "1"}}), kLimits).is_ok());
  Transaction branches = then({PutOperation{"a", "1"}});
  branches.otherwise.push_back(PutOperation{"a", "2"});
  EXPECT_TRUE(validate(branches, kLimits).is_ok());
}

TEST(Validate, RefusesUnknownEnumerants) {
  Transaction transaction;
  transaction.compares.push_back(Compare{"k", static_cast<CompareTarget>(7)});
  expect_refused(transaction, Code::kInvalidArgument, "compare 1", "unknown");
  transaction.compares[0] = Compare{"k", CompareTarget::kValue, static_cast<CompareResult>(4)};
  expect_refused(transaction, Code::kInvalidArgument, "compare 1", "unknown");
}

TEST(ValidateWrite, NamesWhatIsMissing) {
  const auto code = [](std::uint64_t session, std::uint64_t sequence, std::uint64_t below) {
    return validate(Write{SessionId(session), sequence, below, {}}).code();
  };
  EXPECT_EQ(code(1, 1, 0), Code::kOk);
  EXPECT_EQ(code(1, 7, 7), Code::kOk);
  EXPECT_EQ(code(0, 1, 0), Code::kInvalidArgument);
  EXPECT_EQ(code(1, 0, 0), Code::kInvalidArgument);
  EXPECT_EQ(code(1, 7, 8), Code::kInvalidArgument);
}

TEST(Writes, LooksIntoBothBranches) {
  EXPECT_FALSE(writes(then({RangeOperation{{"k", ""}}})));
  EXPECT_TRUE(writes(then({PutOperation{"k", "v"}})));
  Transaction otherwise;
  otherwise.otherwise.push_back(DeleteOperation{{"k", ""}});
  EXPECT_TRUE(writes(otherwise));
}

TEST(Contains, IsHalfOpen) {
  EXPECT_TRUE(contains({"a", ""}, "a"));
  EXPECT_FALSE(contains({"a", ""}, "aa"));
  EXPECT_TRUE(contains({"a", "c"}, "a"));
  EXPECT_TRUE(contains({"a", "c"}, "bz"));
  EXPECT_FALSE(contains({"a", "c"}, "c"));
  EXPECT_TRUE(contains({"b", std::string(kToTheEnd)}, "\xff\xff"));
  EXPECT_FALSE(contains({"b", std::string(kToTheEnd)}, "a"));
}

}  // namespace
}  // namespace kv
