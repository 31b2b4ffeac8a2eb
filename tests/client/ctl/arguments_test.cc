#include "client/ctl/arguments.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/client/ctl/parse.h"

namespace client::ctl {
namespace {

class Environment : public testing::Test {
 protected:
  void SetUp() override { TearDown(); }
  void TearDown() override {
    for (const char* name : {"HOLDFAST_ENDPOINTS", "HOLDFAST_TIMEOUT", "HOLDFAST_WRITE_OUT"})
      unsetenv(name);
  }
};
using ArgumentsTest = Environment;

TEST_F(ArgumentsTest, UsageErrorsExitWith2) {
  const std::vector<std::vector<const char*>> wrong = {{},
                                                       {"frobnicate"},
                                                       {"put"},
                                                       {"put", "a", "b", "c"},
                                                       {"get", "a", "--bogus"},
                                                       {"get", "a", "--consistency", "x"},
                                                       {"get", "a", "b", "--prefix"},
                                                       {"get", "a", "--timeout", "soon"},
                                                       {"get", "a", "-w", "xml"},
                                                       {"get", "a", "--endpoints", "nonsense"},
                                                       {"get", "a", "--limit", "many"},
                                                       {"put", "--hex", "\\x0", "v"},
                                                       {"member"},
                                                       {"member", "add", "n4"},
                                                       {"member", "remove"},
                                                       {"member", "rename", "n1"},
                                                       {"move-leader"},
                                                       {"bench", "scan"},
                                                       {"bench", "put", "--clients", "0"},
                                                       {"bench", "put", "--duration", "never"},
                                                       {"playground"},
                                                       {"playground", "up", "--nodes", "4"},
                                                       {"playground", "kill"},
                                                       {"playground", "dance"}};
  for (const auto& words : wrong) {
    const Parsed parsed = parse(words);
    std::string line;
    for (const char* word : words) line += std::string(word) + " ";
    EXPECT_FALSE(parsed.arguments.has_value()) << line;
    EXPECT_EQ(parsed.exit_code, kExitUsage) << line;
    EXPECT_TRUE(parsed.text.starts_with("holdfast: ")) << parsed.text;
  }
}

TEST_F(ArgumentsTest, HelpAndVersionExitWith0) {
  for (const auto& words : std::vector<std::vector<const char*>>{
           {"--help"}, {"put", "--help"}, {"playground", "up", "--help"}, {"--version"}}) {
    const Parsed parsed = parse(words);
    EXPECT_FALSE(parsed.arguments.has_value());
    EXPECT_EQ(parsed.exit_code, kExitOk);
    EXPECT_FALSE(parsed.text.empty());
  }
}

TEST_F(ArgumentsTest, PutTakesItsValueFromStdinIfThereIsNone) {
  EXPECT_FALSE(parse({"put", "a"}).arguments->put.value.has_value());
  EXPECT_EQ(parse({"put", "a", "-"}).arguments->put.value, "-");
  EXPECT_EQ(parse({"put", "a", "1"}).arguments->put.value, "1");
  EXPECT_EQ(parse({"put", "a", ""}).arguments->put.value, "");
  EXPECT_EQ(parse({"put", "--", "-a", "--b"}).arguments->put.value, "--b");
}

TEST_F(ArgumentsTest, GlobalFlagsStandBeforeOrAfterTheVerb) {
  for (const auto& words : std::vector<std::vector<const char*>>{
           {"-w", "json", "--timeout", "2s", "get", "a"},
           {"get", "a", "-w", "json", "--timeout", "2s"},
           {"playground", "status", "-w", "json", "--timeout", "2s"}}) {
    const Parsed parsed = parse(words);
    ASSERT_TRUE(parsed.arguments.has_value()) << parsed.text;
    EXPECT_EQ(parsed.arguments->global.format, Format::kJson);
    EXPECT_EQ(parsed.arguments->global.client.timeout_ms, 2000u);
  }
}

TEST_F(ArgumentsTest, AFaultIsSetListedAndCleared) {
  using Kind = client::FaultChange::Kind;
  EXPECT_EQ(parse({"fault"}).arguments->fault.kind, Kind::kList);
  EXPECT_EQ(parse({"fault", "list"}).arguments->fault.kind, Kind::kList);
  const client::FaultChange set =
      parse({"fault", "slow-log-sync", "delay=200ms", "--for", "30s"}).arguments->fault;
  EXPECT_EQ(set.kind, Kind::kSet);
  EXPECT_EQ(set.name, "slow-log-sync");
  EXPECT_EQ(set.parameters.size(), 1u);
  EXPECT_EQ(set.parameters.at(0), (std::pair<std::string, std::string>("delay", "200ms")));
  EXPECT_EQ(set.for_ms, 30'000u);
  EXPECT_EQ(parse({"fault", "hang-log-sync"}).arguments->fault.for_ms, 0u);
  const client::FaultChange one = parse({"fault", "clear", "hang-log-sync"}).arguments->fault;
  EXPECT_EQ(one.kind, Kind::kClear);
  EXPECT_EQ(one.name, "hang-log-sync");
  EXPECT_EQ(parse({"fault", "clear"}).arguments->fault.name, "");
  EXPECT_FALSE(parse({"fault", "clear", "a", "b"}).arguments.has_value());
  EXPECT_NE(parse({"fault", "hang-log-sync", "on"}).text.find("KEY=VALUE"), std::string::npos);
  EXPECT_FALSE(parse({"fault", "hang-log-sync", "--for", "soon"}).arguments.has_value());
}

TEST_F(ArgumentsTest, FlagOverEnvironmentOverDefault) {
  EXPECT_EQ(parse({"status"}).arguments->global.client.endpoints,
            std::vector<std::string>{"127.0.0.1:7400"});
  setenv("HOLDFAST_ENDPOINTS", "a:1,b:2", 1);
  setenv("HOLDFAST_TIMEOUT", "7s", 1);
  EXPECT_EQ(parse({"status"}).arguments->global.client.endpoints,
            (std::vector<std::string>{"a:1", "b:2"}));
  EXPECT_EQ(parse({"status"}).arguments->global.client.timeout_ms, 7000u);
  EXPECT_EQ(parse({"status", "--endpoints", "c:3,d:4"}).arguments->global.client.endpoints,
            (std::vector<std::string>{"c:3", "d:4"}));
  setenv("HOLDFAST_TIMEOUT", "soon", 1);
  EXPECT_EQ(parse({"status"}).exit_code, kExitUsage);
}

TEST_F(ArgumentsTest, HexArgumentsAreBytes) {
  const Parsed parsed = parse({"--hex", "put", "\\x00a", "\\xff"});
  ASSERT_TRUE(parsed.arguments.has_value()) << parsed.text;
  EXPECT_EQ(parsed.arguments->put.key, std::string("\0a", 2));
  EXPECT_EQ(parsed.arguments->put.value, "\xff");
  EXPECT_EQ(parse({"put", "\\x00a", "v"}).arguments->put.key, "\\x00a");
}

TEST_F(ArgumentsTest, GetAndPlayground) {
  const Parsed get = parse({"get", "a", "--prefix", "--limit", "5", "--consistency=s"});
  ASSERT_TRUE(get.arguments.has_value()) << get.text;
  EXPECT_EQ(get.arguments->verb, Verb::kGet);
  EXPECT_TRUE(get.arguments->get.is_range());
  EXPECT_EQ(get.arguments->get.limit, 5u);
  EXPECT_EQ(get.arguments->get.consistency, Consistency::kSerializable);

  const Parsed up = parse({"playground", "up", "--nodes", "5", "--tag", "t", "--detach",
                           "--server-flag=--time-scale=5", "--port-base", "20000"});
  ASSERT_TRUE(up.arguments.has_value()) << up.text;
  EXPECT_EQ(up.arguments->verb, Verb::kPlayground);
  EXPECT_EQ(up.arguments->playground.nodes, 5u);
  EXPECT_EQ(up.arguments->playground.tag, "t");
  EXPECT_TRUE(up.arguments->playground.detach);
  EXPECT_EQ(up.arguments->playground.server_flags, std::vector<std::string>{"--time-scale=5"});

  const Parsed hang = parse({"playground", "hang-disk", "leader", "--tag", "t"});
  ASSERT_TRUE(hang.arguments.has_value()) << hang.text;
  EXPECT_EQ(hang.arguments->playground.action, PlaygroundArguments::Action::kHangDisk);
  EXPECT_EQ(hang.arguments->playground.node, "leader");
}

TEST_F(ArgumentsTest, BenchHasTheIssuesFlags) {
  const Parsed parsed = parse({"bench", "put", "--clients", "1000", "--duration", "10s",
                               "--value-size", "256", "-w", "json"});
  ASSERT_TRUE(parsed.arguments.has_value()) << parsed.text;
  EXPECT_TRUE(parsed.arguments->bench.writes);
  EXPECT_EQ(parsed.arguments->bench.clients, 1000u);
  EXPECT_EQ(parsed.arguments->bench.duration_ms, 10000u);
  EXPECT_EQ(parsed.arguments->bench.value_bytes, 256u);
  EXPECT_EQ(parsed.arguments->bench.key_space, 1000000u);
}

TEST_F(ArgumentsTest, MembersAndLeadership) {
  using Kind = MemberChange::Kind;
  const Parsed add = parse({"member", "add", "n4", "--peer-address", "h:1", "--client-address",
                            "h:2", "--learner", "--wait"});
  ASSERT_TRUE(add.arguments.has_value()) << add.text;
  EXPECT_EQ(add.arguments->verb, Verb::kMember);
  const MemberChange& change = add.arguments->member.change;
  EXPECT_EQ(change.kind, Kind::kAdd);
  EXPECT_EQ(change.name, "n4");
  EXPECT_EQ(change.peer_address, "h:1");
  EXPECT_EQ(change.client_address, "h:2");
  EXPECT_TRUE(change.learner && add.arguments->member.wait);
  EXPECT_EQ(parse({"member", "list"}).arguments->member.change.kind, Kind::kList);
  for (const auto& [word, kind] :
       {std::pair{"promote", Kind::kPromote}, std::pair{"remove", Kind::kRemove},
        std::pair{"replace", Kind::kReplace}, std::pair{"update", Kind::kUpdate}}) {
    const Parsed parsed = parse({"member", word, "n1"});
    ASSERT_TRUE(parsed.arguments.has_value()) << parsed.text;
    EXPECT_EQ(parsed.arguments->member.change.kind, kind) << word;
  }
  const Parsed move = parse({"move-leader", "n2"});
  EXPECT_EQ(move.arguments->verb, Verb::kMoveLeader);
  EXPECT_EQ(move.arguments->move_leader_to, "n2");
}

TEST_F(ArgumentsTest, SnapshotsAreSavedHereAndTheRestIsHoldfastds) {
  const auto save = parse({"snapshot", "save", "f", "--consistency", "s"});
  ASSERT_TRUE(save.arguments.has_value()) << save.text;
  EXPECT_EQ(save.arguments->verb, Verb::kSnapshotSave);
  EXPECT_EQ(save.arguments->snapshot.file, "f");
  EXPECT_EQ(save.arguments->snapshot.consistency, Consistency::kSerializable);
  EXPECT_EQ(parse({"snapshot"}).exit_code, kExitUsage);
  EXPECT_EQ(parse({"snapshot", "save"}).exit_code, kExitUsage);

  const auto restore = parse({"snapshot", "restore", "f", "--name", "n1", "--help", "-w", "json"});
  ASSERT_TRUE(restore.arguments.has_value()) << restore.text;
  EXPECT_EQ(restore.arguments->verb, Verb::kOffline);
  EXPECT_EQ(restore.arguments->offline,
            (std::vector<std::string>{"snapshot", "restore", "f", "--name", "n1", "--help", "-w",
                                      "json"}));
  const auto status = parse({"-w", "json", "snapshot", "status", "f"});
  ASSERT_TRUE(status.arguments.has_value()) << status.text;
  EXPECT_EQ(status.arguments->offline, (std::vector<std::string>{"snapshot", "status", "f"}));
  EXPECT_EQ(status.arguments->global.format, Format::kJson);
}

}  // namespace
}  // namespace client::ctl
