#include "client/ctl/transaction_text.h"

#include <gtest/gtest.h>

namespace client::ctl {
namespace {

using kv::CompareResult;
using kv::CompareTarget;

TEST(TransactionText, ReadsWhatEtcdctlReads) {
  auto parsed = parse_transaction(
      "mod(\"key1\") > \"0\"\n"
      "value(\"a b\") != \"x\\\"y\"\n"
      "create(c)=0\n"
      "version(\"d\") < 7\n"
      "\n"
      "put key1 \"overwrote-key1\"\n"
      "get a z --limit=3 --keys-only\n"
      "\n"
      "put key1 \"\"\n"
      "del some --prefix\n"
      "\n");
  ASSERT_TRUE(parsed.is_ok()) << parsed.status().to_string();
  kv::Transaction expected;
  expected.compares = {{"key1", CompareTarget::kModifyRevision, CompareResult::kGreater, 0, ""},
                       {"a b", CompareTarget::kValue, CompareResult::kNotEqual, 0, "x\"y"},
                       {"c", CompareTarget::kCreateRevision, CompareResult::kEqual, 0, ""},
                       {"d", CompareTarget::kVersion, CompareResult::kLess, 7, ""}};
  expected.then = {kv::PutOperation{"key1", "overwrote-key1", false},
                   kv::RangeOperation{{"a", "z"}, 3, true, false}};
  expected.otherwise = {kv::PutOperation{"key1", "", false},
                        kv::DeleteOperation{{"some", "somf"}, false}};
  EXPECT_EQ(parsed.value(), expected);
}

TEST(TransactionText, ComparesMayBeMissing) {
  auto parsed = parse_transaction("\nput a 1\n");
  ASSERT_TRUE(parsed.is_ok());
  EXPECT_TRUE(parsed.value().compares.empty());
  EXPECT_EQ(parsed.value().then.size(), 1u);
  EXPECT_TRUE(parsed.value().otherwise.empty());
}

TEST(TransactionText, AQuotedFlagIsAKey) {
  auto parsed = parse_transaction("\nget \"--prefix\"\n");
  ASSERT_TRUE(parsed.is_ok());
  EXPECT_EQ(std::get<kv::RangeOperation>(parsed.value().then[0]).range.begin, "--prefix");
}

TEST(TransactionText, BinaryBytesByEscape) {
  auto parsed = parse_transaction("\nput \"\\x00\\xff\" v\n");
  ASSERT_TRUE(parsed.is_ok());
  EXPECT_EQ(std::get<kv::PutOperation>(parsed.value().then[0]).key, std::string("\0\xff", 2));
}

TEST(TransactionText, RefusesAndNamesTheLine) {
  for (const char* text :
       {"\nput a\n", "\nput a b c\n", "\nfrob a\n", "\nget a --bogus\n", "\ndel a --keys-only\n",
        "\nput \"open\n", "\nget a b --prefix\n", "\nget\n", "\nget a --limit=x\n"}) {
    auto parsed = parse_transaction(text);
    ASSERT_FALSE(parsed.is_ok()) << text;
    EXPECT_NE(parsed.status().detail().find("line 2"), std::string::npos) << text;
  }
  for (const char* text : {"value(a) ~ 1\n", "value(a\n", "size(a) = 1\n", "version(a) = x\n",
                           "value(a) = 1 2\n", "put a 1\n", "version() = 1\n"})
    EXPECT_FALSE(parse_transaction(text).is_ok()) << text;
  EXPECT_FALSE(parse_transaction("\n\n\nput a 1\n").is_ok()) << "a fourth section";
}

TEST(PrefixEnd, IsTheFirstKeyAfterThePrefix) {
  EXPECT_EQ(prefix_end("a"), "b");
  EXPECT_EQ(prefix_end("a\xff"), "b");
  EXPECT_EQ(prefix_end("\xff\xff"), std::string(1, '\0'));
  EXPECT_EQ(prefix_end(""), std::string(1, '\0'));
}

}  // namespace
}  // namespace client::ctl
