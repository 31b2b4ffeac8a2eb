// Each anomaly of lists, in the smallest history that shows it.
#include <gtest/gtest.h>

#include "jepsen/check/appends.h"
#include "tests/jepsen/histories.h"

namespace jepsen {
namespace {

/// A transaction of a process, begin and end: "0 ok [[:append 1 5]]".
std::string txn(int process, const std::string& end, const std::string& value) {
  const std::string head = "{:process " + std::to_string(process) + ", :f :txn, :value " + value;
  return head + ", :type :invoke}" + head + ", :type :" + end + "}";
}
/// Only the begin, or only the end.
std::string begin(int process, const std::string& value) {
  return "{:process " + std::to_string(process) + ", :f :txn, :type :invoke, :value " + value + "}";
}
std::string end(int process, const std::string& value) {
  return "{:process " + std::to_string(process) + ", :f :txn, :type :ok, :value " + value + "}";
}
/// Several that all overlap.
std::string together(const std::vector<std::string>& values) {
  std::string begins, ends;
  for (std::size_t i = 0; i < values.size(); ++i) {
    begins += begin(static_cast<int>(i), values[i]);
    ends += end(static_cast<int>(i), values[i]);
  }
  return begins + ends;
}
std::string why(const std::string& edn) {
  const Finding finding = check_appends(history_of(edn));
  return finding.verdict == Verdict::kInvalid ? finding.why.substr(0, finding.why.find(':'))
                                              : name_of(finding.verdict);
}

TEST(Appends, WhatIsRightPasses) {
  EXPECT_EQ(why(txn(0, "ok", "[[:append 1 5]]") + txn(0, "ok", "[[:r 1 [5]]]")), "valid");
  EXPECT_EQ(why(txn(0, "ok", "[[:append 1 5] [:r 1 [5]]]")), "valid");
  EXPECT_EQ(why(txn(0, "info", "[[:append 1 5]]") + txn(1, "ok", "[[:r 1 []]]")), "valid");
  EXPECT_EQ(why(txn(0, "ok", "[[:append 1 5]]")), "empty");
}

TEST(Appends, WhatWasReadThatNobodyAppended) {
  EXPECT_EQ(why(txn(0, "ok", "[[:r 1 [5]]]")), "garbage");
  EXPECT_EQ(why(txn(0, "fail", "[[:append 1 5]]") + txn(0, "ok", "[[:r 1 [5]]]")), "G1a");
  EXPECT_EQ(why(txn(0, "ok", "[[:append 1 5] [:append 1 6]]") + txn(1, "ok", "[[:r 1 [5]]]")),
            "G1b");
  EXPECT_EQ(why(txn(0, "ok", "[[:append 1 5]]") + txn(0, "ok", "[[:r 1 [5 5]]]")), "duplicate");
  EXPECT_EQ(why(txn(0, "ok", "[[:append 1 5] [:r 1 []]]")), "internal");
}

TEST(Appends, ListsThatDoNotAgree) {
  EXPECT_EQ(why(together({"[[:append 1 5]]", "[[:append 1 6]]", "[[:r 1 [5 6]]]", "[[:r 1 [6]]]"})),
            "incompatible order");
}

TEST(Appends, CyclesHaveTheirNames) {
  // Both appended first, by what others read.
  EXPECT_EQ(why(together({"[[:append 1 1] [:append 2 1]]", "[[:append 1 2] [:append 2 2]]",
                          "[[:r 1 [1 2]] [:r 2 [2 1]]]"})),
            "G0");
  // Each saw the other.
  EXPECT_EQ(why(together({"[[:append 1 1] [:r 2 [1]]]", "[[:append 2 1] [:r 1 [1]]]"})), "G1c");
  // One saw half of the other.
  EXPECT_EQ(
      why(together({"[[:append 1 1] [:append 2 1]]", "[[:r 1 [1]] [:r 2 []]]", "[[:r 2 [1]]]"})),
      "G-single");
  // Neither saw the other: write skew.
  EXPECT_EQ(why(together({"[[:append 1 1] [:r 2 []]]", "[[:append 2 1] [:r 1 []]]",
                          "[[:r 1 [1]] [:r 2 [1]]]"})),
            "G2");
}

TEST(Appends, TimeCounts) {
  // An acknowledged append is not there for who begins later: a stale read, or a lost write.
  const std::string history = txn(0, "ok", "[[:append 1 5]]") + txn(1, "ok", "[[:r 1 []]]");
  EXPECT_EQ(why(history + txn(2, "ok", "[[:r 1 [5]]]")), "G-single-realtime");
  EXPECT_EQ(why(history), "G-single-realtime");
  EXPECT_EQ(why(begin(0, "[[:append 1 5]]") + txn(1, "ok", "[[:r 1 []]]") +
                end(0, "[[:append 1 5]]") + txn(2, "ok", "[[:r 1 [5]]]")),
            "valid");
}

}  // namespace
}  // namespace jepsen
