// The proof of an injected fault: only what it caught this time counts.
#include "jepsen/faults/caught.h"

#include <gtest/gtest.h>

namespace jepsen {
namespace {

client::Fault fault(const char* name, const char* parameter, bool on, std::uint64_t hits) {
  client::Fault one;
  one.name = name, one.parameter = parameter, one.on = on, one.hits = hits;
  return one;
}

TEST(Caught, IsWhatHappenedSinceTheFaultWasSet) {
  Caught caught;
  caught.begin(
      "n1", {fault("cut-link", "peer=n2 direction=out", true, 7),
             fault("slow-log-sync", "delay=60ms", true, 0), fault("hang-log-sync", "", false, 3)});
  EXPECT_TRUE(caught.proofs("n1", {fault("cut-link", "peer=n2 direction=out", true, 7)}).empty())
      << "all of that was before";
  EXPECT_TRUE(caught.proofs("n2", {fault("cut-link", "peer=n2 direction=out", true, 9)}).empty())
      << "of somebody else";
  EXPECT_TRUE(caught.proofs("n1", {fault("hang-log-sync", "", true, 4)}).empty()) << "not ours";
  EXPECT_TRUE(caught.proofs("n1", {fault("slow-log-sync", "delay=60ms", false, 4)}).empty())
      << "it has ended by itself";
  const auto proofs = caught.proofs("n1", {fault("cut-link", "peer=n2 direction=out", true, 9),
                                           fault("slow-log-sync", "delay=60ms", true, 4)});
  ASSERT_EQ(proofs.size(), 2u);
  EXPECT_EQ(proofs[0], "n1: cut-link, peer=n2 direction=out, caught 2 real calls");
  EXPECT_EQ(proofs[1], "n1: slow-log-sync, delay=60ms, caught 4 real calls");
}

TEST(Caught, KeepsTheFirstCountOfAFault) {
  Caught caught;
  caught.begin("n1", {fault("cut-link", "peer=n2 direction=out", true, 7)});
  caught.begin("n1", {fault("cut-link", "peer=n2 direction=out", true, 8),
                      fault("cut-link", "peer=n3 direction=out", true, 0)});
  EXPECT_EQ(caught.proofs("n1", {fault("cut-link", "peer=n2 direction=out", true, 8)}).size(), 1u);
}

}  // namespace
}  // namespace jepsen
