// The harness of Jepsen-style tests itself: killed at any moment it leaves nothing behind, and what
// it wrote until then can be read and is no pass.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/random.h"
#include "client/ctl/child.h"
#include "tests/cluster/command.h"

namespace cluster {
namespace {

namespace fs = std::filesystem;

std::string jepsen_path() {
  return HOLDFAST_JEPSEN;
}

/// Processes whose command line names the folder.
std::vector<std::string> processes_of(const std::string& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string line = read_file(entry.path().string() + "/cmdline");
    if (line.find(folder) == std::string::npos) continue;
    // A process that is gone but was not reaped yet has an empty command line.
    found.push_back(name + ": " + line.substr(0, line.find('\0')));
  }
  return found;
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t times = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1))
    ++times;
  return times;
}

/// Runs until `when` holds of its history, and is killed then.
void kill_when(const std::string& nemesis, const std::function<bool(const std::string&)>& when) {
  Scratch scratch;
  const std::string out = scratch.path() + "/run";
  client::ctl::Child harness;
  ASSERT_TRUE(
      harness
          .start({jepsen_path(), "run", "--nemesis", nemesis, "--duration", "60s", "--bound-ms",
                  "60000", "--out", out, "--time-scale", std::to_string(time_scale())},
                 {})
          .is_ok());
  EXPECT_TRUE(wait_until(60'000 * time_scale(), [&] {
    return when(read_file(out + "/history.jsonl")) || !harness.runs();
  }));
  ASSERT_TRUE(harness.runs()) << "it ended by itself: " << harness.wait();
  // The harness itself, and a member at least: there is something to leave behind.
  EXPECT_TRUE(wait_until(5000 * time_scale(), [&] { return processes_of(out).size() >= 2; }));
  harness.signal(SIGKILL);
  EXPECT_EQ(harness.wait(), 128 + SIGKILL);
  EXPECT_TRUE(wait_until(5000, [&] { return processes_of(out).empty(); }))
      << processes_of(out).front();
  const Ended checked = run({jepsen_path(), "check", out + "/history.jsonl"});
  EXPECT_EQ(checked.exit_code, 1) << checked.out << checked.err;
  EXPECT_NE(checked.out.find("it did not come to its end"), std::string::npos) << checked.out;
  EXPECT_EQ(checked.out.find("invalid"), std::string::npos) << checked.out;
}

TEST(JepsenHarness, KilledWhileItsMembersStart) {
  kill_when("none", [](const std::string& history) { return !history.empty(); });
}

TEST(JepsenHarness, KilledWhileAMemberIsStopped) {
  kill_when("pause", [](const std::string& history) {
    return history.find(R"("f":"begin")") != std::string::npos;
  });
}

TEST(JepsenHarness, KilledWhileLinksAreCut) {
  kill_when("isolate", [](const std::string& history) {
    return history.find(R"("f":"proof")") != std::string::npos;
  });
}

TEST(JepsenHarness, KilledAtRandomMoments) {
  base::Random random(11);
  for (int round = 0; round < 3; ++round) {
    const std::size_t events = random.between(10, 2500);
    kill_when("kill+isolate+hang-disk",
              [&](const std::string& history) { return count(history, "\n") > events; });
  }
}

TEST(JepsenHarness, ASuiteThatIsKilledTakesItsRunsAlong) {
  Scratch scratch;
  client::ctl::Child suite;
  ASSERT_TRUE(suite
                  .start({jepsen_path(), "suite", "ci", "--jobs", "2", "--out", scratch.path(),
                          "--time-scale", std::to_string(time_scale())},
                         {})
                  .is_ok());
  // The suite, two runs, and members of both.
  EXPECT_TRUE(wait_until(30'000 * time_scale(),
                         [&] { return processes_of(scratch.path()).size() >= 1 + 2 + 6; }));
  suite.signal(SIGKILL);
  EXPECT_EQ(suite.wait(), 128 + SIGKILL);
  EXPECT_TRUE(wait_until(5000, [&] { return processes_of(scratch.path()).empty(); }))
      << processes_of(scratch.path()).front();
}

TEST(JepsenHarness, ARunThatComesToNoEndEndsNoSuiteAndIsTriedAgain) {
  Scratch scratch;
  const auto suite = [&](const char* server) {
    return run({jepsen_path(), "suite", "ci", "--jobs", "2", "--resume", "--only",
                "register-none-3", "--only", "register-kill-3", "--server", server, "--out",
                scratch.path()});
  };
  for (const char* const server : {"/bin/false", "/nowhere/holdfastd"}) {
    const Ended ended = suite(server);
    EXPECT_EQ(ended.exit_code, 1) << ended.out << ended.err;
    for (const char* const part :
         {"register-none-3 ", "register-kill-3 ", "the run came to no end: holdfast-jepsen: ",
          "the cluster did not come up", "0 of 2 cells valid"})
      EXPECT_NE(ended.out.find(part), std::string::npos) << part << "\n" << ended.out;
    EXPECT_FALSE(fs::exists(scratch.path() + "/register-none-3/result.json"));
  }
  const Ended other = run({jepsen_path(), "suite", "ci", "--only", "register-flood-3"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_NE(other.err.find("suite ci has no such cell"), std::string::npos) << other.err;
}

TEST(JepsenHarness, SaysWhatItDoesNotKnow) {
  const Ended workload = run({jepsen_path(), "run", "--workload", "none"});
  EXPECT_EQ(workload.exit_code, 2);
  EXPECT_NE(workload.err.find("there is no workload \"none\""), std::string::npos) << workload.err;
  const Ended nemesis = run({jepsen_path(), "run", "--nemesis", "kill+flood"});
  EXPECT_EQ(nemesis.exit_code, 2);
  EXPECT_NE(nemesis.err.find("there is no nemesis \"flood\""), std::string::npos) << nemesis.err;
  for (const char* const ports :
       {"12000", "12000-", "13000-12000", "80-90", "12000-70000", "1-2x"}) {
    const Ended range = run({jepsen_path(), "run", "--ports", ports});
    EXPECT_EQ(range.exit_code, 2) << ports;
    EXPECT_NE(range.err.find("two numbers are wanted"), std::string::npos) << range.err;
  }
  const Ended file = run({jepsen_path(), "check", "/nowhere/history.jsonl"});
  EXPECT_EQ(file.exit_code, 1);
  EXPECT_NE(file.err.find("/nowhere/history.jsonl cannot be read"), std::string::npos) << file.err;
}

}  // namespace
}  // namespace cluster
