// Compare, then, else: each rule by itself; their mixture is the property test's.
#include "kv/transaction.h"

#include <gtest/gtest.h>

#include <set>

#include "kv/row.h"
#include "tests/kv/map_engine.h"

namespace kv {
namespace {

using base::Code;

class TransactionTest : public testing::Test {
 protected:
  /// Runs it at the next revision, at time 100 + that.
  Executed run(const Transaction& transaction) {
    EXPECT_TRUE(validate(transaction, limits_).is_ok());
    const Past past{.revision = revision_, .time = HybridTime(101 + revision_.value)};
    auto executed = execute(transaction, {past, {}}, limits_, overlay_);
    EXPECT_TRUE(executed.is_ok()) << executed.status().to_string();
    revision_ = executed->result.revision;
    return std::move(executed).value();
  }
  Executed then(std::vector<Operation> operations) {
    Transaction transaction;
    transaction.then = std::move(operations);
    return run(transaction);
  }
  bool compare(Compare compare) {
    Transaction transaction;
    transaction.compares.push_back(std::move(compare));
    return run(transaction).result.succeeded;
  }
  RangeResult range(RangeOperation operation) {
    return std::get<RangeResult>(then({std::move(operation)}).result.results.at(0));
  }
  /// Commits, and gives the history as it stands on disk.
  std::vector<Event> history() {
    EXPECT_TRUE(overlay_.commit().is_ok());
    std::vector<Event> events;
    const Rows rows = disk_->rows();
    for (const auto& [key, row] : rows[static_cast<std::size_t>(Space::kHistory)])
      events.push_back(decode_event(key, row).value());
    return events;
  }

  Limits limits_;
  std::shared_ptr<MapDisk> disk_ = std::make_shared<MapDisk>();
  MapEngine engine_{disk_};
  Overlay overlay_{engine_};
  Revision revision_;
};

const KeyRange kAll{"", std::string(kToTheEnd)};

TEST_F(TransactionTest, MetadataFollowsAKeysLife) {
  then({PutOperation{"k", "1"}});
  then({PutOperation{"other", "1"}});
  then({PutOperation{"k", "2"}});
  const auto items = range({{"k", ""}}).items;
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0], (KeyValue{"k", "2", Revision(1), Revision(3), 2, {}, HybridTime(103)}));
  then({DeleteOperation{{"k", ""}}});
  then({PutOperation{"k", "3"}});
  EXPECT_EQ(range({{"k", ""}}).items[0],
            (KeyValue{"k", "3", Revision(5), Revision(5), 1, {}, HybridTime(105)}));
}

TEST_F(TransactionTest, TheRevisionRisesByOneExactlyIfSomethingWasWritten) {
  EXPECT_EQ(then({PutOperation{"a", "1"}, PutOperation{"b", "1"}}).result.revision, Revision(1));
  EXPECT_EQ(then({RangeOperation{kAll}}).result.revision, Revision(1));
  EXPECT_EQ(then({DeleteOperation{{"x", ""}}}).result.revision, Revision(1));
  EXPECT_EQ(then({}).result.revision, Revision(1));
  EXPECT_EQ(then({DeleteOperation{kAll}}).result.revision, Revision(2));
  EXPECT_EQ(history().size(), 4u);
}

TEST_F(TransactionTest, EveryWriteLeavesItsHistoryRow) {
  then({PutOperation{"a", "1"}, PutOperation{"b", "2"}});
  then({DeleteOperation{{"a", "z"}}, PutOperation{"z", "3"}});
  const auto events = history();
  ASSERT_EQ(events.size(), 5u);
  const auto is = [](const Event& event, std::uint64_t revision, std::uint32_t sub, bool deleted,
                     const std::string& key, const std::string& value) {
    EXPECT_EQ(event.item.modify_revision, Revision(revision));
    EXPECT_EQ(event.sub_index, sub);
    EXPECT_EQ(event.deleted, deleted);
    EXPECT_EQ(event.item.key, key);
    EXPECT_EQ(event.item.value, value);
    EXPECT_EQ(event.item.time, HybridTime(100 + revision));
  };
  is(events[0], 1, 0, false, "a", "1");
  is(events[1], 1, 1, false, "b", "2");
  is(events[2], 2, 0, true, "a", "");
  is(events[3], 2, 1, true, "b", "");
  is(events[4], 2, 2, false, "z", "3");
}

TEST_F(TransactionTest, ReadsSeeEarlierWritesOfTheSameTransaction) {
  then({PutOperation{"a", "1"}, PutOperation{"b", "1"}});
  const auto results = then({RangeOperation{kAll}, PutOperation{"c", "1"}, RangeOperation{kAll},
                             DeleteOperation{{"a", "c"}}, RangeOperation{kAll}})
                           .result.results;
  EXPECT_EQ(std::get<RangeResult>(results[0]).count, 2u);
  EXPECT_EQ(std::get<RangeResult>(results[2]).count, 3u);
  EXPECT_EQ(std::get<DeleteResult>(results[3]).deleted, 2u);
  EXPECT_EQ(std::get<RangeResult>(results[4]).count, 1u);
}

TEST_F(TransactionTest, ComparesChooseTheBranch) {
  Transaction create;
  create.compares.push_back({"k", CompareTarget::kCreateRevision, CompareResult::kEqual, 0, {}});
  create.then.push_back(PutOperation{"k", "mine"});
  create.otherwise.push_back(RangeOperation{{"k", ""}});
  const Executed first = run(create);
  EXPECT_TRUE(first.result.succeeded);
  EXPECT_EQ(first.written, 1u);
  const Executed second = run(create);
  EXPECT_FALSE(second.result.succeeded);
  EXPECT_EQ(second.written, 0u);
  EXPECT_EQ(second.effects, 0u);
  EXPECT_EQ(std::get<RangeResult>(second.result.results.at(0)).items.at(0).value, "mine");
}

TEST_F(TransactionTest, EachTargetAndResultCompares) {
  then({PutOperation{"other", "0"}});
  then({PutOperation{"k", "m"}});
  then({PutOperation{"k", "m"}});
  struct Case {
    CompareTarget target;
    std::uint64_t equal;
  };
  for (const Case& one : {Case{CompareTarget::kVersion, 2}, Case{CompareTarget::kCreateRevision, 2},
                          Case{CompareTarget::kModifyRevision, 3}}) {
    for (const std::uint64_t number : {one.equal - 1, one.equal, one.equal + 1}) {
      EXPECT_EQ(compare({"k", one.target, CompareResult::kEqual, number, {}}), number == one.equal);
      EXPECT_EQ(compare({"k", one.target, CompareResult::kNotEqual, number, {}}),
                number != one.equal);
      EXPECT_EQ(compare({"k", one.target, CompareResult::kLess, number, {}}), one.equal < number);
      EXPECT_EQ(compare({"k", one.target, CompareResult::kGreater, number, {}}),
                one.equal > number);
    }
  }
  const auto value = [&](CompareResult result, const std::string& against) {
    return compare({"k", CompareTarget::kValue, result, 0, against});
  };
  EXPECT_TRUE(value(CompareResult::kEqual, "m"));
  EXPECT_FALSE(value(CompareResult::kEqual, "n"));
  EXPECT_TRUE(value(CompareResult::kNotEqual, "n"));
  EXPECT_TRUE(value(CompareResult::kLess, "\xff")) << "bytes compare unsigned";
  EXPECT_TRUE(value(CompareResult::kGreater, ""));
}

TEST_F(TransactionTest, AMissingKeyHasZerosAndNoValue) {
  for (const auto target :
       {CompareTarget::kVersion, CompareTarget::kCreateRevision, CompareTarget::kModifyRevision}) {
    EXPECT_TRUE(compare({"k", target, CompareResult::kEqual, 0, {}}));
    EXPECT_TRUE(compare({"k", target, CompareResult::kLess, 1, {}}));
  }
  for (const auto result : {CompareResult::kEqual, CompareResult::kNotEqual, CompareResult::kLess,
                            CompareResult::kGreater})
    EXPECT_FALSE(compare({"k", CompareTarget::kValue, result, 0, {}}));
}

TEST_F(TransactionTest, RangesHonourLimitsAndCountEverything) {
  for (const char* key : {"a", "b", "c", "d"}) then({PutOperation{key, "v"}});
  EXPECT_EQ(range({kAll, 2}).items.size(), 2u);
  EXPECT_EQ(range({kAll, 2}).count, 4u);
  EXPECT_TRUE(range({kAll, 2}).more);
  EXPECT_FALSE(range({kAll, 4}).more);
  EXPECT_EQ(range({{"b", "d"}}).count, 2u);
  const RangeResult keys = range({kAll, 0, true});
  EXPECT_EQ(keys.items.at(3).key, "d");
  EXPECT_EQ(keys.items.at(3).value, "");
  const RangeResult count = range({kAll, 0, false, true});
  EXPECT_EQ(count, (RangeResult{{}, 4, false}));
}

TEST_F(TransactionTest, AReplyIsBoundedOverAllItsRanges) {
  limits_.range_bytes = 1000;
  for (const char* key : {"a", "b", "c"}) then({PutOperation{key, std::string(400, 'v')}});
  const auto results = then({RangeOperation{{"a", ""}}, RangeOperation{kAll}}).result.results;
  EXPECT_EQ(std::get<RangeResult>(results[0]).items.size(), 1u);
  EXPECT_EQ(std::get<RangeResult>(results[1]).items.size(), 1u);
  EXPECT_TRUE(std::get<RangeResult>(results[1]).more);
  EXPECT_EQ(std::get<RangeResult>(results[1]).count, 3u);
  then({PutOperation{"a", std::string(5000, 'v')}});
  EXPECT_EQ(range({{"a", ""}}).items.size(), 1u) << "one item of any size";
}

TEST_F(TransactionTest, PreviousItemsAreThoseBefore) {
  then({PutOperation{"a", "1"}, PutOperation{"b", "1"}});
  const auto results = then({PutOperation{"a", "2", true}, PutOperation{"new", "2", true},
                             DeleteOperation{{"b", ""}, true}})
                           .result.results;
  EXPECT_EQ(std::get<PutResult>(results[0]).previous->value, "1");
  EXPECT_EQ(std::get<PutResult>(results[1]).previous, std::nullopt);
  EXPECT_EQ(std::get<DeleteResult>(results[2]).previous.at(0).key, "b");
}

TEST_F(TransactionTest, ARefusalWritesNothing) {
  limits_.deleted_keys = 2;
  limits_.range_bytes = 200;
  for (const char* key : {"a", "b", "c"}) then({PutOperation{key, std::string(100, 'v')}});
  const Executed deletes = then({PutOperation{"z", "new"}, DeleteOperation{{"a", "d"}}});
  EXPECT_EQ(deletes.refusal.code(), Code::kTooLarge);
  EXPECT_NE(deletes.refusal.detail().find("more than 2 keys"), std::string::npos);
  EXPECT_EQ(deletes.result, (TransactionResult{false, Revision(3), {}}));
  const Executed previous = then({PutOperation{"a", "new", true}, PutOperation{"b", "new", true}});
  EXPECT_EQ(previous.refusal.code(), Code::kTooLarge);
  EXPECT_NE(previous.refusal.detail().find("more than 200 bytes"), std::string::npos);
  EXPECT_EQ(range({{"a", ""}}).items.at(0).version, 1u);
  EXPECT_EQ(range({kAll, 0, false, true}).count, 3u);
  EXPECT_EQ(history().size(), 3u);
}

TEST_F(TransactionTest, EffectsTellDifferentWritesApart) {
  std::set<std::uint64_t> seen;
  for (const auto& [key, value] :
       {std::pair("a", "1"), std::pair("a", "2"), std::pair("b", "1"), std::pair("ab", "")}) {
    MapEngine engine(std::make_shared<MapDisk>());
    Overlay overlay(engine);
    Transaction transaction;
    transaction.then.push_back(PutOperation{key, value});
    seen.insert(execute(transaction, {}, limits_, overlay)->effects);
  }
  EXPECT_EQ(seen.size(), 4u);
}

TEST_F(TransactionTest, ADamagedRowIsNoAnswer) {
  overlay_.put(Space::kLatest, "k", "\x01");
  Transaction transaction;
  for (const KeyRange& range : {KeyRange{"k", ""}, kAll}) {
    transaction.then = {RangeOperation{range}};
    EXPECT_EQ(execute(transaction, {}, limits_, overlay_).status().code(), Code::kCorrupt);
  }
  engine_.fail_reads = true;
  transaction.then = {RangeOperation{kAll}};
  EXPECT_EQ(execute(transaction, {}, limits_, overlay_).status().code(), Code::kIo);
}

}  // namespace
}  // namespace kv
