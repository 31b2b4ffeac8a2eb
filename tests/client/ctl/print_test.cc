#include "client/ctl/print.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace client::ctl {
namespace {

using nlohmann::json;

kv::KeyValue key_value(std::string key, std::string value) {
  kv::KeyValue item;
  item.key = std::move(key);
  item.value = std::move(value);
  item.create_revision = base::Revision(2);
  item.modify_revision = base::Revision(3);
  item.version = 2;
  return item;
}

Outcome outcome_of(kv::OperationResult result) {
  Outcome outcome;
  outcome.header.cluster = base::ClusterId(0xfedcba9876543210);
  outcome.header.revision = base::Revision(7);
  outcome.header.term = base::Term(4);
  outcome.result.succeeded = true;
  outcome.result.revision = base::Revision(7);
  outcome.result.results.push_back(std::move(result));
  return outcome;
}

TEST(Print, OneKeyPrintsItsValueARangeKeysAndValues) {
  kv::RangeResult range;
  range.items = {key_value("a", "1"), key_value("b", std::string("\0x", 2))};
  range.count = 2;
  GetArguments how;
  how.prefix = true;
  EXPECT_EQ(simple_get(range, how, false), std::string("a\n1\nb\n\0x\n", 9));
  EXPECT_EQ(simple_get(range, how, true), "a\n1\nb\n\\x00x\n");
  how.keys_only = true;
  EXPECT_EQ(simple_get(range, how, false), "a\nb\n");
  how.count_only = true;
  EXPECT_EQ(simple_get(range, how, false), "2\n");
  range.items.pop_back();
  EXPECT_EQ(simple_get(range, GetArguments{}, false), "1\n");
  EXPECT_EQ(simple_get(kv::RangeResult{}, GetArguments{}, false), "");
}

TEST(Print, JsonHasBase64AndEtcdsNames) {
  kv::RangeResult range;
  range.items = {key_value(std::string("\0\xff", 2), "v")};
  range.count = 1;
  const json parsed = json::parse(json_of_get(outcome_of(range)));
  EXPECT_EQ(parsed["header"]["cluster_id"], "fedcba9876543210");
  EXPECT_EQ(parsed["header"]["revision"], 7);
  EXPECT_EQ(parsed["kvs"][0]["key"], "AP8=");
  EXPECT_EQ(parsed["kvs"][0]["value"], "dg==");
  EXPECT_EQ(parsed["kvs"][0]["mod_revision"], 3);
  EXPECT_EQ(parsed["count"], 1);
  EXPECT_EQ(parsed["more"], false);
}

TEST(Print, JsonOfWrites) {
  EXPECT_EQ(json::parse(json_of_put(outcome_of(kv::PutResult{})))["revision"], 7);
  EXPECT_EQ(json::parse(json_of_del(outcome_of(kv::DeleteResult{3, {}})))["deleted"], 3);
  const json txn = json::parse(json_of_txn(outcome_of(kv::DeleteResult{3, {}})));
  EXPECT_EQ(txn["succeeded"], true);
  EXPECT_EQ(txn["responses"][0]["response_delete_range"]["deleted"], 3);
}

TEST(Print, SimpleTxnIsEtcdctls) {
  Outcome outcome = outcome_of(kv::PutResult{});
  kv::RangeResult range;
  range.items = {key_value("k", "v")};
  outcome.result.results.push_back(range);
  outcome.result.results.push_back(kv::DeleteResult{2, {}});
  EXPECT_EQ(simple_txn(outcome, false), "SUCCESS\n\nOK\n\nk\nv\n\n2\n");
  outcome.result.succeeded = false;
  outcome.result.results.clear();
  EXPECT_EQ(simple_txn(outcome, false), "FAILURE\n");
}

TEST(Print, AFailureSaysWhatToWhatAndWhatToDo) {
  const base::Status unknown(base::Code::kTimeout, "n1:7400");
  const std::string text = failure("put", unknown, Format::kSimple);
  EXPECT_NE(text.find("put"), std::string::npos);
  EXPECT_NE(text.find("n1:7400"), std::string::npos);
  EXPECT_NE(text.find("may or may not"), std::string::npos);
  const json parsed = json::parse(failure("put", unknown, Format::kJson));
  EXPECT_EQ(parsed["error"]["code"], "timeout");
  EXPECT_EQ(parsed["error"]["applied"], "unknown");
  EXPECT_EQ(parsed["error"]["exit_code"], 5);
  const base::Status bytes(base::Code::kInvalidArgument, "\xff\xfe");
  EXPECT_FALSE(json::parse(failure("put", bytes, Format::kJson), nullptr, false).is_discarded());
}

}  // namespace
}  // namespace client::ctl
