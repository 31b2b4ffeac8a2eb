// What happens to writing when the leader goes: killed, asked to end, paused, or with a disk that
// hangs. HOLDFAST_FAILOVER_RUNS and HOLDFAST_HANG_RUNS make the series longer.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "tests/cluster/nodes.h"
#include "tests/cluster/writers.h"

namespace cluster {
namespace {

/// From the environment, for long series by hand.
int runs(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::max(1, std::atoi(value));
}

/// A cluster under load. The comparison comes at the end.
class Leader : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(nodes_.wait_ready());
    writers_ = std::make_unique<Writers>(WritersOptions{.endpoints = nodes_.endpoints()});
    ASSERT_TRUE(writing_goes_on());
  }
  void TearDown() override {
    if (writers_ == nullptr) return;
    writers_->stop();
    EXPECT_TRUE(nodes_.wait_ready());
    for (const auto& wrong : compare_with_cluster(writers_->history(), "w/", nodes_.endpoints()))
      ADD_FAILURE() << wrong;
    for (const auto& wrong : compare_registers(writers_->registers(), "w/", nodes_.endpoints()))
      ADD_FAILURE() << wrong;
  }
  bool writing_goes_on() {
    const std::uint64_t before = writers_->acknowledged();
    return wait_until(10000 * time_scale(), [&] { return writers_->acknowledged() > before + 50; });
  }
  /// Once somebody else leads: its index.
  std::optional<std::size_t> other_leader(std::size_t than, std::uint64_t timeout_ms) {
    std::optional<std::size_t> found;
    (void)wait_until(timeout_ms * time_scale(), [&] {
      found = nodes_.leader();
      return found.has_value() && *found != than;
    });
    return found;
  }
  void report(const char* what, std::vector<std::uint64_t> gaps) {
    std::sort(gaps.begin(), gaps.end());
    std::printf(
        "%s: longest time without an acknowledged write over %zu runs: min %llu ms, "
        "median %llu ms, max %llu ms\n",
        what, gaps.size(), static_cast<unsigned long long>(gaps.front()),
        static_cast<unsigned long long>(gaps[gaps.size() / 2]),
        static_cast<unsigned long long>(gaps.back()));
    RecordProperty("median_ms", static_cast<int>(gaps[gaps.size() / 2]));
    RecordProperty("max_ms", static_cast<int>(gaps.back()));
  }

  Nodes nodes_{3};
  std::unique_ptr<Writers> writers_;
};

TEST_F(Leader, KilledWritingGoesOnSoon) {
  std::vector<std::uint64_t> moments;
  const int count = runs("HOLDFAST_FAILOVER_RUNS", 5);
  for (int i = 0; i < count; ++i) {
    const auto leader = nodes_.leader();
    ASSERT_TRUE(leader.has_value());
    moments.push_back(now_ms());
    nodes_.kill(*leader);
    ASSERT_TRUE(writing_goes_on()) << "run " << i;
    nodes_.start(*leader);
    ASSERT_TRUE(nodes_.wait_ready()) << "run " << i;
    ASSERT_TRUE(writing_goes_on()) << "run " << i;
  }
  writers_->stop();
  std::vector<std::uint64_t> gaps;
  for (std::size_t i = 0; i < moments.size(); ++i)
    gaps.push_back(
        writers_->longest_gap_ms(moments[i], i + 1 < moments.size() ? moments[i + 1] : ~0ULL));
  report("leader killed", gaps);
  std::sort(gaps.begin(), gaps.end());
  // A busy machine may be slow once; half of the times on any machine is another thing.
  EXPECT_LT(gaps[gaps.size() / 2], 3000u * time_scale());
}

/// What `holdfast status` tells a person and a program of a member whose log does not sync.
void expect_that_status_says_why(Nodes& nodes, std::size_t sick) {
  const Ended simple = nodes.holdfast({"status"});
  EXPECT_EQ(simple.exit_code, 0) << "somebody leads: " << simple.out << simple.err;
  EXPECT_NE(simple.out.find("log sync"), std::string::npos) << simple.out;
  const Ended told = nodes.holdfast({"status", "-w", "json"});
  const auto json = nlohmann::json::parse(told.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << told.out << told.err;
  for (const auto& member : json["members"]) {
    const bool is_sick = member["name"] == nodes.name(sick);
    EXPECT_EQ(member["stalled"].get<bool>(), is_sick) << told.out;
    EXPECT_EQ(member["reason"].get<std::string>().find("log sync") != std::string::npos, is_sick)
        << told.out;
    EXPECT_FALSE(is_sick && member["leader"].get<bool>()) << told.out;
  }
  EXPECT_NE(json["leader"], nodes.name(sick));
}

TEST_F(Leader, WithAHungDiskIsReplacedSaysWhyAndComesBack) {
  std::vector<std::uint64_t> gaps, moments;
  const int count = runs("HOLDFAST_HANG_RUNS", 3);
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE("run " + std::to_string(i));
    const auto leader = nodes_.leader();
    ASSERT_TRUE(leader.has_value());
    moments.push_back(now_ms());
    ASSERT_TRUE(nodes_.hang_disk(*leader, true));
    const auto next = other_leader(*leader, 3000);
    ASSERT_TRUE(next.has_value() && *next != *leader) << "the sick leader stays";
    ASSERT_TRUE(writing_goes_on());
    ASSERT_NO_FATAL_FAILURE(expect_that_status_says_why(nodes_, *leader));
    const auto status = nodes_.status(*leader);
    ASSERT_TRUE(status.has_value());
    EXPECT_FALSE(status->step_down_reason.empty());
    const Page ready = http_get(nodes_.http_port(*leader), "/readyz");
    EXPECT_EQ(ready.code, 503);
    EXPECT_NE(ready.body.find("log sync"), std::string::npos) << ready.body;
    EXPECT_EQ(http_get(nodes_.http_port(*leader), "/livez").code, 200);

    const base::Index written = nodes_.status(*next).value_or(client::MemberStatus{}).commit;
    EXPECT_GT(written, status->durable) << "writing went on without its disk";
    ASSERT_TRUE(nodes_.hang_disk(*leader, false));
    const auto well = [&] {
      const auto now = nodes_.status(*leader);
      return now.has_value() && now->ready && !now->stalled && now->reason.empty() &&
             now->durable >= written && now->header.applied >= written;
    };
    ASSERT_TRUE(wait_until(10000 * time_scale(), well)) << "not back after heal";
  }
  writers_->stop();
  for (std::size_t i = 0; i < moments.size(); ++i)
    gaps.push_back(
        writers_->longest_gap_ms(moments[i], i + 1 < moments.size() ? moments[i + 1] : ~0ULL));
  report("leader's disk hung", gaps);
  for (const std::uint64_t gap : gaps) EXPECT_LT(gap, 1500u * time_scale());
}

/// What WithAHungDiskIsReplacedSaysWhyAndComesBack rests on: without the reactions the detector
/// still sees the hung sync, and the zombie stays.
TEST(LeaderWithoutStallReactions, StaysThoughItsDiskHangs) {
  Nodes nodes(3, {"--stall-reactions", "false"});
  ASSERT_TRUE(nodes.wait_ready());
  Writers writers(WritersOptions{.endpoints = nodes.endpoints()});
  ASSERT_TRUE(wait_until(10000 * time_scale(), [&] { return writers.acknowledged() > 50; }));
  const auto leader = nodes.leader();
  ASSERT_TRUE(leader.has_value());
  const auto before = nodes.status(*leader);
  ASSERT_TRUE(before.has_value());
  ASSERT_TRUE(nodes.hang_disk(*leader, true));
  const std::uint64_t hung_ms = now_ms();
  const bool replaced = wait_until(3000 * time_scale(), [&] {
    const auto now = nodes.leader();
    return now.has_value() && *now != *leader;
  });
  EXPECT_FALSE(replaced) << "something else than the reactions deposes it";
  EXPECT_GE(now_ms(), hung_ms + 3000 * time_scale());
  const auto after = nodes.status(*leader);
  ASSERT_TRUE(after.has_value());
  EXPECT_TRUE(after->stalled) << "the sync did hang";
  EXPECT_TRUE(after->leads());
  EXPECT_EQ(after->header.term, before->header.term);
  ASSERT_TRUE(nodes.hang_disk(*leader, false));
  writers.stop();
}

TEST_F(Leader, AFollowersHungDiskChangesNothing) {
  const auto leader = nodes_.leader();
  ASSERT_TRUE(leader.has_value());
  const auto before = nodes_.status(*leader);
  ASSERT_TRUE(before.has_value());
  const std::size_t follower = (*leader + 1) % nodes_.size();
  ASSERT_TRUE(nodes_.hang_disk(follower, true));
  const auto stalled = [&] {
    const auto status = nodes_.status(follower);
    return status.has_value() && status->stalled;
  };
  EXPECT_TRUE(wait_until(10000 * time_scale(), stalled));
  ASSERT_TRUE(writing_goes_on());
  const auto after = nodes_.status(*leader);
  ASSERT_TRUE(after.has_value());
  EXPECT_TRUE(after->leads());
  EXPECT_EQ(after->header.term, before->header.term) << "a sick follower does not campaign";
  ASSERT_TRUE(nodes_.hang_disk(follower, false));
}

TEST_F(Leader, AskedToEndHandsOverAndExitsWithZero) {
  for (int i = 0; i < 3; ++i) {
    const auto leader = nodes_.leader();
    ASSERT_TRUE(leader.has_value());
    EXPECT_EQ(nodes_.terminate(*leader, 5000 * time_scale()), 0);
    ASSERT_TRUE(other_leader(*leader, 3000).has_value());
    ASSERT_TRUE(writing_goes_on());
    nodes_.start(*leader);
    ASSERT_TRUE(nodes_.wait_ready());
  }
}

TEST_F(Leader, StaysWhenFollowersAreAskedToEnd) {
  const auto leader = nodes_.leader();
  ASSERT_TRUE(leader.has_value());
  const auto before = nodes_.status(*leader);
  ASSERT_TRUE(before.has_value());
  for (std::size_t n = 1; n < nodes_.size(); ++n) {
    const std::size_t follower = (*leader + n) % nodes_.size();
    EXPECT_EQ(nodes_.terminate(follower, 5000 * time_scale()), 0);
    ASSERT_TRUE(writing_goes_on());
    nodes_.start(follower);
    ASSERT_TRUE(nodes_.wait_ready());
    ASSERT_TRUE(writing_goes_on());
  }
  const auto after = nodes_.status(*leader);
  ASSERT_TRUE(after.has_value());
  EXPECT_TRUE(after->leads());
  EXPECT_EQ(after->header.term, before->header.term) << "a follower's end disturbs nobody";
}

TEST_F(Leader, PausedAndResumedNeverAnswersFromThePast) {
  const auto leader = nodes_.leader();
  ASSERT_TRUE(leader.has_value());
  ASSERT_EQ(nodes_.holdfast({"put", "k", "old"}).exit_code, 0);
  const std::uint64_t paused_ms = now_ms();
  nodes_.signal(*leader, SIGSTOP);
  const auto next = other_leader(*leader, 5000);
  ASSERT_TRUE(next.has_value() && *next != *leader);
  ASSERT_EQ(nodes_.holdfast({"put", "k", "new"}).exit_code, 0);
  ASSERT_TRUE(wait_until(10000 * time_scale(), [&] {
    return now_ms() >= paused_ms + 3000 * time_scale() &&
           writers_->last_acknowledged_ms() > paused_ms + 2500 * time_scale();
  })) << "writing goes on all the while";
  nodes_.signal(*leader, SIGCONT);
  // The very member that led, asked first, as soon as it runs again.
  for (int i = 0; i < 20; ++i) {
    const Ended got =
        run({holdfast_path(), "--endpoints", nodes_.endpoints()[*leader], "get", "k"});
    EXPECT_TRUE(got.exit_code != 0 || got.out == "new\n") << "a stale read: " << got.out;
    const auto woken = nodes_.status(*leader);
    const auto now = nodes_.status(*next);
    // It leads only if it was elected again: in a later term.
    EXPECT_FALSE(woken && now && woken->leads() && woken->header.term < now->header.term);
  }
  ASSERT_TRUE(nodes_.wait_ready());
  EXPECT_EQ(nodes_.holdfast({"get", "k"}).out, "new\n");
}

}  // namespace
}  // namespace cluster
