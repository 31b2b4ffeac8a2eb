// The supervisor with real processes that stand in for nodes: what is restarted, what stays down,
// and that nothing is left behind.
#include "client/ctl/playground/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

namespace client::ctl::playground {
namespace {

class SupervisorTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "supervisor-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    state_.tag = "t";
    state_.token = "token";
    state_.directory = root_ + "/t";
    state_.data = state_.directory + "/data";
    state_.nodes.resize(2);
    state_.nodes[0].name = "n1";
    state_.nodes[1].name = "n2";
    std::filesystem::create_directories(state_.data + "/logs");
  }
  void TearDown() override {
    if (supervisor_) {
      send_signal(supervisor_, SIGKILL);
      waitpid(supervisor_.pid, nullptr, 0);
    }
    std::filesystem::remove_all(root_);
  }

  /// Starts the supervisor over nodes that run this shell script.
  void start(const std::string& script) {
    state_.server = root_ + "/node";
    std::ofstream(state_.server) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(state_.server, std::filesystem::perms::owner_all);
    ASSERT_TRUE(write_file(state_.state_path(), to_json(state_)).is_ok());
    auto lock = Lock::take(state_.directory);
    ASSERT_TRUE(lock.is_ok() && lock.value().has_value());
    lock.value()->inherit();
    auto supervisor = spawn(
        {{self_path(), kSuperviseVerb, state_.directory}, root_ + "/supervisor.log", true, false});
    ASSERT_TRUE(supervisor.is_ok());
    supervisor_ = supervisor.value();
    ASSERT_TRUE(until([&] { return ask("list").is_ok(); }));
  }

  static bool until(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      usleep(5000);
    }
    return true;
  }
  Node node(std::size_t i) {
    auto answer = request(state_.directory, "list");
    if (!answer.is_ok()) return {};
    auto state = from_json(answer.value());
    return state.is_ok() ? state.value().nodes.at(i) : Node{};
  }
  base::Status ask(const std::string& line) { return request(state_.directory, line).status(); }

  std::string root_;
  State state_;
  ProcessId supervisor_;
};

constexpr char kSleeps[] = "exec sleep 1000";

TEST_F(SupervisorTest, RestartsWhatEndedItselfAndNotWhatWasKilled) {
  start(kSleeps);
  ASSERT_TRUE(ask("kill n1").is_ok());
  ASSERT_TRUE(until([&] { return node(0).state == "down"; }));
  EXPECT_EQ(node(0).last_exit, "signal 9 (Killed)");

  const ProcessId before = node(1).process;
  ASSERT_TRUE(send_signal(before, SIGKILL));  // as the OOM killer would
  ASSERT_TRUE(until([&] { return node(1).process && node(1).process != before; }));
  EXPECT_EQ(node(1).restarts, 1u);
  EXPECT_EQ(node(0).state, "down") << "killed by the user: it waits for restart";
  EXPECT_EQ(node(0).restarts, 0u);

  ASSERT_TRUE(ask("restart n1").is_ok());
  ASSERT_TRUE(until([&] { return is_alive(node(0).process); }));
}

TEST_F(SupervisorTest, StopPauseResumeRestart) {
  start(kSleeps);
  const ProcessId first = node(0).process;
  const auto kernel_state = [&] {
    std::ifstream file("/proc/" + std::to_string(first.pid) + "/stat");
    std::string pid, name, state;
    file >> pid >> name >> state;
    return state;
  };
  ASSERT_TRUE(ask("pause n1").is_ok());
  EXPECT_TRUE(until([&] { return kernel_state() == "T"; }));
  EXPECT_EQ(node(0).state, "paused");
  ASSERT_TRUE(ask("resume n1").is_ok());
  EXPECT_TRUE(until([&] { return kernel_state() == "S"; }));
  ASSERT_TRUE(ask("pause n1").is_ok());
  ASSERT_TRUE(ask("stop n1").is_ok()) << "a paused node can be stopped";
  ASSERT_TRUE(until([&] { return node(0).state == "down"; }));
  EXPECT_FALSE(is_alive(first));
  EXPECT_FALSE(ask("pause n1").is_ok());
  EXPECT_FALSE(ask("pause n9").is_ok());
  EXPECT_FALSE(ask("dance n2").is_ok());

  const ProcessId second = node(1).process;
  ASSERT_TRUE(ask("restart n2").is_ok());
  ASSERT_TRUE(until([&] { return node(1).process && node(1).process != second; }));
  EXPECT_EQ(node(1).restarts, 0u) << "asked for, so no crash";
}

/// Of a busy loop, whose CPU time is what it gets.
TEST_F(SupervisorTest, AStarvedNodeGetsItsShareUntilItIsResumed) {
  start("while :; do :; done");
  const auto ticks = [&] {
    std::ifstream file("/proc/" + std::to_string(node(0).process.pid) + "/stat");
    std::string word;
    std::uint64_t user = 0, system = 0;
    for (int i = 0; i < 13; ++i) file >> word;
    file >> user >> system;
    return user + system;  // of 10 ms
  };
  ASSERT_TRUE(ask("starve-10 n1").is_ok());
  EXPECT_EQ(node(0).state, "starved");
  const std::uint64_t before = ticks();
  std::this_thread::sleep_for(std::chrono::seconds(2));
  EXPECT_LE(ticks() - before, 60u) << "a tenth of two seconds, and room for a busy machine";
  ASSERT_TRUE(ask("resume n1").is_ok());
  EXPECT_EQ(node(0).state, "running");
  const std::uint64_t resumed = ticks();
  EXPECT_TRUE(until([&] { return ticks() > resumed + 20; }));
  ASSERT_TRUE(ask("starve-5 n1").is_ok());
  ASSERT_TRUE(ask("stop n1").is_ok()) << "a starved node can be stopped";
  ASSERT_TRUE(until([&] { return node(0).state == "down"; }));
}

TEST_F(SupervisorTest, ACrashLoopIsSlowedDown) {
  start("sleep 0.01; exit 3");
  const auto start_time = std::chrono::steady_clock::now();
  ASSERT_TRUE(until([&] { return node(0).restarts >= 4; }));
  // 0 + 200 + 400 ms between them.
  EXPECT_GE(std::chrono::steady_clock::now() - start_time, std::chrono::milliseconds(500));
  EXPECT_EQ(node(0).last_exit, "exit code 3");
}

TEST_F(SupervisorTest, DownTakesEverythingEvenWhatIgnoresSigterm) {
  start("trap '' TERM; while true; do sleep 1; done");
  const ProcessId first = node(0).process, second = node(1).process;
  ASSERT_TRUE(ask("down").is_ok());
  ASSERT_TRUE(until([&] { return !is_alive(supervisor_); }));
  EXPECT_FALSE(is_alive(first));
  EXPECT_FALSE(is_alive(second));
  EXPECT_FALSE(std::filesystem::exists(state_.directory)) << "temporary data goes with it";
}

TEST_F(SupervisorTest, KeepsDataWhenAskedTo) {
  state_.keep_data = true;
  start(kSleeps);
  ASSERT_TRUE(ask("down").is_ok());
  ASSERT_TRUE(until([&] { return !is_alive(supervisor_); }));
  EXPECT_TRUE(std::filesystem::exists(state_.data + "/logs/n1.log"));
  EXPECT_FALSE(std::filesystem::exists(state_.state_path()));
}

TEST_F(SupervisorTest, NoNodeOutlivesASupervisorThatIsKilled) {
  start(kSleeps);
  const ProcessId first = node(0).process, second = node(1).process;
  // On a busy machine it may not have come to asking for its end with its parent's yet.
  const auto runs_its_program = [](const ProcessId& process) {
    std::ifstream comm("/proc/" + std::to_string(process.pid) + "/comm");
    std::string name;
    return std::getline(comm, name) && name == "sleep";
  };
  ASSERT_TRUE(until([&] { return runs_its_program(first) && runs_its_program(second); }));
  ASSERT_TRUE(ask("pause n2").is_ok()) << "not even one that is stopped";
  ASSERT_TRUE(send_signal(supervisor_, SIGKILL));
  EXPECT_TRUE(until([&] { return !is_alive(first) && !is_alive(second); }));
  EXPECT_FALSE(is_locked(state_.directory)) << "the nodes may not hold its lock";
}

}  // namespace
}  // namespace client::ctl::playground

/// The supervisor and its nodes are started through this very binary, as through `holdfast`.
int main(int argc, char** argv) {
  using namespace client::ctl::playground;
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == kChildVerb) return run_child(argc, argv);
  if (verb == kSuperviseVerb) return run_supervisor(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
