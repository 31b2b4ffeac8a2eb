// The playground as a person uses it: the binary alone.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "client/ctl/playground/process.h"
#include "tests/cluster/command.h"

namespace cluster {
namespace {

namespace playground = client::ctl::playground;
using nlohmann::json;

/// A playground with a state directory of its own, taken down at the end.
class Playground {
 public:
  explicit Playground(std::string tag) : tag_(std::move(tag)) {}
  ~Playground() { (void)act({"down"}); }

  Ended act(std::vector<std::string> words) const {
    words.insert(words.begin(), {holdfast_path(), "playground"});
    words.insert(words.end(), {"--tag", tag_});
    return run(words, {state_home()}, 60000 * time_scale());
  }
  Ended up(int nodes, std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"up", "--nodes", std::to_string(nodes), "--detach",
                                      "--server-flag=--time-scale=" + std::to_string(time_scale())};
    words.insert(words.end(), more.begin(), more.end());
    return act(words);
  }
  /// Through a shell, as in the README.
  Ended shell(const std::string& line) const {
    const std::string holdfast = "'" + holdfast_path() + "'";
    return run({"/bin/sh", "-c",
                "eval \"$(" + holdfast + " playground env --tag " + tag_ + ")\" && holdfast() { " +
                    holdfast + " \"$@\"; }; " + line},
               {state_home()}, 60000 * time_scale());
  }
  std::vector<playground::ProcessId> processes() const {
    std::vector<playground::ProcessId> all;
    const auto told = json::parse(act({"status", "-w", "json"}).out, nullptr, false);
    if (told.is_discarded()) return all;
    for (const auto& node : told["nodes"])
      if (auto process = playground::find_process(node["pid"].get<int>())) all.push_back(*process);
    if (auto process = playground::find_process(told["supervisor_pid"].get<int>()))
      all.push_back(*process);
    return all;
  }

 private:
  std::string state_home() const { return "XDG_STATE_HOME=" + scratch_.path(); }
  const std::string tag_;
  const Scratch scratch_;
};

/// The members in what `holdfast status -w json` says.
struct Members {
  std::set<std::string> names;
  int leaders = 0;
};
Members members_of(const Ended& status) {
  Members members;
  const auto told = json::parse(status.out, nullptr, false);
  if (told.is_discarded()) return members;
  for (const auto& member : told["members"]) {
    members.names.insert(member["name"].get<std::string>());
    members.leaders += member["leader"].get<bool>() ? 1 : 0;
  }
  return members;
}

/// The pids of those that still run.
std::string alive(const std::vector<playground::ProcessId>& processes) {
  std::string pids;
  for (const auto& process : processes)
    if (playground::is_alive(process)) pids += " " + std::to_string(process.pid);
  return pids;
}

class PlaygroundOf : public testing::TestWithParam<int> {};

TEST_P(PlaygroundOf, ThreeLinesOfTheReadmeWork) {
  const Playground playground("lines");
  const Ended up = playground.up(GetParam());
  ASSERT_EQ(up.exit_code, 0) << up.err << up.out;
  const Ended got = playground.shell("holdfast put a 1 && holdfast get a");
  EXPECT_EQ(got.exit_code, 0) << got.err;
  EXPECT_EQ(got.out, "OK\n1\n");

  Members members;
  // A member that is slow to answer has no name for once.
  (void)wait_until(10000 * time_scale(), [&] {
    members = members_of(playground.shell("holdfast status -w json"));
    return !members.names.contains("") && members.leaders == 1;
  });
  EXPECT_EQ(members.leaders, 1);
  EXPECT_EQ(members.names.size(), static_cast<std::size_t>(GetParam()));
  for (int i = 1; i <= GetParam(); ++i)
    EXPECT_TRUE(members.names.contains("n" + std::to_string(i)));

  const auto processes = playground.processes();
  EXPECT_EQ(processes.size(), static_cast<std::size_t>(GetParam()) + 1);
  EXPECT_EQ(playground.act({"down"}).exit_code, 0);
  EXPECT_EQ(alive(processes), "") << "down leaves nothing behind";
}
INSTANTIATE_TEST_SUITE_P(Sizes, PlaygroundOf, testing::Values(3, 5));

TEST(Playground, NothingOutlivesASupervisorThatIsKilled) {
  const Playground playground("killed");
  ASSERT_EQ(playground.up(3).exit_code, 0);
  const auto processes = playground.processes();
  ASSERT_EQ(processes.size(), 4u);
  ASSERT_TRUE(playground::send_signal(processes.back(), SIGKILL)) << "the supervisor is the last";
  EXPECT_TRUE(wait_until(5000, [&] { return alive(processes).empty(); }));
  // What it left on disk is in nobody's way.
  const Ended again = playground.up(3);
  EXPECT_EQ(again.exit_code, 0) << again.err;
}

TEST(Playground, RestartsANodeThatEndsItselfAndKeepsDataWhenAsked) {
  const Playground playground("kept");
  ASSERT_EQ(playground.up(3, {"--keep"}).exit_code, 0);
  ASSERT_EQ(playground.shell("holdfast put kept yes").exit_code, 0);
  const auto before = playground.processes();
  ASSERT_EQ(before.size(), 4u);
  ASSERT_TRUE(playground::send_signal(before.front(), SIGKILL)) << "as if it ended itself";
  const auto restarted = [&] {
    const auto now = playground.processes();
    return now.size() == 4 && !(now.front() == before.front());
  };
  EXPECT_TRUE(wait_until(10000 * time_scale(), restarted));

  ASSERT_EQ(playground.act({"down"}).exit_code, 0);
  ASSERT_EQ(playground.up(3, {"--keep"}).exit_code, 0);
  EXPECT_EQ(playground.shell("holdfast get kept").out, "yes\n");
}

TEST(Playground, EveryVerbDoesAsItSays) {
  const Playground playground("verbs");
  ASSERT_EQ(playground.up(3).exit_code, 0);
  for (const char* verb : {"kill", "stop"}) {
    const Ended ended = playground.act({verb, "n2"});
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    EXPECT_EQ(playground.processes().size(), 3u) << "one node less, after " << verb;
    EXPECT_EQ(playground.shell("holdfast put k " + std::string(verb)).exit_code, 0);
    EXPECT_EQ(playground.act({"restart", "2"}).exit_code, 0);
    EXPECT_EQ(playground.processes().size(), 4u);
  }
  EXPECT_EQ(playground.act({"pause", "n3"}).exit_code, 0);
  EXPECT_EQ(playground.shell("holdfast put k paused").exit_code, 0);
  EXPECT_EQ(playground.act({"resume", "n3"}).exit_code, 0);
  EXPECT_EQ(playground.shell("holdfast get k").out, "paused\n");
  EXPECT_EQ(playground.act({"hang-disk", "n1"}).exit_code, 0);
  EXPECT_EQ(playground.shell("holdfast put k hung").exit_code, 0);
  EXPECT_EQ(playground.act({"heal", "n1"}).exit_code, 0);
  EXPECT_EQ(playground.shell("holdfast get k").out, "hung\n");
  EXPECT_NE(playground.act({"logs", "n1"}).out.find("listening"), std::string::npos);
  EXPECT_NE(playground.act({"kill", "n9"}).exit_code, 0);
}

}  // namespace
}  // namespace cluster
