// Leases on real processes: those that are renewed live, through overload, a change of leader and a
// clock that jumps; those that are not end in time.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "client/ctl/child.h"
#include "client/leases.h"
#include "tests/cluster/caller.h"

namespace cluster {
namespace {

using base::LeaseId;

/// Grants leases and keeps them.
class Keeper {
 public:
  explicit Keeper(const Nodes& nodes)
      : caller_(nodes),
        keeper_(caller_.loop(), caller_.options(), [this](LeaseId lease, const base::Status& why) {
          lost_[lease] = why.to_string();
        }) {}

  /// Each of them takes a key with it. `keep`: it is renewed from then on.
  void grant(std::size_t count, std::uint64_t ttl_ms, bool keep = true,
             client::LeaseKeeper::Healthy healthy = nullptr) {
    for (std::size_t granted = 0; granted < count; granted += 100) {
      kv::Transaction transaction;
      for (int i = 0; i < 100; ++i)
        transaction.then.push_back(kv::GrantOperation{{}, ttl_ms, false});
      const std::uint64_t asked_ms = client::boot_clock_ms();
      const client::Outcome outcome = caller_.wait(caller_.client().write(transaction));
      ASSERT_TRUE(outcome.status.is_ok()) << outcome.status.to_string();
      kv::Transaction keys;
      for (const auto& result : outcome.result.results) {
        const LeaseId lease = std::get<kv::GrantResult>(result).lease;
        if (keep) keeper_.keep(lease, ttl_ms, asked_ms, healthy);
        leases_.push_back(lease);
        keys.then.push_back(
            kv::PutOperation{"lease/" + base::to_hex(lease.value), "v", false, lease});
      }
      ASSERT_TRUE(caller_.wait(caller_.client().write(keys)).status.is_ok());
    }
  }
  /// One that whatever this client writes renews; its key counts like the others.
  void grant_of_session(std::uint64_t ttl_ms) {
    const client::Outcome outcome = caller_.wait(caller_.client().grant(ttl_ms, true));
    ASSERT_TRUE(outcome.status.is_ok()) << outcome.status.to_string();
    const LeaseId lease = std::get<kv::GrantResult>(outcome.result.results.at(0)).lease;
    kv::Transaction key;
    key.then.push_back(kv::PutOperation{"lease/of-session", "v", false, lease});
    ASSERT_TRUE(caller_.wait(caller_.client().write(key)).status.is_ok());
  }
  bool put() { return caller_.wait(caller_.client().put("traffic", "v")).status.is_ok(); }
  void run_for(std::uint64_t ms) {
    (void)caller_.loop().wait(caller_.loop().timer().afterDelay(ms * kj::MILLISECONDS), ms + 1000);
  }
  /// No renewal from now on.
  void release() {
    for (const LeaseId lease : leases_) keeper_.release(lease);
  }
  /// Keys that are left.
  std::uint64_t keys() {
    kv::Transaction transaction;
    kv::RangeOperation count{{"lease/", "lease0"}};
    count.count_only = true;
    transaction.then.push_back(count);
    const client::Outcome outcome = caller_.wait(caller_.client().read(transaction));
    if (!outcome.status.is_ok()) return UINT64_MAX;
    return std::get<kv::RangeResult>(outcome.result.results.at(0)).count;
  }
  std::uint64_t renewals() const { return keeper_.renewals(); }
  const std::map<LeaseId, std::string>& lost() const { return lost_; }

 private:
  Caller caller_;
  std::map<LeaseId, std::string> lost_;
  std::vector<LeaseId> leases_;
  client::LeaseKeeper keeper_;
};

/// What the cluster takes from as many clients as it serves well.
double puts_per_second(Nodes& nodes) {
  const Ended bench = nodes.holdfast({"bench", "put", "--clients", "256", "--duration", "3s",
                                      "--time-scale", std::to_string(time_scale()), "-w", "json"});
  const auto report = nlohmann::json::parse(bench.out, nullptr, false);
  return report.is_object() ? report["throughput_per_second"].get<double>() : 0;
}

TEST(Lease, TenThousandOutliveOverloadAndAClockThatJumps) {
  constexpr std::size_t kLeases = 10'000;
  constexpr std::uint64_t kTtlMs = 5000;
  Nodes nodes(3);
  ASSERT_TRUE(nodes.wait_ready());
  const auto leader = nodes.leader();
  ASSERT_TRUE(leader.has_value());
  auto keeper = std::make_unique<Keeper>(nodes);
  keeper->grant(kLeases, kTtlMs);
  ASSERT_EQ(keeper->keys(), kLeases);
  const double capacity = puts_per_second(nodes);
  const auto rate = static_cast<std::uint64_t>(3 * capacity);
  std::fprintf(stderr, "%.0f puts a second are taken; %llu are sent\n", capacity,
               static_cast<unsigned long long>(rate));
  ASSERT_GT(rate, 0u);
  // Whatever becomes of them: a call is due when it is due, not when another was answered.
  client::ctl::Child bench;
  ASSERT_TRUE(bench
                  .start({holdfast_path(), "bench", "put", "--rate", std::to_string(rate),
                          "--clients", "100000", "--duration", "16s", "--connections", "2",
                          "--time-scale", std::to_string(time_scale())},
                         {{"HOLDFAST_ENDPOINTS", nodes.environment().substr(19)}})
                  .is_ok());
  // Of the leader at that moment, which hands over then.
  const auto jump = [&](const char* fault) {
    const Ended status = nodes.holdfast({"status", "-w", "json"});
    const auto name = nlohmann::json::parse(status.out)["leader"].get<std::string>();
    std::size_t i = 0;
    while (i + 1 < nodes.size() && nodes.name(i) != name) ++i;
    const Ended ended = run({holdfast_path(), "--endpoints", nodes.client_address(i), "fault",
                             fault, "by=1h", "--for", "4s"});
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
  };
  keeper->run_for(4000);
  jump("clock-ahead");
  keeper->run_for(4000);
  jump("clock-behind");
  keeper->run_for(4000);
  EXPECT_TRUE(keeper->lost().empty())
      << keeper->lost().size() << " were lost, the first one: " << keeper->lost().begin()->second;
  EXPECT_GT(keeper->renewals(), 2 * kLeases);
  EXPECT_TRUE(bench.runs()) << "the load ended too early";
  keeper->release();
  const std::uint64_t released_ms = client::boot_clock_ms();
  keeper->run_for(kTtlMs / 2);
  EXPECT_EQ(keeper->keys(), kLeases) << "some ended too early";
  std::uint64_t left = kLeases;
  std::uint64_t all_ended_ms = 0;
  while (left > 0 && client::boot_clock_ms() < released_ms + kTtlMs * 4) {
    keeper->run_for(50);
    left = keeper->keys();
    all_ended_ms = client::boot_clock_ms() - released_ms;
  }
  std::fprintf(stderr, "%zu leases of %llu ms, not renewed any more, were gone after %llu ms\n",
               kLeases, static_cast<unsigned long long>(kTtlMs),
               static_cast<unsigned long long>(all_ended_ms));
  EXPECT_EQ(left, 0u);
  EXPECT_LT(all_ended_ms, kTtlMs + 3000 * time_scale()) << "far more than a second late";
  bench.signal(SIGTERM);
  (void)bench.wait();
}

TEST(Lease, ANewLeaderKeepsWhatIsRenewedAndEndsTheRest) {
  Nodes nodes(3);
  ASSERT_TRUE(nodes.wait_ready());
  for (int round = 0; round < 2; ++round) {
    const auto leader = nodes.leader();
    ASSERT_TRUE(leader.has_value());
    auto keeper = std::make_unique<Keeper>(nodes);
    keeper->grant(100, 3000, true);
    keeper->grant(100, 3000, false);
    nodes.kill(*leader);
    keeper->run_for(7500);
    EXPECT_TRUE(keeper->lost().empty()) << keeper->lost().begin()->second;
    EXPECT_EQ(keeper->keys(), 100u) << "some that nobody renews live, or some of the kept do not";
    keeper->release();
    keeper->run_for(4500);
    EXPECT_EQ(keeper->keys(), 0u);
    keeper.reset();
    nodes.start(*leader);
    ASSERT_TRUE(nodes.wait_ready());
  }
}

TEST(Lease, WhatItsSessionWritesRenewsOneThatAskedForIt) {
  Nodes nodes(3);
  ASSERT_TRUE(nodes.wait_ready());
  Keeper keeper(nodes);
  keeper.grant_of_session(1500);
  for (int i = 0; i < 10; ++i) {
    keeper.run_for(400);
    ASSERT_TRUE(keeper.put());
  }
  EXPECT_EQ(keeper.keys(), 1u) << "it ended although its session wrote";
  keeper.run_for(1500 + 2000 * time_scale());
  EXPECT_EQ(keeper.keys(), 0u) << "reads do not renew it";
}

TEST(Lease, AnApplicationThatIsNotWellLosesIts) {
  Nodes nodes(3);
  ASSERT_TRUE(nodes.wait_ready());
  bool well = true;
  Keeper keeper(nodes);
  keeper.grant(100, 1500, true, [&well] { return well; });
  keeper.run_for(3000);
  EXPECT_TRUE(keeper.lost().empty());
  well = false;
  keeper.run_for(1500 + 2000 * time_scale());
  EXPECT_EQ(keeper.lost().size(), 100u);
  EXPECT_EQ(keeper.keys(), 0u) << "the loop lives and renewed them all the same";
}

}  // namespace
}  // namespace cluster
