#include "server/config.h"

#include <gtest/gtest.h>

#include <map>

namespace server {
namespace {

using Environment = std::map<std::string, std::string>;

CommandLine parse(std::vector<std::string> arguments, const Environment& environment = {}) {
  arguments.insert(arguments.begin(), "holdfastd");
  std::vector<const char*> argv;
  for (const auto& argument : arguments) argv.push_back(argument.c_str());
  return parse_command_line(static_cast<int>(argv.size()), argv.data(),
                            [&](const char* name) -> const char* {
                              const auto at = environment.find(name);
                              return at == environment.end() ? nullptr : at->second.c_str();
                            });
}

std::vector<std::string> required() {
  return {"--name",          "n1", "--data-dir",        "/d",
          "--cluster-token", "t",  "--initial-cluster", "n1=h1:1@h1:2,n2=h2:3"};
}

std::vector<std::string> with(std::vector<std::string> more) {
  auto arguments = required();
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST(Config, UnderstandsWhatItNeeds) {
  const CommandLine line = parse(required());
  ASSERT_TRUE(line.config) << line.text;
  const Config& config = *line.config;
  EXPECT_EQ(config.name, "n1");
  ASSERT_EQ(config.members.size(), 2u);
  EXPECT_EQ(config.members[0].client_address, "h1:2");
  EXPECT_EQ(config.members[1].peer.to_string(), "h2:3");
  EXPECT_EQ(config.members[1].client_address, "");
  EXPECT_EQ(config.self, config.members[0].id);
  EXPECT_EQ(config.find(member_id_of("t", "n2")), &config.members[1]);
  EXPECT_EQ(config.listen_client.to_string(), "127.0.0.1:7400");
  EXPECT_FALSE(config.allow_faults);
  EXPECT_EQ(config.tick_ms(), 10u);
}

TEST(Config, FlagBeatsEnvironmentBeatsDefault) {
  const Environment environment = {{"HOLDFAST_LISTEN_CLIENT", "e:1"},
                                   {"HOLDFAST_LISTEN_HTTP", "e:2"},
                                   {"HOLDFAST_ALLOW_FAULTS", "true"},
                                   {"HOLDFAST_TIME_SCALE", "5"},
                                   {"HOLDFAST_UNKNOWN", "x"}};
  const CommandLine line = parse(with({"--listen-client", "127.0.0.9:9"}), environment);
  ASSERT_TRUE(line.config) << line.text;
  EXPECT_EQ(line.config->listen_client.to_string(), "127.0.0.9:9");
  EXPECT_EQ(line.config->listen_http.to_string(), "e:2");
  EXPECT_EQ(line.config->listen_peer.to_string(), "127.0.0.1:7401");
  EXPECT_TRUE(line.config->allow_faults);
  EXPECT_EQ(line.config->tick_ms(), 50u);
  const CommandLine all = parse({}, {{"HOLDFAST_NAME", "n1"},
                                     {"HOLDFAST_DATA_DIR", "/d"},
                                     {"HOLDFAST_CLUSTER_TOKEN", "t"},
                                     {"HOLDFAST_INITIAL_CLUSTER", "n1=h:1"}});
  EXPECT_TRUE(all.config) << all.text;
}

TEST(Config, RefusesWithExitCode2AndSaysWhy) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{}, "--name"},
      {with({"--no-such-flag"}), "no-such-flag"},
      {with({"surplus"}), "surplus"},
      {with({"--listen-client", "nonsense"}), "--listen-client"},
      {with({"--listen-peer", "h:99999"}), "--listen-peer"},
      {with({"--log-format", "xml"}), "xml"},
      {with({"--log-level", "loud"}), "loud"},
      {with({"--time-scale", "0"}), "--time-scale"},
      {with({"--time-scale", "1x"}), "1x"},
      {with({"--log-bytes-max", "-1"}), "--log-bytes-max"},
      {with({"--probe-ms", "often"}), "--probe-ms"},
      {with({"--scrub-ms", "999"}), "--scrub-ms"},
      {with({"--heartbeat-ms", "100", "--election-ms", "300"}), "--election-ms"},
      {{"--name", "n3", "--data-dir", "/d", "--cluster-token", "t", "--initial-cluster", "n1=h:1"},
       "n3"},
      {{"--name", "n1", "--data-dir", "/d", "--cluster-token", "t", "--initial-cluster",
        "n1=h:1,n1=h:2"},
       "twice"},
      {{"--name", "n1", "--data-dir", "/d", "--cluster-token", "t", "--initial-cluster",
        "n1=h:1,,n2=h:2"},
       "NAME=HOST:PORT"},
      {{"--name", "n1", "--data-dir", "/d", "--cluster-token", "t", "--initial-cluster", "n1"},
       "NAME=HOST:PORT"}};
  for (const auto& [arguments, why] : wrong) {
    const CommandLine line = parse(arguments);
    EXPECT_FALSE(line.config);
    EXPECT_EQ(line.exit_code, 2);
    EXPECT_NE(line.text.find(why), std::string::npos) << line.text << " lacks " << why;
  }
  const CommandLine line = parse(required(), {{"HOLDFAST_ALLOW_FAULTS", "maybe"}});
  EXPECT_EQ(line.exit_code, 2);
  EXPECT_NE(line.text.find("maybe"), std::string::npos);
}

TEST(Config, HelpAndVersionAreAnswers) {
  const CommandLine version = parse({"--version"});
  EXPECT_FALSE(version.config);
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.text, "holdfastd " HOLDFAST_VERSION "\n");
  const CommandLine help = parse({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* flag : {"--data-dir", "--initial-cluster", "--allow-faults", "--time-scale"}) {
    EXPECT_NE(help.text.find(flag), std::string::npos) << flag;
  }
}

TEST(Config, FaultsAreForLoopbackOnly) {
  for (const char* address : {"127.0.0.1:7400", "localhost:7400", "[::1]:7400"}) {
    const CommandLine line = parse(with({"--allow-faults", "--listen-client", address}));
    EXPECT_TRUE(line.config.has_value()) << address << line.text;
  }
  for (const char* address : {"0.0.0.0:7400", "10.0.0.1:7400", "[::]:7400", "example.org:7400"}) {
    EXPECT_TRUE(parse(with({"--listen-client", address})).config.has_value()) << address;
    const CommandLine line = parse(with({"--allow-faults", "--listen-client", address}));
    EXPECT_FALSE(line.config.has_value()) << address;
    EXPECT_NE(line.text.find("loopback"), std::string::npos) << line.text;
  }
}

TEST(Config, StallReactionsAreSwitchedOffOnlyWithFaults) {
  EXPECT_TRUE(parse(with({})).config->stall_reactions);
  const CommandLine alone = parse(with({"--stall-reactions", "false"}));
  EXPECT_FALSE(alone.config);
  EXPECT_NE(alone.text.find("--allow-faults"), std::string::npos) << alone.text;
  const CommandLine off = parse(with({"--stall-reactions", "false", "--allow-faults"}));
  ASSERT_TRUE(off.config) << off.text;
  const raft::Options options = core_options(*off.config, {}, base::Incarnation(1));
  EXPECT_FALSE(options.step_down_on_stall || options.withdraw_support);
}

TEST(Config, IdsFollowFromTokenAndName) {
  EXPECT_EQ(cluster_id_of("a"), cluster_id_of("a"));
  EXPECT_NE(cluster_id_of("a"), cluster_id_of("b"));
  EXPECT_NE(member_id_of("a", "n1"), member_id_of("a", "n2"));
  EXPECT_NE(member_id_of("a", "n1"), member_id_of("b", "n1"));
  EXPECT_TRUE(bool(cluster_id_of("")));
}

TEST(Config, TicksFollowFromMilliseconds) {
  Config config = *parse(with({"--heartbeat-ms", "100", "--election-ms", "1000"})).config;
  const raft::Options options = core_options(config, {3, 4}, base::Incarnation(5));
  EXPECT_EQ(options.heartbeat_ticks, 10u);
  EXPECT_EQ(options.election_ticks, 100u);
  EXPECT_EQ(options.check_quorum_ticks, 200u);
  EXPECT_EQ(options.stall_ticks, 200u);
  EXPECT_EQ(options.self, config.self);
  EXPECT_EQ(options.incarnation, base::Incarnation(5));
}

}  // namespace
}  // namespace server
