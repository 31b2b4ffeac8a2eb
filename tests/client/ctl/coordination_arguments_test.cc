#include "client/ctl/coordination_arguments.h"

#include <gtest/gtest.h>

#include "tests/client/ctl/parse.h"

namespace client::ctl {
namespace {

TEST(CoordinationArguments, WhatStandsBehindTheDashesIsTheCommand) {
  const Parsed lock = parse({"lock", "a", "--ttl", "2s", "--", "sh", "-c", "echo --ttl", "--"});
  ASSERT_TRUE(lock.arguments.has_value()) << lock.text;
  EXPECT_EQ(lock.arguments->verb, Verb::kLock);
  EXPECT_EQ(lock.arguments->lock.ttl_ms, 2000u);
  EXPECT_EQ(lock.arguments->command, (std::vector<std::string>{"sh", "-c", "echo --ttl", "--"}));
  const Parsed watch = parse({"watch", "k", "--prefix", "--", "run"});
  ASSERT_TRUE(watch.arguments.has_value()) << watch.text;
  EXPECT_EQ(watch.arguments->command, std::vector<std::string>{"run"});
  const Parsed guard = parse({"guard", "run", "--mark", "m", "--token", "3", "--", "run", "--x"});
  ASSERT_TRUE(guard.arguments.has_value()) << guard.text;
  EXPECT_EQ(guard.arguments->command, (std::vector<std::string>{"run", "--x"}));
  // Elsewhere it only says that no flags follow.
  const Parsed put = parse({"put", "--", "-k", "lock"});
  ASSERT_TRUE(put.arguments.has_value()) << put.text;
  EXPECT_EQ(put.arguments->put.key, "-k");
  EXPECT_TRUE(put.arguments->command.empty());
}

TEST(CoordinationArguments, FencesNameALockAndAToken) {
  const Parsed put = parse({"put", "k", "v", "--fence", "a:b:12", "--fence", "c:9"});
  ASSERT_TRUE(put.arguments.has_value()) << put.text;
  const std::vector<kv::Fence> expected = {{"a:b", kv::Revision(12)}, {"c", kv::Revision(9)}};
  EXPECT_EQ(put.arguments->write.fences, expected);
  for (const char* wrong : {"a", "a:", ":12", "a:0", "a:-1", "a:1x", "a:99999999999999999999"})
    EXPECT_EQ(parse({"put", "k", "v", "--fence", wrong}).exit_code, kExitUsage) << wrong;
}

TEST(CoordinationArguments, LeasesAreHexAndTimesInSeconds) {
  EXPECT_EQ(parse_lease("300").value(), base::LeaseId(0x300));
  EXPECT_EQ(parse_lease("00000000000003ff").value(), base::LeaseId(0x3ff));
  for (const char* wrong : {"", "0", "xyz", "12345678901234567"})
    EXPECT_FALSE(parse_lease(wrong).is_ok()) << wrong;
  EXPECT_EQ(parse_ttl_ms("60").value(), 60'000u);
  EXPECT_EQ(parse_ttl_ms("1500ms").value(), 1500u);
  EXPECT_EQ(parse({"lease", "grant", "soon"}).exit_code, kExitUsage);
  EXPECT_EQ(parse({"lease", "revoke"}).exit_code, kExitUsage);
  EXPECT_EQ(parse({"put", "k", "v", "--lease", "nonsense"}).exit_code, kExitUsage);
  EXPECT_EQ(parse({"elect", "k"}).exit_code, kExitUsage) << "neither a value nor --listen";
  EXPECT_EQ(parse({"watch", "k", "z", "--prefix"}).exit_code, kExitUsage);
  EXPECT_EQ(parse({"watch", "k", "--filter", "x"}).exit_code, kExitUsage);
}

TEST(CoordinationArguments, ABoundOfStalenessGoesWithWhatMayBeStale) {
  const Parsed get = parse({"get", "k", "--consistency", "s", "--max-staleness", "1s"});
  ASSERT_TRUE(get.arguments.has_value()) << get.text;
  EXPECT_EQ(get.arguments->get.max_staleness_ms, 1000u);
  EXPECT_EQ(parse({"get", "k", "--max-staleness", "1s"}).exit_code, kExitUsage);
}

}  // namespace
}  // namespace client::ctl
