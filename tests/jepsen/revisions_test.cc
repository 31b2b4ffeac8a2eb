// The order that revisions give, held against itself and against the search.
#include <gtest/gtest.h>

#include "jepsen/check/exactly_once.h"
#include "jepsen/check/revisions.h"
#include "tests/jepsen/histories.h"

namespace jepsen {
namespace {

Finding revisions_of(const std::string& edn) {
  History history = history_of(edn);
  (void)resolve_unknown(history);
  auto feed = read_feed(history);
  EXPECT_TRUE(feed.is_ok()) << feed.status().to_string();
  return check_revisions(history, feed.value());
}

TEST(Revisions, AgreeWithTheOrderOfValues) {
  base::Random random(3);
  int bad = 0;
  for (int i = 0; i < 3000; ++i) {
    RandomOptions options;
    options.operations = 40;
    options.keys = 2;
    options.processes = 5;
    options.revisions = true;
    options.unknown_percent = random.chance(2) ? 10 : 0;
    options.lies = random.chance(2) ? 1 : 0;
    History history = random_history(random, options);
    const Finding without = check_linearizable(history, {});
    (void)resolve_unknown(history);
    const Finding finding = check_revisions(history, Feed());
    if (options.lies == 0) {
      ASSERT_EQ(finding.verdict, Verdict::kValid) << i << finding.why;
    }
    // What contradicts itself without revisions does so with them.
    if (options.unknown_percent == 0 && without.verdict == Verdict::kInvalid) {
      ASSERT_EQ(finding.verdict, Verdict::kInvalid) << i;
    }
    bad += finding.verdict == Verdict::kInvalid ? 1 : 0;
  }
  EXPECT_GT(bad, 500);
}

TEST(Revisions, AReadOfAnOlderRevisionThanOneThatHadEnded) {
  const Finding finding = revisions_of(R"(
    {:process 0, :type :invoke, :f :write, :value [1 5]}
    {:process 0, :type :ok, :f :write, :value [1 5], :revision 1}
    {:process 0, :type :invoke, :f :write, :value [1 6]}
    {:process 0, :type :ok, :f :write, :value [1 6], :revision 2}
    {:process 1, :type :invoke, :f :read, :value [1 nil]}
    {:process 1, :type :ok, :f :read, :value [1 5], :revision 1, :at [1]})");
  EXPECT_EQ(finding.verdict, Verdict::kInvalid);
  EXPECT_EQ(finding.why,
            "what ended at revision 2 had ended before that began which has revision 1");
}

TEST(Revisions, TwoWritesWithOne) {
  EXPECT_EQ(revisions_of(R"(
    {:process 0, :type :invoke, :f :write, :value [1 5]}
    {:process 1, :type :invoke, :f :write, :value [1 6]}
    {:process 0, :type :ok, :f :write, :value [1 5], :revision 1}
    {:process 1, :type :ok, :f :write, :value [1 6], :revision 1})")
                .why,
            "two writes have one revision");
}

TEST(Revisions, ARevisionThatNobodyWrote) {
  const std::string history = R"(
    {:process 0, :type :invoke, :f :write, :value [1 5]}
    {:process 0, :type :ok, :f :write, :value [1 5], :revision 1}
    {:process 0, :type :invoke, :f :write, :value [1 6]}
    {:process 0, :type :ok, :f :write, :value [1 6], :revision 3})";
  EXPECT_EQ(revisions_of(history).verdict, Verdict::kInvalid);
  const std::string unknown = R"(
    {:process 1, :type :invoke, :f :write, :value [1 9]}
    {:process 1, :type :info, :f :write, :value [1 9]})";
  EXPECT_EQ(revisions_of(unknown + history).verdict, Verdict::kValid);
  const auto feed = [](const std::string& changes, const std::string& others) {
    return "{:process :feed, :type :info, :f :feed, :value {:end 3, :changes [" + changes +
           "], :others [" + others + "]}}";
  };
  EXPECT_EQ(revisions_of(history + feed("[1 1 5] [3 1 6]", "2")).verdict, Verdict::kValid);
  EXPECT_EQ(revisions_of(history + feed("[1 1 5] [3 1 6]", "")).verdict, Verdict::kInvalid);
  EXPECT_EQ(revisions_of(history + feed("[1 1 5] [3 1 7]", "2")).verdict, Verdict::kInvalid);
}

TEST(Revisions, AListIsReadWhole) {
  const auto history = [](const std::string& read) {
    return R"(
    {:process 0, :type :invoke, :f :txn, :value [[:append 1 5]]}
    {:process 0, :type :ok, :f :txn, :value [[:append 1 5]], :revision 1}
    {:process 0, :type :invoke, :f :txn, :value [[:append 1 6]]}
    {:process 0, :type :ok, :f :txn, :value [[:append 1 6]], :revision 2}
    {:process 1, :type :invoke, :f :txn, :value [[:r 1 nil]]}
    {:process 1, :type :ok, :f :txn, :value [[:r 1 )" +
           read + "]], :revision 2}";
  };
  EXPECT_EQ(revisions_of(history("[5 6]")).verdict, Verdict::kValid);
  EXPECT_EQ(revisions_of(history("[6]")).verdict, Verdict::kInvalid);
}

Finding exactly_once(const std::string& edn) {
  History history = history_of(edn);
  (void)resolve_unknown(history);
  const auto feed = read_feed(history);
  EXPECT_TRUE(feed.is_ok());
  return check_exactly_once(history, feed.value());
}

TEST(ExactlyOnce, TwiceNeverAndLost) {
  const std::string write = R"({:process 0, :type :invoke, :f :write, :value [1 5]}
    {:process 0, :type :%, :f :write, :value [1 5] ^})";
  const auto history = [&](const std::string& type, const std::string& changes) {
    std::string text = write;
    text.replace(text.find('%'), 1, type);
    text.replace(text.find('^'), 1, type == "ok" ? ", :revision 1" : "");
    return text + "{:process :feed, :type :info, :f :feed, :value {:end 4, :changes [" + changes +
           "], :others [2 3]}}";
  };
  EXPECT_EQ(exactly_once(history("ok", "[1 1 5]")).verdict, Verdict::kValid);
  EXPECT_EQ(exactly_once(history("ok", "")).why,
            "an acknowledged write is lost: no revision tells of it");
  EXPECT_EQ(exactly_once(history("ok", "[1 1 5] [4 1 5]")).why,
            "a write happened twice, at revision 1 and at revision 4");
  EXPECT_EQ(exactly_once(history("fail", "[1 1 5]")).why,
            "a write that surely did not happen did, at revision 1");
  EXPECT_EQ(exactly_once(history("info", "[1 1 5]")).verdict, Verdict::kEmpty);
  EXPECT_EQ(exactly_once(history("info", "[1 1 5] [4 1 5]")).verdict, Verdict::kInvalid);
}

TEST(Outcomes, WhatBecameOfUnknownWrites) {
  History history = history_of(R"(
    {:process 0, :type :invoke, :f :write, :value [1 5]}
    {:process 0, :type :info, :f :write, :value [1 5]}
    {:process 1, :type :invoke, :f :write, :value [1 6]}
    {:process 1, :type :info, :f :write, :value [1 6]}
    {:process 2, :type :invoke, :f :write, :value [1 7]}
    {:process 2, :type :info, :f :write, :value [1 7]}
    {:process 3, :type :invoke, :f :read, :value [1 nil]}
    {:process 3, :type :ok, :f :read, :value [1 5], :revision 9, :at [4]}
    {:process :resolver, :type :info, :f :resolve, :value {:invoke 2, :applied false}})");
  const Outcomes outcomes = resolve_unknown(history);
  EXPECT_EQ(outcomes.seen, 1u);
  EXPECT_EQ(outcomes.resolved, 1u);
  EXPECT_EQ(outcomes.open, 1u);
  EXPECT_EQ(history.operations[0].end, End::kOk);
  EXPECT_EQ(history.operations[0].revision, 4u);
  EXPECT_EQ(history.operations[1].end, End::kFail);
  EXPECT_EQ(history.operations[2].end, End::kUnknown);
}

/// Three writes of a key, and a reading of its versions; what compaction took is missing.
std::string versions_of(const char* nemesis, const char* list, const char* more) {
  return std::string("{:process :harness, :type :info, :f :run, :value {:nemesis \"") + nemesis +
         R"("}}
    {:process 0, :type :invoke, :f :write, :value [1 5], :time 1}
    {:process 0, :type :ok, :f :write, :value [1 5], :time 2, :revision 1}
    {:process 0, :type :invoke, :f :write, :value [1 6], :time 3}
    {:process 0, :type :ok, :f :write, :value [1 6], :time 4, :revision 2}
    {:process 0, :type :invoke, :f :write, :value [1 7], :time 5}
    {:process 0, :type :ok, :f :write, :value [1 7], :time 6, :revision 3}
    {:process 1, :type :invoke, :f :versions, :value [1 []], :time 7}
    {:process 1, :type :ok, :f :versions, :value [1 )" +
         list + "], :time 8, :revision 3" + more + "}";
}

TEST(Revisions, CompactionMayTakeOldVersionsAndNothingElse) {
  const auto verdict = [](const char* nemesis, const char* list, const char* more) {
    return revisions_of(versions_of(nemesis, list, more)).verdict;
  };
  EXPECT_EQ(verdict("kill", "[5 6 7]", ""), Verdict::kValid);
  EXPECT_EQ(verdict("kill", "[5 6 7]", ", :first 1"), Verdict::kValid);
  EXPECT_EQ(verdict("kill+compact", "[6 7]", ", :first 2"), Verdict::kValid);
  EXPECT_EQ(verdict("kill", "[6 7]", ", :first 2"), Verdict::kInvalid) << "nobody compacted";
  EXPECT_EQ(verdict("compact", "[6 7]", ""), Verdict::kInvalid) << "it counted them all";
  EXPECT_EQ(verdict("compact", "[5 7]", ", :first 2"), Verdict::kInvalid) << "a gap";
  EXPECT_EQ(verdict("compact", "[5 6]", ", :first 2"), Verdict::kInvalid) << "not the newest";
  EXPECT_EQ(verdict("compact", "[7]", ", :first 2"), Verdict::kInvalid) << "too few";
}

}  // namespace
}  // namespace jepsen
