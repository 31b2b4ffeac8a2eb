// The playground's parts: processes that die with their parent, states, ports, the control socket.
// Whole playgrounds of real nodes are in tests/cluster.
#include "client/ctl/playground/playground.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "client/ctl/playground/control.h"
#include "client/ctl/playground/ports.h"
#include "client/ctl/playground/supervisor.h"

namespace client::ctl::playground {
namespace {

class Directory : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "playground-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(path_); }
  std::string path_;
};

State some_state(const std::string& directory) {
  State state;
  state.tag = "t";
  state.token = "token";
  state.directory = directory;
  state.data = directory + "/data";
  state.server = "/bin/holdfastd";
  state.server_flags = {"--time-scale=5"};
  for (std::uint16_t i = 1; i <= 3; ++i) {
    Node node;
    node.name = "n" + std::to_string(i);
    node.client_port = static_cast<std::uint16_t>(10 * i);
    node.peer_port = static_cast<std::uint16_t>(10 * i + 1);
    node.http_port = static_cast<std::uint16_t>(10 * i + 2);
    state.nodes.push_back(node);
  }
  state.nodes[1].process = {123, 456};
  state.nodes[1].last_exit = "signal 9 (Killed)";
  return state;
}

TEST(Backoff, StartsAtOnceThenDoublesUpToItsMost) {
  Backoff backoff;
  EXPECT_EQ(backoff.ended(5), 0u);
  EXPECT_EQ(backoff.ended(5), 200u);
  EXPECT_EQ(backoff.ended(5), 400u);
  for (int i = 0; i < 40; ++i) EXPECT_LE(backoff.ended(5), Backoff::kMostMs);
  EXPECT_EQ(backoff.ended(5), Backoff::kMostMs);
  EXPECT_EQ(backoff.ended(Backoff::kSoundMs), 0u) << "one that ran well starts afresh";
}

TEST(ServerArguments, NameEveryMemberWithBothPorts) {
  const State state = some_state("/d");
  const auto arguments = server_arguments(state, state.nodes[1]);
  std::string line;
  for (const auto& argument : arguments) line += argument + " ";
  EXPECT_NE(line.find("--name n2 "), std::string::npos);
  EXPECT_NE(line.find("--initial-cluster n1=127.0.0.1:11@127.0.0.1:10,n2=127.0.0.1:21@"
                      "127.0.0.1:20,n3=127.0.0.1:31@127.0.0.1:30 "),
            std::string::npos);
  EXPECT_NE(line.find("--listen-client 127.0.0.1:20 "), std::string::npos);
  EXPECT_NE(line.find("--allow-faults --time-scale=5"), std::string::npos);
}

TEST_F(Directory, StateSurvivesItsFile) {
  const State state = some_state(path_);
  ASSERT_TRUE(write_file(state.state_path(), to_json(state)).is_ok());
  auto back = load(path_);
  ASSERT_TRUE(back.is_ok()) << back.status().to_string();
  EXPECT_EQ(to_json(back.value()), to_json(state));
  EXPECT_EQ(back.value().nodes[1].process, (ProcessId{123, 456}));
}

TEST_F(Directory, ABrokenStateIsAnErrorNotACrash) {
  for (const char* text : {"", "{", "[]", "{\"tag\":1}", "null"}) {
    ASSERT_TRUE(write_file(path_ + "/state.json", text).is_ok());
    EXPECT_FALSE(load(path_).is_ok()) << text;
  }
}

TEST_F(Directory, OneHolderOfTheLock) {
  EXPECT_FALSE(is_locked(path_));
  {
    auto lock = Lock::take(path_);
    ASSERT_TRUE(lock.is_ok() && lock.value().has_value());
    EXPECT_TRUE(is_locked(path_));
    auto second = Lock::take(path_);
    ASSERT_TRUE(second.is_ok());
    EXPECT_FALSE(second.value().has_value());
  }
  EXPECT_FALSE(is_locked(path_));
}

TEST(Tag, IsOneFolderName) {
  setenv("XDG_STATE_HOME", "/state", 1);
  EXPECT_EQ(directory_of("a-b_c.1").value(), "/state/holdfast/playground/a-b_c.1");
  for (const char* tag : {"", "..", ".", "a/b", "a b", "\xff"})
    EXPECT_FALSE(directory_of(tag).is_ok()) << tag;
  unsetenv("XDG_STATE_HOME");
}

TEST(Ports, AreFreeAndDistinctAndATakenOneIsNamed) {
  auto ports = free_ports(15, 42);
  ASSERT_TRUE(ports.is_ok());
  EXPECT_EQ(std::set<std::uint16_t>(ports.value().begin(), ports.value().end()).size(), 15u);
  EXPECT_TRUE(ports_are_free(ports.value()).is_ok());
  const auto twice = ports_are_free({ports.value()[0], ports.value()[0]});
  EXPECT_TRUE(twice.is_ok()) << "each is looked at on its own";
}

TEST(Ports, OfTwoPartsAreNeverTheSame) {
  const PortRange whole{20000, 20099};
  std::set<std::uint16_t> all;
  for (std::size_t i = 0; i < 3; ++i) {
    const PortRange part = whole.part(i, 3);
    EXPECT_EQ(part.highest - part.lowest, 32);
    for (std::uint16_t port = part.lowest; port <= part.highest; ++port) {
      EXPECT_TRUE(all.insert(port).second) << port;
      EXPECT_TRUE(port >= whole.lowest && port <= whole.highest) << port;
    }
  }
  const auto few = free_ports(3, 7, {20000, 20099});
  ASSERT_TRUE(few.is_ok());
  for (const std::uint16_t port : few.value()) EXPECT_TRUE(all.contains(port) || port == 20099);
  const auto too_many = free_ports(3, 7, {20000, 20001});
  ASSERT_FALSE(too_many.is_ok());
  EXPECT_EQ(too_many.status().detail(), "no free ports between 20000 and 20001");
}

TEST(Process, OwnIdIsFoundAndAnotherStartTimeIsSomebodyElse) {
  const auto self = find_process(getpid());
  ASSERT_TRUE(self.has_value());
  EXPECT_TRUE(is_alive(*self));
  const ProcessId other{self->pid, self->start_time + 1};
  EXPECT_FALSE(is_alive(other));
  EXPECT_FALSE(send_signal(other, SIGKILL)) << "or this test would be dead";
  EXPECT_FALSE(find_process(0).has_value());
}

TEST_F(Directory, SpawnWritesTheLogAndUnblocksSignals) {
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, nullptr);
  auto process = spawn({{"/bin/sh", "-c", "echo out; echo err >&2; kill -TERM $$; sleep 60"},
                        path_ + "/log",
                        false,
                        false});
  sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
  ASSERT_TRUE(process.is_ok());
  int wait_status = 0;
  ASSERT_EQ(waitpid(process.value().pid, &wait_status, 0), process.value().pid);
  EXPECT_TRUE(WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGTERM);
  EXPECT_EQ(read_file(path_ + "/log").value(), "out\nerr\n");
  EXPECT_FALSE(is_alive(process.value()));
}

TEST(Spawn, AMissingProgramIsAnError) {
  EXPECT_EQ(spawn({{"/nowhere/at/all"}, "", false, false}).status().code(), base::Code::kIo);
}

TEST_F(Directory, RequestsAreAnsweredAndRefused) {
  // A long path, as state directories have: longer than a socket's address holds.
  const std::string directory = path_ + "/" + std::string(150, 'd');
  std::filesystem::create_directories(directory);
  EXPECT_EQ(request(directory, "list").status().code(), base::Code::kUnavailable);
  auto socket = ControlSocket::listen(directory);
  ASSERT_TRUE(socket.is_ok()) << socket.status().to_string();
  std::thread server([&] {
    for (int i = 0; i < 3; ++i)
      socket.value().serve([](const std::string& line) -> base::Result<std::string> {
        if (line == "bad") return base::Status(base::Code::kInvalidArgument, "no such node");
        return line + "!";
      });
  });
  EXPECT_EQ(request(directory, "list").value(), "list!");
  EXPECT_EQ(request(directory, std::string(100'000, 'x')).value(), std::string(100'000, 'x') + "!");
  const auto refused = request(directory, "bad").status();
  EXPECT_EQ(refused.code(), base::Code::kInvalidArgument);
  EXPECT_EQ(refused.detail(), "no such node");
  server.join();
}

MemberStatus told(std::uint64_t id, const std::string& role, std::uint64_t leader, bool ready) {
  MemberStatus status;
  status.header.member = base::MemberId(id);
  status.name = "n" + std::to_string(id);
  status.role = role;
  status.leader = base::MemberId(leader);
  status.ready = ready;
  return status;
}

TEST(NotReady, NamesTheNodeAndItsLog) {
  const State state = some_state("/d");
  const base::Status refused(base::Code::kUnavailable, "refused");
  const auto at = [&](const char* endpoint) { return std::string("127.0.0.1:") + endpoint; };
  const auto why = [&](const Answers& answers) { return not_ready(state, combine(answers)); };

  EXPECT_EQ(why({{at("10"), told(1, "leader", 1, true)},
                 {at("20"), told(2, "follower", 1, true)},
                 {at("30"), told(3, "follower", 1, true)}}),
            "");
  const std::string missing = why({{at("10"), told(1, "leader", 1, true)},
                                   {at("20"), refused},
                                   {at("30"), told(3, "follower", 1, true)}});
  EXPECT_NE(missing.find("n2 does not answer"), std::string::npos) << missing;
  EXPECT_NE(missing.find("/d/data/logs/n2.log"), std::string::npos) << missing;
  EXPECT_NE(why({{at("10"), told(1, "leader", 1, false)},
                 {at("20"), told(2, "follower", 1, true)},
                 {at("30"), told(3, "follower", 1, true)}}),
            "")
      << "a leader that is not ready";
  EXPECT_NE(why({{at("10"), told(1, "leader", 1, true)},
                 {at("20"), told(2, "follower", 0, true)},
                 {at("30"), told(3, "follower", 1, true)}}),
            "")
      << "one does not know the leader";
}

}  // namespace
}  // namespace client::ctl::playground
