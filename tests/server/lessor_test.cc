#include "server/lessor.h"

#include <gtest/gtest.h>

namespace server {
namespace {

using base::LeaseId;
using base::SessionId;
using kv::LeaseChange;

LeaseChange granted(std::uint64_t id, std::uint64_t ttl_ms, std::uint64_t session = 0) {
  return {LeaseChange::Kind::kGranted, LeaseId(id), ttl_ms, SessionId(session)};
}
LeaseChange ended(std::uint64_t id) {
  return {LeaseChange::Kind::kEnded, LeaseId(id)};
}

TEST(Lessor, ALeaseThatNobodyRenewsEndsWithItsTime) {
  Lessor lessor;
  lessor.lead(0);
  lessor.change({granted(1, 1000), granted(2, 2000)}, 100);
  EXPECT_TRUE(lessor.due(1099).empty());
  EXPECT_EQ(lessor.due(1100), std::vector{LeaseId(1)});
  EXPECT_TRUE(lessor.due(1101).empty()) << "it was proposed already";
  lessor.change({ended(1)}, 1110);
  EXPECT_EQ(lessor.expired(), 1u);
  EXPECT_EQ(lessor.ask(LeaseId(1), true, 1110), (LeaseTime{LeaseId(1), 0, 0}));
}

TEST(Lessor, ARenewalGivesTheWholeTimeAgain) {
  Lessor lessor;
  lessor.lead(0);
  lessor.change({granted(1, 1000)}, 0);
  EXPECT_EQ(lessor.ask(LeaseId(1), true, 900), (LeaseTime{LeaseId(1), 1000, 1000}));
  EXPECT_EQ(lessor.ask(LeaseId(1), false, 1000), (LeaseTime{LeaseId(1), 1000, 900}));
  EXPECT_TRUE(lessor.due(1899).empty());
  EXPECT_EQ(lessor.due(1900).size(), 1u);
}

TEST(Lessor, NobodyIsToldThatALeaseLivesWhoseEndIsUnderWay) {
  Lessor lessor;
  lessor.lead(0);
  lessor.change({granted(1, 1000, 7)}, 0);
  EXPECT_EQ(lessor.due(1000).size(), 1u);
  EXPECT_EQ(lessor.ask(LeaseId(1), true, 1001), std::nullopt);
  lessor.renew(SessionId(7), 1002);
  EXPECT_EQ(lessor.ask(LeaseId(1), true, 1003), std::nullopt);
  // Nobody knows what became of it: it is proposed again, not forgotten.
  EXPECT_TRUE(lessor.due(1499).empty());
  EXPECT_EQ(lessor.due(1500), std::vector{LeaseId(1)});
}

TEST(Lessor, WhoLeadsAnewGivesAllTheirWholeTime) {
  Lessor lessor;
  lessor.change({LeaseChange{}, granted(1, 1000), granted(2, 500)}, 0);
  lessor.lead(5000);
  EXPECT_TRUE(lessor.due(5499).empty());
  EXPECT_EQ(lessor.due(5500), std::vector{LeaseId(2)});
  lessor.follow();
  lessor.lead(6000);
  EXPECT_EQ(lessor.ask(LeaseId(2), false, 6000), (LeaseTime{LeaseId(2), 500, 500}));
}

TEST(Lessor, WhatASessionWritesRenewsItsLeasesOnly) {
  Lessor lessor;
  lessor.lead(0);
  lessor.change({granted(1, 1000, 7), granted(2, 1000, 8), granted(3, 1000)}, 0);
  lessor.renew(SessionId(7), 600);
  EXPECT_EQ(lessor.due(1000), (std::vector{LeaseId(2), LeaseId(3)}));
  EXPECT_EQ(lessor.due(1600), (std::vector{LeaseId(2), LeaseId(3), LeaseId(1)}));
}

TEST(Lessor, AStateThatWasInstalledReplacesAll) {
  Lessor lessor;
  lessor.lead(0);
  lessor.change({granted(1, 1000)}, 0);
  lessor.change({LeaseChange{}, granted(2, 1000)}, 500);
  EXPECT_EQ(lessor.size(), 1u);
  EXPECT_EQ(lessor.due(1500), std::vector{LeaseId(2)});
}

TEST(Lessor, SoManyEndAtOnce) {
  Lessor lessor;
  lessor.lead(0);
  for (std::uint64_t id = 1; id <= 300; ++id) lessor.change({granted(id, 1000)}, 0);
  EXPECT_EQ(lessor.due(1000).size(), Lessor::kEndsAtOnce);
  EXPECT_EQ(lessor.due(1000).size(), Lessor::kEndsAtOnce);
  EXPECT_EQ(lessor.due(1000).size(), 300 - 2 * Lessor::kEndsAtOnce);
}

}  // namespace
}  // namespace server
