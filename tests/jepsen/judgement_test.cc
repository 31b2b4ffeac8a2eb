// What makes a whole run a pass or not, beside the calls: how closely it looked, whether members
// hold the same, whether it came to its end.
#include <gtest/gtest.h>

#include "jepsen/check/coverage.h"
#include "jepsen/check/revisions.h"
#include "jepsen/check/watches.h"
#include "tests/jepsen/histories.h"

namespace jepsen {
namespace {

std::string about(const std::string& nemesis, int nodes = 1, int rate = 100) {
  return "{:process :harness, :type :info, :f :run, :value {:workload \"register\", :nemesis \"" +
         nemesis + "\", :nodes " + std::to_string(nodes) + ", :rate " + std::to_string(rate) + "}}";
}
const char* const kEnd = "{:process :harness, :type :info, :f :end}";

/// Pairs of writes of one key, each pair at once, 10 ms apart.
std::string pairs(int count, const std::string& end, int from_ms = 0) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    for (const char* const type : {"invoke", end.c_str()}) {
      for (int process = 0; process < 2; ++process)
        text += "{:process " + std::to_string(end == "info" ? 2 * i + process : process) +
                ", :f :write, :value [1 " + std::to_string(from_ms * 1000 + 2 * i + process) +
                "], :type :" + type + ", :node \"n1\", :time " +
                std::to_string((from_ms + i * 10 + 1) * 1'000'000LL) + "}";
    }
  }
  return text;
}
std::string kill_at(int ms, const char* f) {
  return "{:process :nemesis, :type :info, :f :" + std::string(f) + ", :time " +
         std::to_string(ms * 1'000'000LL) +
         ", :value {:number 1, :fault \"kill\", :targets \"n1\", :bound_ms 5000, :text \"gone\"}}";
}
std::string coverage(const std::string& edn) {
  const History history = history_of(edn);
  std::uint64_t unknown = 0;
  for (const Operation& operation : history.operations)
    unknown += operation.end == End::kUnknown ? 1 : 0;
  const Finding finding = check_coverage(history, episodes_of(history), unknown);
  return finding.verdict == Verdict::kUnknown ? finding.why : name_of(finding.verdict);
}

TEST(Coverage, ARunThatLookedTooLittleIsNoPass) {
  EXPECT_EQ(coverage(about("none") + pairs(50, "ok")), "valid");
  EXPECT_EQ(coverage(pairs(50, "ok")), "empty");
  EXPECT_EQ(coverage(about("none", 3) + pairs(50, "ok")), "only 1 members answered anybody");
  EXPECT_EQ(coverage(about("none", 1, 1000) + pairs(50, "ok")).substr(0, 5), "only ");
  EXPECT_EQ(coverage(about("none") + pairs(50, "ok") + pairs(30, "info", 600)).substr(0, 5),
            "37.5%");
}

TEST(Coverage, EachFaultThatWasAskedForMustHaveHappened) {
  const std::string run = pairs(50, "ok") + kill_at(510, "begin") + kill_at(520, "proof") +
                          pairs(10, "ok", 530) + kill_at(700, "end");
  EXPECT_EQ(coverage(about("kill") + run), "valid");
  EXPECT_EQ(coverage(about("kill+isolate") + run), "isolate was asked for, and never happened");
  EXPECT_EQ(coverage(about("kill") + pairs(50, "ok") + kill_at(510, "begin") + kill_at(700, "end")),
            "nothing was written during any kill");
}

TEST(Coverage, CallsThatNeverMeetTellNothing) {
  std::string alone = about("none");
  for (int i = 0; i < 100; ++i)
    for (const char* const type : {"invoke", "ok"})
      alone += "{:process 0, :f :write, :value [1 " + std::to_string(i) + "], :type :" + type +
               ", :node \"n1\", :time " + std::to_string((i * 5 + 1) * 1'000'000LL) + "}";
  EXPECT_EQ(coverage(alone), "only 0.0% of the writes met another one of their key");
}

std::string judged(const std::string& edn, std::vector<std::string> required = {}) {
  History history = history_of(edn);
  CheckOptions options;
  options.required = std::move(required);
  const Judgement judgement = check(history, options);
  return std::string(name_of(judgement.verdict)) + ": " + judgement.why;
}

TEST(Judgement, ARunMustComeToItsEndWithoutAComplaint) {
  const std::string run = about("none") + pairs(50, "ok");
  EXPECT_EQ(judged(run + kEnd).substr(0, 6), "valid:");
  EXPECT_EQ(judged(run), "unknown: run: it did not come to its end");
  EXPECT_EQ(judged(run + "{:process :n1, :type :info, :f :wrong, :value \"CHECK failed\"}" + kEnd),
            "invalid: run: n1: CHECK failed");
}

TEST(Judgement, MembersMustHoldTheSame) {
  const auto digests = [](const std::string& second) {
    return "{:process :harness, :type :info, :f :digests, :value {:n1 \"a at 9\", :n2 \"" + second +
           "\"}}";
  };
  const std::string run = about("none") + pairs(50, "ok");
  EXPECT_EQ(judged(run + digests("a at 9") + kEnd).substr(0, 6), "valid:");
  EXPECT_EQ(judged(run + digests("b at 9") + kEnd).substr(0, 17), "invalid: digests:");
  EXPECT_EQ(judged(run + digests("b at 10") + kEnd).substr(0, 17), "unknown: digests:");
}

TEST(Judgement, WhatIsRequiredMustHaveHadSomethingToCheck) {
  const std::string run = about("none") + pairs(50, "ok") + kEnd;
  EXPECT_EQ(judged(run, {"watch"}).substr(0, 13), "empty: watch:");
}

/// A harness that dies may leave a feed that was told less than the clients and the watches.
TEST(Judgement, WhatLiesBeyondTheFeedOfARunThatDiedIsNotHeldAgainstIt) {
  const std::string begin =
      about("none") +
      "{:process :feed, :type :info, :f :feed, :value {:end 1, :changes [[1 1 "
      "5]], :others []}}"
      "{:process :watch-1, :type :info, :f :watch, :value {:from 1}}";
  const auto batch = [](const std::string& first) {
    return "{:process :watch-1, :type :info, :f :batch, :value {:previous 0, :revision 2, :events "
           "[" +
           first + " [2 0 1 6 5]]}}";
  };
  const auto watch = [&](const std::string& edn) {
    History history = history_of(edn);
    return check_watches(history, read_feed(history).value()).verdict;
  };
  EXPECT_EQ(watch(begin + batch("[1 0 1 5 -1]")), Verdict::kValid);
  EXPECT_EQ(watch(begin + batch("[1 0 1 5 -1]") + kEnd), Verdict::kInvalid);
  EXPECT_EQ(watch(begin + batch("[1 0 1 4 -1]")), Verdict::kInvalid) << "it was told that much";
  // An unknown write beyond the feed was read.
  const std::string unknown =
      "{:process 0, :f :write, :value [1 6], :type :invoke}"
      "{:process 0, :f :write, :value [1 6], :type :info}"
      "{:process 1, :f :cas, :value [1 [6 7]], :type :invoke}"
      "{:process 1, :f :cas, :value [1 [6 7]], :type :ok, :revision 3}";
  History history = history_of(begin + unknown);
  const Feed feed = read_feed(history).value();
  EXPECT_EQ(check_revisions(history, feed).verdict, Verdict::kValid);
}

}  // namespace
}  // namespace jepsen
