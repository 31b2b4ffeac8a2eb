// The alert rules of packaging/, by a real Prometheus that scrapes a real cluster into which faults
// are injected. `scripts/setup` fetches it.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "client/ctl/playground/ports.h"
#include "client/ctl/playground/process.h"
#include "tests/cluster/nodes.h"

namespace cluster {
namespace {

namespace playground = client::ctl::playground;
using nlohmann::json;

/// A Prometheus of this test, with its data in a directory of its own.
class Alerts : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(std::filesystem::exists(HOLDFAST_PROMETHEUS))
        << "there is no " << HOLDFAST_PROMETHEUS << ": run scripts/setup";
    ASSERT_TRUE(nodes_.wait_ready());
    std::string targets;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      targets +=
          (i == 0 ? "" : ", ") + ("\"127.0.0.1:" + std::to_string(nodes_.http_port(i))) + "\"";
    }
    std::ofstream(scratch_.path() + "/prometheus.yml")
        << "global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}\n"
        << "rule_files: [" << HOLDFAST_RULES << "]\n"
        << "scrape_configs:\n  - job_name: holdfast\n    static_configs:\n      - targets: ["
        << targets << "]\n";
    const auto ports = playground::free_ports(1, static_cast<std::uint64_t>(::getpid()));
    ASSERT_TRUE(ports.is_ok());
    port_ = ports.value().front();
    auto started = playground::spawn(
        {{HOLDFAST_PROMETHEUS, "--config.file=" + scratch_.path() + "/prometheus.yml",
          "--storage.tsdb.path=" + scratch_.path() + "/data",
          "--web.listen-address=127.0.0.1:" + std::to_string(port_)},
         scratch_.path() + "/prometheus.log",
         false,
         false});
    ASSERT_TRUE(started.is_ok()) << started.status().to_string();
    process_ = started.value();
    ASSERT_TRUE(wait_until(30000, [&] { return http_get(port_, "/-/ready").code == 200; }))
        << read_file(scratch_.path() + "/prometheus.log");
  }
  void TearDown() override {
    if (!process_) return;
    ::kill(process_.pid, SIGKILL);
    ::waitpid(process_.pid, nullptr, 0);
  }
  /// The alerts that fire now; "HoldfastVerdict stalled" for that one.
  std::set<std::string> firing() {
    const json page = json::parse(http_get(port_, "/api/v1/alerts").body, nullptr, false);
    std::set<std::string> names;
    if (!page.is_object()) return names;
    for (const json& alert : page["data"]["alerts"]) {
      if (alert["state"] != "firing") continue;
      const json& labels = alert["labels"];
      names.insert(labels["alertname"].get<std::string>() +
                   (labels.contains("verdict") ? " " + labels["verdict"].get<std::string>() : "") +
                   (labels.contains("fault") ? " " + labels["fault"].get<std::string>() : ""));
    }
    return names;
  }
  bool fires(const std::string& name) {
    return wait_until(40000, [&] { return firing().contains(name); });
  }
  bool quiet() {
    return wait_until(40000, [&] { return firing().empty(); });
  }
  std::string all() {
    std::string text;
    for (const std::string& name : firing()) text += name + "; ";
    return text;
  }
  void fault(std::size_t i, std::vector<std::string> words) {
    words.insert(words.begin(), {"--endpoints", nodes_.client_address(i), "fault"});
    ASSERT_EQ(nodes_.holdfast(words).exit_code, 0);
  }

  Nodes nodes_{3};
  Scratch scratch_;
  std::uint16_t port_ = 0;
  playground::ProcessId process_;
};

TEST_F(Alerts, FireForWhatIsWrongAndForNothingElse) {
  ASSERT_EQ(nodes_.holdfast({"put", "key", "value"}).exit_code, 0);
  ASSERT_TRUE(quiet()) << all();
  const std::size_t leader = nodes_.leader().value();
  fault(leader, {"hang-log-sync"});
  (void)nodes_.holdfast({"put", "key", "value"});
  EXPECT_TRUE(fires("HoldfastMemberStalled")) << all();
  EXPECT_TRUE(fires("HoldfastFaultInjected hang-log-sync")) << all();
  EXPECT_TRUE(fires("HoldfastVerdict stalled")) << all();
  EXPECT_FALSE(firing().contains("HoldfastNoLeader")) << "another one leads";
  fault(leader, {"clear"});
  EXPECT_TRUE(quiet()) << all();

  fault(leader, {"clock-behind", "by=1h"});
  EXPECT_TRUE(fires("HoldfastClockFarOff")) << all();
  EXPECT_FALSE(firing().contains("HoldfastNoAgreedTime"));
  fault(leader, {"clear"});
  EXPECT_TRUE(quiet()) << all();

  fault(leader, {"fill-disk"});
  EXPECT_TRUE(fires("HoldfastDiskFull")) << all();
  fault(leader, {"clear"});
  nodes_.kill((leader + 1) % 3);
  EXPECT_TRUE(fires("HoldfastMemberDown")) << all();
  nodes_.kill((leader + 2) % 3);
  EXPECT_TRUE(fires("HoldfastNoLeader")) << all();
}

}  // namespace
}  // namespace cluster
