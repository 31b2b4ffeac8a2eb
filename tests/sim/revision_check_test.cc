#include "tests/sim/revision_check.h"

#include <gtest/gtest.h>

#include "tests/sim/linearizability.h"

namespace sim {
namespace {

using base::Revision;

Operation put(const std::string& value, std::uint64_t revision, Time from, Time to) {
  Operation operation;
  operation.verb = Verb::kPut;
  operation.key = "k";
  operation.value = value;
  operation.invoked = from;
  operation.returned = to;
  operation.wrote = true;
  operation.revision = operation.shown = Revision(revision);
  operation.time = base::HybridTime(100 + revision);
  return operation;
}
Operation get(std::optional<std::string> value, std::uint64_t modified, std::uint64_t revision,
              Time from, Time to) {
  Operation operation;
  operation.verb = Verb::kGet;
  operation.key = "k";
  operation.invoked = from;
  operation.returned = to;
  operation.revision = operation.shown = Revision(revision);
  operation.time = base::HybridTime(100 + revision);
  operation.seen = {{"k", std::move(value), Revision(modified)}};
  return operation;
}
std::string verdict(const History& history, Resolved resolved = {}) {
  resolved.resize(history.size());
  return check_revisions(history, resolved).value_or("");
}

TEST(RevisionCheck, AcceptsAGoodHistory) {
  EXPECT_EQ(verdict({put("a", 1, 1, 2), get("a", 1, 1, 3, 4), put("b", 2, 5, 9),
                     get("a", 1, 1, 6, 7), get("b", 2, 2, 8, 10)}),
            "");
}

TEST(RevisionCheck, FindsALostAcknowledgedWrite) {
  // The write at revision 2 was acknowledged; afterwards nobody sees it.
  const History history{put("a", 1, 1, 2), put("b", 2, 3, 4), get("a", 1, 2, 5, 6)};
  EXPECT_NE(verdict(history).find("not what was written"), std::string::npos);
  EXPECT_EQ(check_register(calls_on(history, "k", {true, true, true})), Linearizable::kNo);
}

TEST(RevisionCheck, FindsTheSameRevisionGivenTwice) {
  EXPECT_NE(verdict({put("a", 1, 1, 2), put("b", 1, 3, 4)}).find("two writes at one revision"),
            std::string::npos);
}

TEST(RevisionCheck, FindsAStaleRead) {
  const History history{put("a", 1, 1, 2), put("b", 2, 3, 4), get("a", 1, 1, 5, 6)};
  EXPECT_NE(verdict(history).find("returned before"), std::string::npos);
  EXPECT_EQ(check_register(calls_on(history, "k", {true, true, true})), Linearizable::kNo);
}

TEST(RevisionCheck, AllowsAStaleReadOnlyWhereItWasAskedForAndOnlyOfWhatWas) {
  History history{put("a", 1, 1, 2), put("b", 2, 3, 4), get("a", 1, 1, 5, 6)};
  history[2].verb = Verb::kStaleGet;
  EXPECT_EQ(verdict(history), "");
  history[2].seen[0].value = "b";
  EXPECT_NE(verdict(history), "");
}

TEST(RevisionCheck, FindsAValueWrittenTwice) {
  // The retry of "a" was taken for another write: it is seen again, later than its revision.
  EXPECT_NE(verdict({put("a", 1, 1, 2), put("b", 2, 3, 4), get("a", 3, 3, 5, 6)}), "");
}

TEST(RevisionCheck, UsesWhatOpenWritesTurnedOutToBe) {
  History history{put("a", 1, 1, 2), put("b", 2, 3, kOpen), get("b", 2, 2, 5, 6)};
  EXPECT_EQ(verdict(history, {Revision(), Revision(2), Revision()}), "");
  EXPECT_NE(verdict(history), "");
  history[2].returned = 2;
  history[2].invoked = 1;
  EXPECT_NE(verdict(history, {Revision(), Revision(2), Revision()}), "")
      << "seen before it was asked for";
}

TEST(RevisionCheck, FindsComparesThatWereDecidedWrongly) {
  Operation cas = put("b", 2, 3, 4);
  cas.verb = Verb::kCas;
  cas.expected = "x";
  EXPECT_NE(verdict({put("a", 1, 1, 2), cas}).find("did not hold succeeded"), std::string::npos);
  cas.expected = "a";
  EXPECT_EQ(verdict({put("a", 1, 1, 2), cas}), "");
  cas.wrote = false;
  cas.revision = Revision(1);
  cas.seen = {{"k", "a", Revision(1)}};
  EXPECT_NE(verdict({put("a", 1, 1, 2), cas}).find("that held failed"), std::string::npos);
}

TEST(RevisionCheck, FindsTimesThatGoBack) {
  History history{put("a", 1, 1, 2), put("b", 2, 3, 4)};
  history[1].time = base::HybridTime(50);
  EXPECT_NE(verdict(history).find("hybrid times"), std::string::npos);
}

}  // namespace
}  // namespace sim
