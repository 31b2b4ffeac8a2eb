// Whole members in this process: real loops, disks and sockets, a real client connection.
#include "server/node.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/clock.h"
#include "tests/server/running_node.h"

namespace server {
namespace {

using base::Code;
using testing::Answer;
using testing::Caller;
using testing::free_port;
using testing::http;
using testing::http_get;
using testing::loopback_config;
using testing::RunningNode;
using testing::TemporaryDirectory;

bool is_ready(schema::MemberStatus::Reader status) {
  return status.getReady();
}
bool leads(schema::MemberStatus::Reader status) {
  return status.getReady() && status.getRole() == "leader";
}

struct OneNode {
  TemporaryDirectory directory;
  Config config = loopback_config(0, {free_port()}, directory.path());
  net::Loop loop;
  std::unique_ptr<RunningNode> node;
  std::unique_ptr<Caller> caller;

  OneNode() { start(); }
  void start() {
    node = std::make_unique<RunningNode>(config);
    caller = std::make_unique<Caller>(loop, node->client_port());
    EXPECT_TRUE(caller->wait_for_status(leads));
  }
  void restart_with(void (*change)(Config& config)) {
    caller.reset();
    node.reset();
    change(config);
    start();
  }
  std::uint64_t session() {
    const Answer answer = caller->open_session();
    EXPECT_EQ(answer.code, Code::kOk) << answer.detail;
    EXPECT_NE(answer.session, 0u);
    return answer.session;
  }
};

TEST(Node, PutsAndGetsThroughRpc) {
  OneNode one;
  const std::uint64_t session = one.session();
  const Answer put = one.caller->put(session, 1, "key", "value");
  EXPECT_EQ(put.code, Code::kOk) << put.detail;
  EXPECT_EQ(put.revision, 1u);
  for (const bool serializable : {false, true}) {
    const Answer got = one.caller->get("key", serializable);
    EXPECT_EQ(got.code, Code::kOk) << got.detail;
    EXPECT_EQ(got.values, std::vector<std::string>{"value"});
  }
  const Answer again = one.caller->put(session, 1, "key", "value");
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(again.revision, 1u);
  EXPECT_TRUE(one.caller->get("missing").values.empty());
}

TEST(Node, AnswersListsInTheirOrderAndMixesRefusals) {
  OneNode one;
  const std::uint64_t session = one.session();
  std::vector<Caller::Fill> calls;
  for (std::uint64_t i = 1; i <= 500; ++i) {
    calls.push_back(Caller::put_call(session, i, "k" + std::to_string(i), std::to_string(i)));
  }
  calls.push_back(Caller::put_call(session, 501, "", "empty key"));
  calls.push_back(Caller::put_call(session, 501, std::string(5000, 'k'), "long key"));
  calls.push_back(Caller::put_call(session, 501, "big", std::string((1536 << 10) + 1, 'v')));
  calls.push_back(Caller::put_call(0, 1, "k", "no session"));
  calls.push_back(Caller::put_call(session, 0, "k", "no sequence"));
  calls.push_back(Caller::put_call(session + 12345, 1, "k", "unknown session"));
  const auto answers = one.caller->submit(calls);
  for (std::size_t i = 0; i < 500; ++i) {
    ASSERT_EQ(answers[i].code, Code::kOk) << answers[i].detail;
    ASSERT_EQ(answers[i].revision, i + 1);
  }
  EXPECT_EQ(answers[500].code, Code::kInvalidArgument);
  EXPECT_EQ(answers[501].code, Code::kTooLarge);
  EXPECT_EQ(answers[502].code, Code::kTooLarge);
  EXPECT_EQ(answers[503].code, Code::kInvalidArgument);
  EXPECT_EQ(answers[504].code, Code::kInvalidArgument);
  EXPECT_EQ(answers[505].code, Code::kUnknownSession);
  EXPECT_EQ(one.caller->get("k500").values, std::vector<std::string>{"500"});
}

TEST(Node, AReadMayNotWrite) {
  OneNode one;
  const auto answers = one.caller->submit({[](schema::Call::Builder call) {
    auto put = call.initRead().initTransaction().initThen(1)[0].initPut();
    put.setKey(kj::StringPtr("k").asBytes());
  }});
  EXPECT_EQ(answers[0].code, Code::kInvalidArgument);
}

TEST(Node, KeepsWhatItAcknowledgedAcrossARestart) {
  OneNode one;
  const std::uint64_t session = one.session();
  for (std::uint64_t i = 1; i <= 20; ++i) {
    ASSERT_EQ(one.caller->put(session, i, "k" + std::to_string(i), "v").code, Code::kOk);
  }
  one.caller.reset();
  one.node.reset();
  one.start();
  for (std::uint64_t i = 1; i <= 20; ++i) {
    EXPECT_EQ(one.caller->get("k" + std::to_string(i)).values, std::vector<std::string>{"v"});
  }
  const Answer again = one.caller->put(session, 20, "k20", "v");
  EXPECT_TRUE(again.repeated) << "the session did not survive";
}

std::uint64_t hits(schema::MemberStatus::Reader status, const std::string& fault) {
  for (auto each : status.getFaults()) {
    if (std::string(each.getName()) == fault) return each.getHits();
  }
  return 0;
}

TEST(Node, AHungSyncTimesOutAndSaysWhy) {
  OneNode one;
  const std::uint64_t session = one.session();
  ASSERT_EQ(one.caller->fault("hang-log-sync", true), Code::kOk);
  const Answer put = one.caller->put(session, 1, "k", "v", 300);
  EXPECT_TRUE(put.code == Code::kTimeout || put.code == Code::kLeadershipLost)
      << base::traits(put.code).name;
  EXPECT_TRUE(one.caller->wait_for_status([](schema::MemberStatus::Reader status) {
    return status.getStalled() && !status.getReady() && status.getReason().size() > 0 &&
           hits(status, "hang-log-sync") > 0;
  }));
  EXPECT_NE(http_get(one.node->http_port(), "/readyz").find("503"), std::string::npos);
  EXPECT_NE(http_get(one.node->http_port(), "/livez").find("200 OK"), std::string::npos);
  const Answer read = one.caller->get("k", false, 300);
  EXPECT_NE(read.code, Code::kOk);
  EXPECT_EQ(base::traits(read.code).applied, base::Applied::kNo);
  ASSERT_EQ(one.caller->fault("hang-log-sync", false), Code::kOk);
  EXPECT_TRUE(one.caller->wait_for_status(leads)) << "did not come back";
  EXPECT_EQ(one.caller->put(session, 1, "k", "v").code, Code::kOk);
}

TEST(Node, AFaultEndsByItself) {
  OneNode one;
  const std::uint64_t session = one.session();
  ASSERT_EQ(one.caller->fault("hang-log-sync", true, 400), Code::kOk);
  EXPECT_NE(one.caller->put(session, 1, "k", "v", 200).code, Code::kOk);
  EXPECT_TRUE(one.caller->wait_for_status(leads)) << "nobody cleared it";
  EXPECT_EQ(one.caller->put(session, 1, "k", "v").code, Code::kOk);
  EXPECT_TRUE(one.caller->status_is([](schema::MemberStatus::Reader status) {
    return hits(status, "hang-log-sync") > 0 && !status.getFaults()[0].getOn();
  }));
}

TEST(Node, FaultsOfClientsMeetCallsAndLeaveOperatorsAlone) {
  OneNode one;
  const std::uint64_t session = one.session();
  const std::vector<FaultParameter> clients = {{"peer", "clients"}};
  Caller operator_(one.loop, one.node->client_port());
  const auto passes = [&](std::uint32_t ms) {
    one.loop.wait(one.loop.timer().afterDelay(ms * kj::MILLISECONDS), ms + 1000);
  };
  const auto caught = [&] {
    return operator_.status_is([](schema::MemberStatus::Reader status) {
      return hits(status, "cut-link") > 0 || hits(status, "reset-link") > 0;
    });
  };

  ASSERT_EQ(operator_.fault("cut-link", true, 0, clients), Code::kOk);
  const auto cut = one.caller->send(Caller::put_call(session, 1, "k", "v"));
  passes(300);
  EXPECT_FALSE(cut->answered || cut->broken) << "nobody is told";
  Caller late(one.loop, one.node->client_port());
  const auto fresh = late.send(Caller::get_call("k", true));
  passes(300);
  EXPECT_FALSE(fresh->answered || fresh->broken) << "nor a connection that is made meanwhile";
  EXPECT_TRUE(caught());
  ASSERT_EQ(operator_.fault("cut-link", false), Code::kOk);
  passes(500);
  EXPECT_TRUE(cut->answered && cut->answer.code == Code::kOk) << "what was held comes";
  EXPECT_TRUE(fresh->answered);

  ASSERT_EQ(operator_.fault("reset-link", true, 0, clients), Code::kOk);
  const auto reset = one.caller->send(Caller::put_call(session, 2, "k", "w"));
  passes(300);
  EXPECT_TRUE(reset->broken);
  ASSERT_EQ(operator_.fault("reset-link", false), Code::kOk);
  Caller again(one.loop, one.node->client_port());
  EXPECT_EQ(again.put(session, 2, "k", "w").code, Code::kOk)
      << "once, whether it had arrived or not";
  EXPECT_EQ(again.get("k").values, std::vector<std::string>{"w"});
}

TEST(Node, FaultsNeedTheirFlagAndAName) {
  OneNode one;
  EXPECT_EQ(one.caller->fault("no-such-fault", true), Code::kInvalidArgument);
  EXPECT_EQ(one.caller->fault("", false), Code::kOk);
  one.caller.reset();
  one.node.reset();
  one.config.allow_faults = false;
  one.start();
  EXPECT_EQ(one.caller->fault("hang-log-sync", true), Code::kFaultsNotAllowed);
}

TEST(Node, HttpPagesAnswer) {
  OneNode one;
  const std::uint16_t port = one.node->http_port();
  EXPECT_NE(http_get(port, "/livez").find("[+]loop ok"), std::string::npos);
  const std::string ready = http_get(port, "/readyz?verbose");
  EXPECT_TRUE(ready.starts_with("HTTP/1.1 200 OK")) << ready;
  EXPECT_NE(ready.find("[+]leader ok"), std::string::npos);
  EXPECT_NE(http_get(port, "/version").find("{\"version\":\"" HOLDFAST_VERSION "\"}"),
            std::string::npos);
  const std::string metrics = http_get(port, "/metrics");
  for (const char* line :
       {"holdfast_server_has_leader 1", "holdfast_server_is_leader 1",
        "holdfast_disk_wal_fsync_duration_seconds_bucket{le=\"+Inf\"}",
        "# TYPE process_resident_memory_bytes gauge", "holdfast_health_check{type=\"readyz\""}) {
    EXPECT_NE(metrics.find(line), std::string::npos) << line;
  }
  EXPECT_TRUE(http_get(port, "/nothing").starts_with("HTTP/1.1 404"));
}

/// The body of an HTTP answer as JSON.
nlohmann::json json_page(std::uint16_t port, const std::string& path) {
  const std::string page = http_get(port, path);
  const std::size_t body = page.find("\r\n\r\n");
  return body == std::string::npos ? nlohmann::json()
                                   : nlohmann::json::parse(page.substr(body + 4), nullptr, false);
}

/// Asks until `found` holds of the page, at most ten seconds.
template <class Found>
bool page_becomes(std::uint16_t port, const std::string& path, Found found) {
  for (int i = 0; i < 200; ++i) {
    if (found(json_page(port, path))) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

TEST(Node, ProbesItselfAsAClientWould) {
  OneNode one;
  one.restart_with([](Config& config) { config.probe_ms = 100; });
  const std::uint16_t port = one.node->http_port();
  EXPECT_TRUE(page_becomes(port, "/health", [](const nlohmann::json& page) {
    return page["healthy"] == true && page["probe"]["write_ms"].is_number() &&
           page["probe"]["read_ms"].is_number();
  })) << json_page(port, "/health");
  // The disk hangs: whoever wants to write should go elsewhere, whoever reads old data may stay.
  ASSERT_EQ(one.caller->fault("hang-log-sync", true), Code::kOk);
  EXPECT_TRUE(page_becomes(port, "/health?verbose", [](const nlohmann::json& page) {
    return page["healthy"] == false && page["probe"]["failures"] >= 3 && page.contains("events");
  })) << json_page(port, "/health?verbose");
  EXPECT_TRUE(http_get(port, "/readyz?for=write").starts_with("HTTP/1.1 503"));
  EXPECT_TRUE(http_get(port, "/readyz?for=stale").starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(http_get(port, "/readyz?for=nothing").starts_with("HTTP/1.1 400"));
  ASSERT_EQ(one.caller->fault("hang-log-sync", false), Code::kOk);
  EXPECT_TRUE(page_becomes(port, "/health", [](const nlohmann::json& page) {
    return page["healthy"] == true;
  })) << json_page(port, "/health");
}

TEST(Node, HttpRefusesBodiesAndNonsenseAndGoesOn) {
  OneNode one;
  const std::uint16_t port = one.node->http_port();
  const std::string refused =
      http(port, "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 400")) << refused;
  EXPECT_TRUE(http(port, "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
                  .starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(http(port, std::string(20 << 10, 'x')).starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(http(port, "DELETE /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                  .starts_with("HTTP/1.1 405"));
  // Two requests at once: the second's head is checked as well.
  const std::string both = http(port,
                                "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
                                "POST /livez HTTP/1.1\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_TRUE(both.starts_with("HTTP/1.1 200")) << both;
  EXPECT_NE(both.find("HTTP/1.1 400"), std::string::npos) << both;
  EXPECT_NE(http_get(port, "/livez").find("200 OK"), std::string::npos);
}

TEST(Node, ASecondOpeningOfADirectoryIsRefusedInPlainWords) {
  OneNode one;
  FaultPlane faults;
  LogSink lines({.node = "n1", .level = LogLevel::kError, .fd = -1});
  const auto second = Node::open(one.config, lines, faults, [](const std::string&) {});
  ASSERT_FALSE(second.is_ok());
  EXPECT_EQ(second.status().code(), Code::kLocked);
  EXPECT_NE(second.status().detail().find(one.directory.path()), std::string::npos);
}

TEST(Node, APortInUseIsSaidBeforeAnythingRuns) {
  OneNode one;
  TemporaryDirectory directory;
  Config config = loopback_config(0, {free_port()}, directory.path());
  config.listen_client.port = one.node->client_port();
  FaultPlane faults;
  LogSink lines({.node = "n1", .level = LogLevel::kError, .fd = -1});
  auto node = Node::open(config, lines, faults, [](const std::string&) {}).value();
  std::vector<std::thread> threads;
  for (auto& role : node->roles()) threads.emplace_back(std::move(role.run));
  const auto status = node->wait_until_listening();
  EXPECT_EQ(status.code(), Code::kIo) << status.to_string();
  EXPECT_NE(status.detail().find(std::to_string(config.listen_client.port)), std::string::npos);
  node->stop();
  EXPECT_TRUE(node->wait_until_stopped(10'000));
  for (auto& thread : threads) thread.join();
}

struct ThreeNodes {
  TemporaryDirectory directory;
  std::vector<std::uint16_t> ports = {free_port(), free_port(), free_port()};
  net::Loop loop;
  std::vector<std::unique_ptr<RunningNode>> nodes;
  std::vector<std::unique_ptr<Caller>> callers;

  ThreeNodes() {
    for (std::size_t i = 0; i < 3; ++i) {
      nodes.push_back(std::make_unique<RunningNode>(
          loopback_config(i, ports, directory.path() + "/" + std::to_string(i))));
    }
    for (auto& node : nodes) callers.push_back(std::make_unique<Caller>(loop, node->client_port()));
    for (auto& caller : callers) EXPECT_TRUE(caller->wait_for_status(is_ready));
  }
  /// Which member leads, by its own word; waits for one, at most 15 s.
  std::size_t leader() {
    for (const std::uint64_t end_ms = boot_ms() + 15'000; boot_ms() < end_ms;) {
      for (std::size_t i = 0; i < 3; ++i) {
        if (callers[i] != nullptr && callers[i]->status_is(leads)) return i;
      }
      loop.wait(loop.timer().afterDelay(5 * kj::MILLISECONDS), 1000);
    }
    ADD_FAILURE() << "nobody leads";
    std::abort();
  }
};

TEST(Node, ThreeMembersReplicateAndFollowersNameTheLeader) {
  ThreeNodes three;
  const std::size_t leader = three.leader();
  const std::uint64_t session = three.callers[leader]->open_session().session;
  ASSERT_EQ(three.callers[leader]->put(session, 1, "k", "v").code, Code::kOk);
  const std::size_t follower = (leader + 1) % 3;
  const Answer refused = three.callers[follower]->put(session, 2, "k", "w");
  EXPECT_EQ(refused.code, Code::kNotLeader);
  EXPECT_EQ(refused.leader, three.nodes[leader]->config().self.value);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(three.callers[i]->wait_for_status(
        [](auto status) { return status.getHeader().getRevision() == 1; }));
    EXPECT_EQ(three.callers[i]->get("k", true).values, std::vector<std::string>{"v"});
  }
}

TEST(Node, ADrainedLeaderHandsOnAndTheOthersGoOn) {
  ThreeNodes three;
  const std::size_t first = three.leader();
  const std::uint64_t session = three.callers[first]->open_session().session;
  ASSERT_EQ(three.callers[first]->put(session, 1, "k", "v").code, Code::kOk);
  EXPECT_TRUE(three.nodes[first]->drain());
  EXPECT_EQ(three.callers[first]->put(session, 2, "k", "w").code, Code::kUnavailable);
  three.callers[first].reset();
  three.nodes[first].reset();
  const std::size_t second = three.leader();
  EXPECT_NE(second, first);
  EXPECT_EQ(three.callers[second]->put(session, 2, "k", "w").code, Code::kOk);
  EXPECT_EQ(three.callers[second]->get("k").values, std::vector<std::string>{"w"});
}

TEST(Node, OneOfThreeAloneIsAliveAndNotReady) {
  ThreeNodes three;
  const std::size_t leader = three.leader();
  for (std::size_t i = 0; i < 3; ++i) {
    if (i == leader) continue;
    three.callers[i].reset();
    three.nodes[i].reset();
  }
  EXPECT_TRUE(three.callers[leader]->wait_for_status(
      [](auto status) { return !status.getReady() && status.getLeader() == 0; }));
  const std::uint16_t port = three.nodes[leader]->http_port();
  EXPECT_TRUE(http_get(port, "/livez").starts_with("HTTP/1.1 200"));
  const std::string ready = http_get(port, "/readyz");
  EXPECT_TRUE(ready.starts_with("HTTP/1.1 503")) << ready;
  EXPECT_NE(ready.find("[-]leader failed: no leader is known"), std::string::npos) << ready;
  const Answer read = three.callers[leader]->get("k", false, 500);
  EXPECT_EQ(base::traits(read.code).exit_code, 4) << base::traits(read.code).name;
}

}  // namespace
}  // namespace server
