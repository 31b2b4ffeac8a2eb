#include "client/ctl/why.h"

#include <gtest/gtest.h>

namespace client::ctl {
namespace {

using nlohmann::ordered_json;

class Why : public ::testing::Test {
 protected:
  void add(const std::string& by, std::uint64_t at_ms, const std::string& what, std::uint64_t term,
           const std::string& peer, const std::string& reason) {
    ordered_json& document = documents_[by];
    document["member"] = by;
    document["events"].push_back(
        {{"at_ms", at_ms}, {"what", what}, {"term", term}, {"peer", peer}, {"reason", reason}});
  }
  std::vector<Happening> story() const {
    std::vector<HealthAnswer> answers;
    for (const auto& [by, document] : documents_) answers.push_back({"h:1", "", document});
    answers.push_back({"h:9", "connection refused", {}});
    return story_of(answers);
  }
  std::map<std::string, ordered_json> documents_;
};

TEST_F(Why, AHandOverNamesWhoWhyAndHowLong) {
  add("n1", 1000, "became-leader", 1, "", "");
  add("n1", 5000, "stalled", 1, "", "log sync pending for 600 ms");
  add("n1", 5000, "stepped-down", 1, "", "log sync pending for 600 ms");
  add("n1", 5000, "handed-over", 1, "n3", "");
  add("n3", 5001, "became-candidate", 2, "", "asked to");
  add("n3", 5004, "became-leader", 2, "", "");
  const auto all = story();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1].member, "n3");
  EXPECT_EQ(all[1].took_ms, 4u);
  EXPECT_EQ(all[1].text,
            "leads in term 2, instead of n1. n1 gave up: log sync pending for 600 ms; n1 chose n3. "
            "It took 4 ms");
}

TEST_F(Why, ALeaderThatFellSilent) {
  add("n1", 1000, "became-leader", 1, "", "");
  add("n2", 5000, "became-pre-candidate", 1, "", "");
  add("n2", 5030, "became-leader", 2, "", "");
  const auto all = story();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_NE(all[1].text.find("n1 fell silent"), std::string::npos) << all[1].text;
  EXPECT_EQ(all[1].took_ms, 30u);
}

TEST_F(Why, AVerdictOfThreeIsOneLine) {
  add("n1", 1000, "verdict", 0, "n3", "stalled: log sync pending for 900 ms");
  add("n2", 1010, "verdict", 0, "n3", "stalled: log sync pending for 910 ms");
  add("n2", 1020, "verdict", 0, "n3", "slow: score 100");
  add("n1", 4000, "verdict-ended", 0, "n3", "stalled: log sync pending for 3000 ms");
  const auto all = story();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].sources, (std::vector<std::string>{"n1", "n2"}));
  EXPECT_EQ(all[0].ended_ms, 4000u);
  const std::string text = simple_why(all);
  EXPECT_NE(text.find("found by n1, n2; it stood for 3000 ms"), std::string::npos) << text;
  EXPECT_NE(text.find("found by n2; it stands"), std::string::npos) << text;
}

TEST_F(Why, AVerdictThatComesBackIsAnother) {
  add("n1", 1000, "verdict", 0, "n3", "dead: nobody hears it");
  add("n1", 2000, "verdict-ended", 0, "n3", "dead: nobody hears it");
  add("n1", 60'000, "verdict", 0, "n3", "dead: nobody hears it");
  EXPECT_EQ(story().size(), 2u);
}

TEST_F(Why, FaultsAreTold) {
  add("n1", 1000, "fault-set", 0, "", "hang-log-sync");
  const auto json = json_of(story());
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["kind"], "fault");
  EXPECT_EQ(json[0]["text"], "fault injected: hang-log-sync");
}

TEST_F(Why, AQuietHour) {
  EXPECT_EQ(simple_why(story()), "nothing was decided in the last hour\n");
}

TEST(Health, TellsWhatIsWrongAndWhoFoundIt) {
  const auto document = [](const char* name, bool ok) {
    return ordered_json{
        {"healthy", ok},
        {"member", name},
        {"role", "follower"},
        {"wall_ms", 5000},
        {"speed", "healthy"},
        {"checks", {{{"name", "progress"}, {"ok", ok}, {"reason", ok ? "" : "log sync pending"}}}},
        {"verdicts",
         {{{"verdict", "stalled"},
           {"member", "n2"},
           {"other", ""},
           {"since_ms", 4000},
           {"evidence", "log sync pending"}}}},
        {"rows",
         {{{"observer", name},
           {"age_ms", 5},
           {"speed", "healthy"},
           {"sync_ms", nullptr},
           {"stalled", !ok},
           {"starved", false},
           {"links",
            {{{"member", name == std::string("n1") ? "n2" : "n1"},
              {"silent_ms", ok ? 2000 : 50},
              {"round_trip_ms", 0.5}}}}}}}};
  };
  const std::vector<HealthAnswer> answers = {{"h:1", "", document("n1", true)},
                                             {"h:2", "", document("n2", false)},
                                             {"h:3", "connection refused", {}}};
  const std::string text = simple_health(answers, "");
  EXPECT_NE(text.find("n1  follower  healthy"), std::string::npos) << text;
  EXPECT_NE(text.find("[-] progress: log sync pending"), std::string::npos) << text;
  EXPECT_NE(text.find("n2: stalled for 1000 ms: log sync pending (found by n1, n2)"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("unreachable  h:3: connection refused"), std::string::npos) << text;
  EXPECT_EQ(simple_health(answers, "n1").find("n2  follower"), std::string::npos);
  const std::string matrix = simple_matrix(answers);
  EXPECT_NE(matrix.find("silent 2000 ms"), std::string::npos) << matrix;
  EXPECT_NE(matrix.find("0.5 ms"), std::string::npos) << matrix;
}

}  // namespace
}  // namespace client::ctl
