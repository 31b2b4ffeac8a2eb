// Members that look well and are not, on real processes: slow disks, half-dead links. Who is found,
// by whom, what follows, and what a person can read of it.
#include <gtest/gtest.h>

#include <ctime>

#include <nlohmann/json.hpp>

#include "tests/cluster/under_load.h"

namespace cluster {
namespace {

using nlohmann::json;

class Gray : public UnderLoad {
 protected:
  void TearDown() override {
    if (writers_ != nullptr) heal_and_check();
    if (HasFailure()) std::printf("%s\n", nodes_.last_words().c_str());
  }
  json read(std::vector<std::string> words) {
    words.insert(words.end(), {"-w", "json"});
    return json::parse(nodes_.holdfast(words).out, nullptr, false);
  }
  /// Members that say so of `about`.
  std::size_t accusers(const std::string& verdict, std::size_t about) {
    std::size_t count = 0;
    for (const json& document : read({"health"})) {
      if (!document.contains("verdicts")) continue;
      for (const json& each : document["verdicts"]) {
        count += each["verdict"] == verdict && each["member"] == nodes_.name(about) ? 1 : 0;
      }
    }
    return count;
  }
  bool found(const std::string& verdict, std::size_t about, std::size_t by) {
    return wait_until(20000 * time_scale(), [&] { return accusers(verdict, about) >= by; });
  }
  /// The last change of leader as `holdfast why` tells it.
  std::string last_change() {
    std::string text;
    for (const json& each : read({"why"})) {
      if (each["kind"] == "leader-change")
        text = each["member"].get<std::string>() + " " + each["text"].get<std::string>();
    }
    return text;
  }
  std::uint64_t term() { return nodes_.status(leader_)->header.term.value; }
};

TEST_F(Gray, ALeaderWithASlowDiskHandsOverAndSaysWhy) {
  // Its tenure: nobody is moved in its first ten seconds.
  ASSERT_EQ(fault(leader_, {"slow-log-sync", "delay=60ms"}).exit_code, 0);
  ASSERT_TRUE(wait_until(60000 * time_scale(), [&] {
    const auto now = nodes_.leader();
    return now.has_value() && *now != leader_;
  })) << "the slow leader stays";
  EXPECT_NE(nodes_.status(leader_)->step_down_reason.find("log syncs take"), std::string::npos);
  const std::string change = last_change();
  EXPECT_NE(change.find("log syncs take"), std::string::npos) << change;
  EXPECT_TRUE(found("slow", leader_, 2));
  // A slow follower costs nobody anything, and nothing moves again.
  const std::size_t next = *nodes_.leader();
  const std::uint64_t settled = nodes_.status(next)->header.term.value;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(writing_goes_on());
  EXPECT_EQ(nodes_.status(next)->header.term.value, settled);
}

TEST_F(Gray, IfAllDisksAreSlowNothingMoves) {
  const std::uint64_t before = term();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    ASSERT_EQ(fault(i, {"slow-log-sync", "delay=40ms"}).exit_code, 0);
  }
  const std::uint64_t end_ms = now_ms() + 15000 * time_scale();
  while (now_ms() < end_ms) ASSERT_TRUE(writing_goes_on());
  EXPECT_EQ(term(), before);
}

/// Pings pass and appends do not: it calls itself well.
TEST_F(Gray, AMemberThatLosesLargePacketsIsFoundThoughItAnswers) {
  const std::size_t gray = (leader_ + 1) % nodes_.size();
  writers_->stop();
  ASSERT_EQ(nodes_.holdfast({"put", "before", "x"}).exit_code, 0);
  ASSERT_EQ(fault(gray, {"drop-large", "peer=all"}).exit_code, 0);
  for (int i = 0; i < 40; ++i) {
    ASSERT_EQ(nodes_.holdfast({"put", "large", std::string(4000, 'x')}).exit_code, 0);
  }
  EXPECT_TRUE(found("gray", gray, 2));
  const std::string told = nodes_.holdfast({"health"}).out;
  EXPECT_NE(told.find("has acknowledged no append"), std::string::npos) << told;
  EXPECT_EQ(nodes_.holdfast({"health"}).exit_code, 1);
  writers_.reset();
}

TEST_F(Gray, OneDirectionThatIsDeadIsNamed) {
  const std::size_t deaf = (leader_ + 1) % nodes_.size();
  const std::string name = nodes_.name(deaf);
  ASSERT_EQ(fault(leader_, {"cut-link", "peer=" + name, "direction=out"}).exit_code, 0);
  EXPECT_TRUE(found("one-way", leader_, 2));
  const std::string matrix = nodes_.holdfast({"matrix"}).out;
  EXPECT_NE(matrix.find("one-way"), std::string::npos) << matrix;
  EXPECT_NE(matrix.find("silent"), std::string::npos) << matrix;
  const Page page = http_get(nodes_.http_port(leader_), "/health?verbose&exclude=quorum");
  EXPECT_EQ(page.code, 200);
  const json document = json::parse(page.body, nullptr, false);
  ASSERT_TRUE(document.is_object()) << page.body;
  EXPECT_EQ(document["rows"].size(), 3u);
  for (const json& check : document["checks"]) EXPECT_NE(check["name"], "quorum");
}

/// One thread stands still; each is found in its own way, and somebody else leads.
TEST_F(Gray, ALeaderWithAThreadThatStandsStillIsReplaced) {
  for (const char* fault_name : {"stall-log", "stall-apply", "stall-loop"}) {
    SCOPED_TRACE(fault_name);
    ASSERT_TRUE(nodes_.wait_ready());
    const std::size_t sick = nodes_.leader().value();
    ASSERT_EQ(fault(sick, {fault_name}).exit_code, 0);
    ASSERT_TRUE(wait_until(20000 * time_scale(), [&] {
      for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const auto status = nodes_.status(i);
        if (i != sick && status && status->leads()) return true;
      }
      return false;
    }));
    // A client that knows only the sick one first still gets through, and it claims no office.
    EXPECT_EQ(nodes_.holdfast({"put", "through", fault_name}).exit_code, 0);
    EXPECT_FALSE(nodes_.status(sick)->leads());
    EXPECT_FALSE(nodes_.status(sick)->reason.empty());
    EXPECT_TRUE(writing_goes_on());
    EXPECT_TRUE(found(std::string(fault_name) == "stall-loop" ? "dead" : "stalled", sick, 2));
    ASSERT_EQ(fault(sick, {"clear"}).exit_code, 0);
  }
}

/// Members hear each other, and the leader commits whatever it is told: nobody can tell it
/// anything.
TEST_F(Gray, ALeaderThatNoClientReachesHandsOver) {
  const std::size_t sick = leader_;
  ASSERT_EQ(fault(sick, {"cut-link", "peer=clients", "--for", "120s"}).exit_code, 0);
  EXPECT_TRUE(wait_until(40'000 * time_scale(), [&] {
    const auto now = nodes_.leader();
    return now && *now != sick;
  })) << nodes_.last_words();
  EXPECT_TRUE(writing_goes_on());
  EXPECT_NE(last_change().find("unserved: "), std::string::npos) << last_change();
  EXPECT_TRUE(found("unserved", sick, 2));
  EXPECT_EQ(http_get(nodes_.http_port(sick), "/readyz").code, 503);
  ASSERT_EQ(fault(sick, {"clear"}).exit_code, 0);
  EXPECT_TRUE(wait_until(20'000 * time_scale(),
                         [&] { return http_get(nodes_.http_port(sick), "/readyz").code == 200; }));
}

TEST_F(Gray, AFullDiskStillTakesDeletesAndReadsAndClearsByItself) {
  ASSERT_EQ(nodes_.holdfast({"put", "kept", "value"}).exit_code, 0);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    ASSERT_EQ(fault(i, {"fill-disk", "--for", "60s"}).exit_code, 0);
  }
  Ended refused;
  ASSERT_TRUE(wait_until(10000 * time_scale(), [&] {
    refused = nodes_.holdfast({"put", "more", "value"});
    return refused.exit_code == 4;
  }));
  EXPECT_NE(refused.err.find("disk is nearly full"), std::string::npos) << refused.err;
  EXPECT_EQ(nodes_.holdfast({"get", "kept"}).out, "value\n");
  EXPECT_EQ(nodes_.holdfast({"del", "kept"}).out, "1\n");
  EXPECT_TRUE(wait_until(5000 * time_scale(), [&] {
    return http_get(nodes_.http_port(leader_), "/readyz").code == 503;
  }));
  for (std::size_t i = 0; i < nodes_.size(); ++i) ASSERT_EQ(fault(i, {"clear"}).exit_code, 0);
  EXPECT_TRUE(wait_until(10000 * time_scale(), [&] {
    return nodes_.holdfast({"put", "more", "value"}).exit_code == 0;
  }));
}

TEST_F(Gray, LogLinesThatNobodyReadsHoldUpNobody) {
  const std::uint64_t before = term();
  ASSERT_EQ(fault(leader_, {"block-log-lines"}).exit_code, 0);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(writing_goes_on());
  EXPECT_EQ(term(), before) << "no election comes of a log";
  bool blocked = false;
  const auto status = nodes_.status(leader_);
  ASSERT_TRUE(status.has_value());
  for (const auto& each : status->faults) blocked |= each.name == "block-log-lines" && each.on;
  EXPECT_TRUE(blocked);
}

TEST_F(Gray, ALeaderWhoseClockJumpsHandsOverAndStampsNothingFarOff) {
  ASSERT_EQ(nodes_.holdfast({"put", "k", "before"}).exit_code, 0);
  ASSERT_EQ(fault(leader_, {"clock-ahead", "by=1h"}).exit_code, 0);
  std::vector<std::string> written = {"before"};
  const std::size_t was = leader_;
  EXPECT_TRUE(wait_until(5000 * time_scale(), [&] {
    written.push_back("v" + std::to_string(written.size()));
    if (nodes_.holdfast({"put", "k", written.back()}).exit_code != 0) written.pop_back();
    const auto now = nodes_.leader();
    return now && *now != was;
  }));
  ASSERT_EQ(nodes_.holdfast({"put", "k", "after"}).exit_code, 0);
  EXPECT_TRUE(found("clock", was, 2));
  // Each of them was stamped, and none an hour from now.
  const json versions = json::parse(nodes_.holdfast({"history", "k", "-w", "json"}).out)["events"];
  EXPECT_GE(versions.size(), written.size() + 1);
  for (const json& version : versions) {
    const auto stamp_ms = version["kv"]["time_ms"].get<double>();
    EXPECT_NEAR(stamp_ms, static_cast<double>(std::time(nullptr)) * 1000, 60'000) << version.dump();
  }
  bool said = false;
  for (const json& each : read({"why"})) {
    said |= each.dump().find("its clock is 3600.0 s ahead of the time that a majority agrees on") !=
            std::string::npos;
  }
  EXPECT_TRUE(said);
  ASSERT_EQ(fault(was, {"clear"}).exit_code, 0);
  EXPECT_TRUE(wait_until(20000 * time_scale(), [&] {
    return nodes_.holdfast({"health"}).exit_code == 0;
  })) << nodes_.holdfast({"health"}).out;
}

TEST_F(Gray, AStoppedMemberIsDeadForTheOthersAndAccusesNobodyWhenItWakes) {
  const std::size_t stopped = (leader_ + 1) % nodes_.size();
  nodes_.signal(stopped, SIGSTOP);
  EXPECT_TRUE(found("dead", stopped, 2));
  nodes_.signal(stopped, SIGCONT);
  EXPECT_TRUE(wait_until(20000 * time_scale(), [&] {
    return nodes_.holdfast({"health"}).exit_code == 0;
  })) << nodes_.holdfast({"health"}).out;
  for (const json& each : read({"why"})) {
    if (each["kind"] != "verdict") continue;
    EXPECT_EQ(each["member"], nodes_.name(stopped)) << each.dump();
    for (const json& by : each["found_by"]) EXPECT_NE(by, nodes_.name(stopped));
  }
}

/// Both followers' disks are slow, so each write waits for them, and says so afterwards.
TEST_F(Gray, ASlowWriteSaysWhereItWaited) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (i == leader_) continue;
    ASSERT_EQ(fault(i, {"slow-log-sync", "delay=250ms"}).exit_code, 0);
  }
  ASSERT_EQ(nodes_.holdfast({"put", "traced", "value"}).exit_code, 0);
  bool seen = false;
  for (const json& request : read({"trace"})) {
    double own = -1, others = -1;
    for (const json& span : request["spans"]) {
      const double took_ms = span["took_us"].get<double>() / 1000;
      if (span["name"] == "log sync") own = took_ms;
      if (span["name"].get<std::string>().starts_with("n"))
        others = others < 0 ? took_ms : std::min(others, took_ms);
    }
    if (request["kind"] != "write" || request["member"] != nodes_.name(leader_) || own < 0)
      continue;
    if (others < 0 || request["took_ms"] < 200) continue;
    seen = true;
    EXPECT_GE(others, 200) << request.dump();
    EXPECT_LT(own, others) << request.dump();
    break;
  }
  EXPECT_TRUE(seen);
  const Ended chrome = nodes_.holdfast({"trace", "--chrome", "-"});
  const json events = json::parse(chrome.out, nullptr, false);
  ASSERT_TRUE(events.contains("traceEvents")) << chrome.out.substr(0, 300);
  EXPECT_GE(events["traceEvents"].size(), 10u);
  EXPECT_EQ(nodes_.holdfast({"trace", "0123456789abcdef0"}).exit_code, 3);
}

}  // namespace
}  // namespace cluster
