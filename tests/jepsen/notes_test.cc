// Sets, watches, locks, leases and how long writes stayed away.
#include <gtest/gtest.h>

#include "jepsen/check/locks.h"
#include "jepsen/check/sets.h"
#include "jepsen/check/watches.h"
#include "tests/jepsen/histories.h"

namespace jepsen {
namespace {

std::string told(const Finding& finding) {
  return finding.verdict == Verdict::kInvalid ? finding.why : name_of(finding.verdict);
}

std::string call(int process, const std::string& f, const std::string& value,
                 const std::string& end = "ok") {
  const std::string head =
      "{:process " + std::to_string(process) + ", :f :" + f + ", :value " + value;
  return head + ", :type :invoke}" + head + ", :type :" + end + "}";
}

TEST(Sets, WhatIsRightPasses) {
  EXPECT_EQ(told(check_sets(history_of(call(0, "add", "1") + call(0, "members", "[1]")))), "valid");
  EXPECT_EQ(told(check_sets(history_of(call(0, "add", "1", "info") + call(1, "members", "[]") +
                                       call(1, "members", "[1]")))),
            "valid");
  EXPECT_EQ(told(check_sets(history_of(call(0, "add", "1")))), "empty");
}

TEST(Sets, WhatIsWrongIsTold) {
  const auto why = [](const std::string& edn) { return told(check_sets(history_of(edn))); };
  EXPECT_EQ(why(call(0, "add", "1") + call(0, "members", "[]")),
            "the element 1 was acknowledged, and then not there");
  EXPECT_EQ(why(call(0, "add", "1", "info") + call(1, "members", "[1]") + call(1, "members", "[]")),
            "the element 1 was seen, and then not there");
  EXPECT_EQ(why(call(0, "members", "[1]")), "the element 1 was read and added by nobody");
  EXPECT_EQ(why(call(0, "members", "[1]") + call(0, "add", "1")),
            "the element 1 was read before anybody added it");
  EXPECT_EQ(why(call(0, "add", "1", "fail") + call(0, "members", "[1]")),
            "the element 1 was read, though adding it surely did not happen");
  const std::string both =
      "{:process 0, :type :invoke, :f :members}"
      "{:process 1, :type :invoke, :f :members}"
      "{:process 0, :type :ok, :f :members, :value [1]}"
      "{:process 1, :type :ok, :f :members, :value [2]}";
  EXPECT_EQ(why(call(2, "add", "1", "info") + call(3, "add", "2", "info") + both),
            "two reads saw different elements first");
}

std::string batch(int previous, int revision, const std::string& events) {
  return "{:process :watch-1, :type :info, :f :batch, :value {:previous " +
         std::to_string(previous) + ", :revision " + std::to_string(revision) + ", :events [" +
         events + "]}}";
}
std::string watch(const std::string& batches) {
  const std::string feed =
      "{:process :feed, :type :info, :f :feed, :value {:end 3, :changes [[1 7 5] [2 7 6] [2 8 1] "
      "[3 8 -1]], :others []}}";
  History history =
      history_of(feed + "{:process :watch-1, :type :info, :f :watch, :value {:from 1}}" + batches +
                 "{:process :harness, :type :info, :f :end}");
  const auto all = read_feed(history);
  EXPECT_TRUE(all.is_ok());
  const std::string why = told(check_watches(history, all.value()));
  return why.substr(0, why.find(','));
}

TEST(Watches, WhatIsRightPasses) {
  EXPECT_EQ(watch(batch(0, 1, "[1 0 7 5 -1]") + batch(1, 1, "") +
                  batch(1, 3, "[2 0 7 6 5] [2 1 8 1 -1] [3 0 8 -1 \"?\"]")),
            "valid");
  EXPECT_EQ(watch(""), "empty");
}

TEST(Watches, WhatIsWrongIsTold) {
  const std::string first = batch(0, 1, "[1 0 7 5 -1]");
  EXPECT_EQ(watch(first + batch(1, 3, "[3 0 8 -1 1]")), "watch-1: revision 3");
  EXPECT_EQ(watch(first + batch(1, 3, "[2 0 7 6 5] [2 1 8 1 -1]")),
            "watch-1: it was told of all up to revision 3");
  EXPECT_EQ(watch(first + batch(1, 2, "[2 0 7 6 5]")),
            "watch-1: it was told of all up to revision 2");  // half of a revision
  EXPECT_EQ(watch(first + batch(1, 2, "[2 0 7 6 4] [2 1 8 1 -1]")), "watch-1: revision 2");
  EXPECT_EQ(watch(first + batch(0, 3, "[2 0 7 6 5] [2 1 8 1 -1] [3 0 8 -1 1]")),
            "watch-1: a batch follows revision 0");
  EXPECT_EQ(watch(first + first), "watch-1: a batch follows revision 0");
  EXPECT_EQ(watch(first + batch(1, 2, "[2 1 8 1 -1] [2 0 7 6 5]")), "watch-1: revision 2");
  EXPECT_EQ(watch(first), "watch-1: it was never told of 3 changes after revision 1");
}

std::string holder(int number, const std::string& f, const std::string& more,
                   const std::string& revision = "") {
  return "{:process :holder-" + std::to_string(number) + ", :type :info, :f :" + f +
         ", :value {:lock 1, " + more + "}" + (revision.empty() ? "" : ", :revision " + revision) +
         "}";
}
std::string locks(const std::string& edn) {
  return told(check_locks(history_of(edn)));
}

TEST(Locks, OneAtATimeByTheirOwnAccount) {
  const std::string one = holder(1, "acquired", ":token 3");
  EXPECT_EQ(locks(one + holder(1, "lost", ":token 3") + holder(2, "acquired", ":token 9")),
            "valid");
  EXPECT_EQ(locks(one + holder(2, "acquired", ":token 9")), "two hold one lock at once");
  EXPECT_EQ(locks(one + holder(1, "released", ":token 3") + holder(2, "acquired", ":token 2")),
            "a later acquisition has no higher token");
  EXPECT_EQ(locks(""), "empty");
}

TEST(Locks, TokensAreCheckedWhereTheyCount) {
  const std::string two = holder(1, "acquired", ":token 3") + holder(1, "lost", ":token 3") +
                          holder(2, "acquired", ":token 9") +
                          holder(2, "resource", ":token 9, :admitted 1");
  EXPECT_EQ(locks(two + holder(1, "resource", ":token 3, :admitted 0")), "valid");
  EXPECT_EQ(locks(two + holder(1, "resource", ":token 3, :admitted 1")),
            "somebody was let in after a higher token");
  EXPECT_EQ(locks(two + holder(1, "fenced", ":token 3, :applied 1", "7")), "valid");
  EXPECT_EQ(locks(two + holder(1, "fenced", ":token 3, :applied 1", "10")),
            "a write under a token took place at revision 10, after the lock had gone to another");
  EXPECT_EQ(
      locks(holder(1, "acquired", ":token 3") + holder(1, "fenced", ":token 3, :applied 1", "10") +
            holder(1, "lost", ":token 3") + holder(2, "acquired", ":token 9")),
      "somebody wrote under an older token after this acquisition, at revision 10");
}

std::string lease(std::uint64_t time_ms, const std::string& f, const std::string& more) {
  return "{:process :lease-1, :type :info, :f :" + f + ", :time " + std::to_string(time_ms) +
         "000000, :value {:lease 4, " + more + "}}";
}
std::string leases(const std::string& edn) {
  return told(check_leases(history_of(edn)));
}

TEST(Leases, NeitherTooEarlyNorForEver) {
  const std::string kept = lease(10, "granted", ":ttl_ms 1000, :asked_ns 5000000") +
                           lease(900, "renewed", ":ttl_ms 1000, :asked_ns 890000000");
  EXPECT_EQ(leases(kept + lease(1800, "looked", ":there 1, :begun_ns 1790000000")), "valid");
  EXPECT_EQ(leases(kept + lease(1950, "looked", ":there 0, :begun_ns 1700000000")), "valid");
  EXPECT_EQ(leases(kept + lease(1500, "looked", ":there 0, :begun_ns 1490000000")),
            "the lease 4 ended 0.3900 s too early");
  const std::string dropped = kept + lease(1000, "dropped", ":gone_within_ms 3000");
  EXPECT_EQ(leases(dropped + lease(3000, "looked", ":there 1, :begun_ns 2990000000")), "valid");
  EXPECT_EQ(leases(dropped + lease(4500, "looked", ":there 1, :begun_ns 4490000000")),
            "the lease 4 was kept by nobody any more, and its key is still there");
  EXPECT_EQ(leases(kept), "empty");
}

std::string nemesis(std::uint64_t time_ms, const std::string& f, const std::string& more) {
  return "{:process :nemesis, :type :info, :f :" + f + ", :time " + std::to_string(time_ms) +
         "000000, :value {:number 1, " + more + "}}";
}
std::string write_at(std::uint64_t ms, int value) {
  const std::string head = "{:process 0, :f :write, :value [1 " + std::to_string(value) +
                           "], :time " + std::to_string(ms) + "000000";
  return head + ", :type :invoke}" + head + ", :type :ok}";
}
Finding availability(const std::string& edn) {
  const History history = history_of(edn);
  return check_availability(history, episodes_of(history), 1);
}

TEST(Availability, HowLongWritesStayAway) {
  const auto run = [](int gap_ms) {
    return write_at(10, 1) + write_at(500, 2) +
           nemesis(510, "begin", ":fault \"kill\", :targets \"n1\", :bound_ms 1500") +
           nemesis(520, "proof", ":text \"its process is gone\"") +
           write_at(500 + static_cast<std::uint64_t>(gap_ms), 3) + nemesis(4000, "end", "") +
           write_at(4010, 4) + write_at(4020, 5);
  };
  const History history = history_of(run(900));
  const auto episodes = episodes_of(history);
  ASSERT_EQ(episodes.size(), 1u);
  EXPECT_EQ(episodes[0].writes, 1u);
  EXPECT_EQ(episodes[0].longest_ms, 2610u);
  EXPECT_EQ(episodes[0].recovery_ms, 10u);
  EXPECT_EQ(availability(run(900)).verdict, Verdict::kInvalid);
  std::string often;
  for (std::uint64_t ms = 1400; ms < 4000; ms += 100) often += write_at(ms, static_cast<int>(ms));
  const std::string begin =
      write_at(10, 1) + nemesis(510, "begin", ":fault \"kill\", :targets \"n1\", :bound_ms 1500");
  const std::string proof = nemesis(520, "proof", ":text \"its process is gone\"");
  const std::string rest = often + nemesis(4000, "end", "") + write_at(4010, 4);
  EXPECT_EQ(availability(begin + proof + rest).verdict, Verdict::kValid);
  EXPECT_EQ(availability(begin + rest).why,
            "kill of n1 at 0.5100 s: nothing at its victim shows that it took effect");
  EXPECT_EQ(availability(begin + proof + rest +
                         nemesis(4100, "skipped", ":fault \"hang-disk\", :text \"no answer\""))
                .verdict,
            Verdict::kUnknown);
  EXPECT_EQ(availability(write_at(10, 1)).verdict, Verdict::kEmpty);
}

}  // namespace
}  // namespace jepsen
