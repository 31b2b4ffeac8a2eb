// The language of scenarios.
#include "client/ctl/playground/scenario.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "client/ctl/playground/injections.h"

namespace client::ctl::playground {
namespace {

std::string why_not(const std::string& text) {
  const auto scenario = parse_scenario(text);
  return scenario.is_ok() ? "" : scenario.status().detail();
}

TEST(Scenario, SaysWhatHappensWhen) {
  const auto parsed = parse_scenario(
      "# The disk hangs.\n"
      "# And more of it.\n"
      "\n"
      "nodes 3 5\n"
      "0s     kill follower2   # a comment\n"
      "500ms  slow-disk leader --delay 50ms\n"
      "  3.5s heal\n"
      "5s end\n"
      "expect leader moves within 900ms\n");
  ASSERT_TRUE(parsed.is_ok()) << parsed.status().to_string();
  const Scenario& scenario = parsed.value();
  EXPECT_EQ(scenario.about, "The disk hangs.");
  EXPECT_TRUE(scenario.fits(3) && scenario.fits(5) && !scenario.fits(1));
  ASSERT_EQ(scenario.steps.size(), 3u);
  EXPECT_EQ(scenario.steps[0].at_ms, 0u);
  EXPECT_EQ(scenario.steps[0].text, "kill follower2");
  EXPECT_EQ(scenario.steps[0].how.node, "follower2");
  EXPECT_EQ(scenario.steps[1].how.action, PlaygroundArguments::Action::kSlowDisk);
  EXPECT_EQ(scenario.steps[1].how.delay, "50ms");
  EXPECT_EQ(scenario.end_ms, 5000u);
  EXPECT_EQ(scenario.lasts_ms(), 3500u);
  EXPECT_EQ(scenario.leadership, Leadership::kMoves);
  EXPECT_EQ(scenario.within_ms, 900u);
}

TEST(Scenario, NeedsNoMoreThanAStep) {
  const auto parsed = parse_scenario("1s pause leader\nexpect leader stays");
  ASSERT_TRUE(parsed.is_ok());
  EXPECT_TRUE(parsed.value().fits(1));
  EXPECT_EQ(parsed.value().end_ms, 1000u);
  EXPECT_EQ(parsed.value().leadership, Leadership::kStays);
}

TEST(Scenario, NamesTheLineThatMakesNoSense) {
  EXPECT_EQ(why_not("# nothing\n"), "nothing is to happen: there is no line TIME VERB …");
  EXPECT_TRUE(why_not("1s heal\nsoon heal\n").starts_with("line 2: \"soon\" is not a duration"));
  EXPECT_EQ(why_not("2s heal\n1s heal\n"), "line 2: it is to happen before the line above it");
  EXPECT_EQ(why_not("2s up\n"), "line 1: \"up\" does nothing to a node");
  EXPECT_EQ(why_not("2s hang-dsik leader\n"), "line 1: \"hang-dsik\" is no verb of `playground`");
  EXPECT_TRUE(why_not("2s cut n1\n").starts_with("line 1: cut: "));
  EXPECT_EQ(why_not("2s\n"), "line 1: write TIME VERB …");
  EXPECT_EQ(why_not("1s end\n2s heal\n"), "line 2: nothing happens after `end`");
  EXPECT_EQ(why_not("nodes 4\n1s heal"), "line 1: nodes: 3 or 5, not 4");
  EXPECT_EQ(why_not("expect peace\n1s heal"),
            "line 1: expect: write `leader moves within TIME` or `leader stays`");
}

TEST(Scenario, EveryOneOfTheTestsIsUnderstood) {
  std::size_t files = 0;
  for (const auto& file : std::filesystem::directory_iterator(HOLDFAST_SCENARIOS)) {
    ++files;
    const auto scenario = read_scenario(file.path());
    EXPECT_TRUE(scenario.is_ok()) << scenario.status().to_string();
    EXPECT_FALSE(scenario.value().about.empty()) << file.path();
  }
  EXPECT_GE(files, 23u);
  EXPECT_EQ(read_scenario("/nowhere/none").status().code(), base::Code::kIo);
}

TEST(NodesOfAScenario, AreNamedByTheLeaderToo) {
  const std::vector<std::string> nodes = {"n1", "n2", "n3"};
  const auto named = [&](const std::string& word, const std::string& leader) {
    const auto node = resolve_node(word, nodes, leader);
    return node.is_ok() ? node.value() : std::string(base::traits(node.status().code()).name);
  };
  EXPECT_EQ(named("2", ""), "n2");
  EXPECT_EQ(named("n3", ""), "n3");
  EXPECT_EQ(named("leader", "n3"), "n3");
  EXPECT_EQ(named("follower", "n3"), "n1");
  EXPECT_EQ(named("follower2", "n3"), "n2");
  EXPECT_EQ(named("leader", ""), base::traits(base::Code::kNoLeader).name);
  EXPECT_EQ(named("follower3", "n3"), base::traits(base::Code::kInvalidArgument).name);
  EXPECT_EQ(named("n4", "n3"), base::traits(base::Code::kInvalidArgument).name);
}

}  // namespace
}  // namespace client::ctl::playground
