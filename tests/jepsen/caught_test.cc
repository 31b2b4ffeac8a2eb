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

TEST(Caught, IsWhatHappenedSinceBegin) {
  Caught caught;
  caught.begin("n1", {fault("cut-link", "peer=n2 direction=out", false, 7),
                      fault("slow-log-sync", "delay=100ms", false, 3)});
  EXPECT_TRUE(caught.proofs("n1", {fault("cut-link", "peer=n2 direction=out", true, 7)}).empty())
      << "all of that was before";
  EXPECT_TRUE(caught.proofs("n1", {fault("slow-log-sync", "delay=60ms", true, 3)}).empty())
      << "whatever its strength was then";
  EXPECT_TRUE(caught.proofs("n1", {fault("slow-log-sync", "delay=60ms", false, 4)}).empty())
      << "it has ended by itself";
  EXPECT_TRUE(caught.proofs("n1", {fault("cut-link", "peer=n2 direction=out", true, 2)}).empty())
      << "another process that has not caught more";
  const auto proofs = caught.proofs("n1", {fault("cut-link", "peer=n2 direction=out", true, 9),
                                           fault("cut-link", "peer=n3 direction=out", true, 1),
                                           fault("slow-log-sync", "delay=60ms", true, 4)});
  ASSERT_EQ(proofs.size(), 3u);
  EXPECT_EQ(proofs[0], "n1: cut-link, peer=n2 direction=out, caught 2 real calls");
  EXPECT_EQ(proofs[1], "n1: cut-link, peer=n3 direction=out, caught 1 real calls");
  EXPECT_EQ(proofs[2], "n1: slow-log-sync, delay=60ms, caught 1 real calls");
}

}  // namespace
}  // namespace jepsen
