// The membership of a real cluster under load: it grows and shrinks, leads elsewhere when asked to,
// takes back who lost everything, and sends its state to who is far behind.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "tests/cluster/link_proxy.h"
#include "tests/cluster/nodes.h"
#include "tests/cluster/writers.h"

namespace cluster {
namespace {

namespace fs = std::filesystem;

class Membership : public testing::Test {
 protected:
  explicit Membership(std::vector<std::string> flags = {}) : nodes_(3, std::move(flags)) {}
  void SetUp() override {
    ASSERT_TRUE(nodes_.wait_ready());
    writers_ = std::make_unique<Writers>(WritersOptions{.endpoints = nodes_.endpoints()});
    ASSERT_TRUE(writing_goes_on());
  }
  void TearDown() override {
    if (writers_ == nullptr) return;
    writers_->stop();
    for (const auto& wrong : compare_with_cluster(writers_->history(), "w/", nodes_.endpoints()))
      ADD_FAILURE() << wrong;
    for (const auto& wrong : compare_registers(writers_->registers(), "w/", nodes_.endpoints()))
      ADD_FAILURE() << wrong;
  }
  bool writing_goes_on() {
    const std::uint64_t before = writers_->acknowledged();
    return wait_until(10000 * time_scale(), [&] { return writers_->acknowledged() > before + 50; });
  }
  Ended member(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "member");
    arguments.insert(arguments.end(), {"--timeout", std::to_string(20 * time_scale()) + "s"});
    return nodes_.holdfast(arguments, 60000 * time_scale());
  }
  void add(std::size_t i) {
    const Ended added = member({"add", nodes_.name(i), "--peer-address", nodes_.peer_address(i),
                                "--client-address", nodes_.client_address(i), "--wait"});
    ASSERT_EQ(added.exit_code, 0) << added.err << nodes_.last_words();
  }
  nlohmann::json members() {
    const auto json = nlohmann::json::parse(member({"list", "-w", "json"}).out, nullptr, false);
    return json.is_discarded() ? nlohmann::json::array() : json["members"];
  }
  bool is_whole(std::size_t i) {
    const auto leader = nodes_.leader();
    const auto theirs = nodes_.status(i);
    const auto ours = leader ? nodes_.status(*leader) : std::nullopt;
    return theirs && ours && theirs->ready && theirs->header.applied + 500 > ours->commit;
  }

  Nodes nodes_;
  std::unique_ptr<Writers> writers_;
};

TEST_F(Membership, ThreeGrowToFiveAndShrinkBackUnderLoad) {
  for (int i = 0; i < 2; ++i) {
    const std::size_t joined = nodes_.join();
    ASSERT_NO_FATAL_FAILURE(add(joined));
    ASSERT_TRUE(writing_goes_on());
  }
  EXPECT_EQ(members().size(), 5u);
  EXPECT_TRUE(wait_until(20000 * time_scale(), [&] { return is_whole(3) && is_whole(4); }));
  // Two of five may fail now.
  nodes_.kill(3);
  nodes_.kill(4);
  ASSERT_TRUE(writing_goes_on());
  nodes_.start(3);
  nodes_.start(4);
  ASSERT_TRUE(wait_until(20000 * time_scale(), [&] { return is_whole(3) && is_whole(4); }));
  // Back to three: the leader first, then one more.
  const auto leader = nodes_.leader();
  ASSERT_TRUE(leader.has_value());
  const std::size_t other = *leader == 4 ? 3 : 4;
  for (const std::size_t gone : {*leader, other}) {
    const Ended removed = member({"remove", nodes_.name(gone)});
    ASSERT_EQ(removed.exit_code, 0) << removed.err;
    ASSERT_TRUE(writing_goes_on());
  }
  EXPECT_EQ(members().size(), 3u);
  const auto told = [&] {
    return http_get(nodes_.http_port(other), "/readyz").body.find("removed") != std::string::npos;
  };
  EXPECT_TRUE(wait_until(10000 * time_scale(), told)) << "whoever was removed says so";
  writers_->stop();
  EXPECT_EQ(writers_->refused(), 0u) << "the client library hides all of it";
  EXPECT_EQ(writers_->unknown(), 0u);
}

/// It has not been started again since it joined.
TEST_F(Membership, WhoJoinedLeadsAsWellAsAnybody) {
  const std::size_t joined = nodes_.join();
  ASSERT_NO_FATAL_FAILURE(add(joined));
  ASSERT_EQ(nodes_.holdfast({"move-leader", nodes_.name(joined)}).exit_code, 0);
  EXPECT_TRUE(wait_until(10000 * time_scale(), [&] { return is_whole(joined); }))
      << http_get(nodes_.http_port(joined), "/readyz").body;
  ASSERT_TRUE(writing_goes_on());
}

TEST_F(Membership, TheLeaderIsWhoItIsAskedToBe) {
  for (std::size_t i = 0; i < 3; ++i) {
    const Ended moved = nodes_.holdfast({"move-leader", nodes_.name(i)});
    ASSERT_EQ(moved.exit_code, 0) << moved.err;
    const auto status = nodes_.status(i);
    EXPECT_TRUE(status && status->leads());
    ASSERT_TRUE(writing_goes_on());
  }
  EXPECT_EQ(nodes_.holdfast({"move-leader", "nobody"}).exit_code, 1);
  writers_->stop();
  EXPECT_EQ(writers_->refused() + writers_->unknown(), 0u);
}

TEST_F(Membership, WhoLostItsDirectoryIsNobodyUntilItIsReplaced) {
  const auto leader = nodes_.leader();
  ASSERT_TRUE(leader.has_value());
  const std::size_t victim = (*leader + 1) % 3;
  nodes_.kill(victim);
  fs::remove_all(nodes_.data_dir(victim));
  nodes_.start(victim);
  const auto refused = [&] {
    return nodes_.log(*leader).find("another data directory") != std::string::npos;
  };
  EXPECT_TRUE(wait_until(20000 * time_scale(), refused)) << "refused under the old identity";
  const auto status = nodes_.status(victim);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->header.applied, base::Index()) << "it gets nothing";
  ASSERT_TRUE(writing_goes_on());
  const Ended replaced = member({"replace", nodes_.name(victim), "--wait"});
  ASSERT_EQ(replaced.exit_code, 0) << replaced.err;
  EXPECT_TRUE(wait_until(20000 * time_scale(), [&] { return is_whole(victim); }));
  // It counts: with the third one away writing goes on.
  const std::size_t third = 3 - *leader - victim;
  nodes_.kill(third);
  ASSERT_TRUE(writing_goes_on());
  nodes_.start(third);
  EXPECT_TRUE(nodes_.wait_ready());
}

TEST_F(Membership, AnOldCopyOfADirectoryIsRefusedAndReplaced) {
  const auto leader = nodes_.leader();
  ASSERT_TRUE(leader.has_value());
  const std::size_t victim = (*leader + 1) % 3;
  const std::string copy = nodes_.data_dir(victim) + ".copy";
  nodes_.kill(victim);
  fs::copy(nodes_.data_dir(victim), copy, fs::copy_options::recursive);
  for (int i = 0; i < 2; ++i) {
    nodes_.start(victim);
    ASSERT_TRUE(wait_until(20000 * time_scale(), [&] { return is_whole(victim); }));
    ASSERT_TRUE(writing_goes_on());
    nodes_.kill(victim);
  }
  fs::remove_all(nodes_.data_dir(victim));
  fs::rename(copy, nodes_.data_dir(victim));
  nodes_.start(victim);
  const auto quarantined = [&] {
    const auto status = nodes_.status(victim);
    return status && status->quarantined;
  };
  EXPECT_TRUE(wait_until(20000 * time_scale(), quarantined)) << "its peers remember more";
  ASSERT_TRUE(writing_goes_on());
  // What it has counts for nothing; an empty directory takes its place.
  nodes_.kill(victim);
  fs::remove_all(nodes_.data_dir(victim));
  nodes_.start(victim);
  const Ended replaced = member({"replace", nodes_.name(victim), "--wait"});
  ASSERT_EQ(replaced.exit_code, 0) << replaced.err;
  EXPECT_TRUE(wait_until(20000 * time_scale(), [&] { return is_whole(victim); }));
}

/// With a log that is cut early.
class FarBehind : public Membership {
 protected:
  FarBehind() : Membership({"--log-bytes-max", "65536"}) {}
};

TEST_F(FarBehind, AFollowerGetsASnapshotUnderLoad) {
  const auto leader = nodes_.leader();
  ASSERT_TRUE(leader.has_value());
  const std::size_t victim = (*leader + 1) % 3;
  const base::Index last = nodes_.status(victim).value_or(client::MemberStatus{}).last;
  nodes_.kill(victim);
  const auto cut = [&] {
    const auto status = nodes_.status(*leader);
    return status && status->first > last + 100;
  };
  ASSERT_TRUE(wait_until(60000 * time_scale(), cut)) << "the log is cut, though one lacks it";
  nodes_.start(victim);
  EXPECT_TRUE(wait_until(30000 * time_scale(), [&] { return is_whole(victim); }));
  EXPECT_NE(nodes_.log(victim).find("snapshot-installed"), std::string::npos);
  ASSERT_TRUE(writing_goes_on());
  // What it has is what the others have, also after it opened it anew.
  nodes_.kill(victim);
  nodes_.start(victim);
  EXPECT_TRUE(wait_until(30000 * time_scale(), [&] { return is_whole(victim); }));
  const std::size_t third = 3 - *leader - victim;
  nodes_.kill(third);
  ASSERT_TRUE(writing_goes_on()) << "it counts";
  nodes_.start(third);
  ASSERT_TRUE(nodes_.wait_ready());
}

/// The new member's state comes through a proxy that cuts each connection after one or two chunks,
/// somewhere within the next.
TEST_F(FarBehind, ASnapshotThatIsCutAtEachChunkResumes) {
  constexpr std::uint64_t kMebibyte = std::uint64_t{1} << 20;
  constexpr std::uint64_t kForever = std::numeric_limits<std::uint64_t>::max();
  Writers large({.endpoints = nodes_.endpoints(), .prefix = "large/", .value_bytes = 64 * 1024});
  ASSERT_TRUE(wait_until(60000 * time_scale(), [&] { return large.acknowledged() > 150; }));
  large.stop();
  const std::size_t joined = nodes_.join();
  base::Random random(3);
  std::atomic<bool> cuts{true};
  LinkProxy proxy(nodes_.peer_port(joined), [&] {
    return cuts ? kMebibyte + random.between(kMebibyte / 8, kMebibyte) : kForever;
  });
  ASSERT_NE(proxy.port(), 0);
  const Ended added = member({"add", nodes_.name(joined), "--peer-address",
                              "127.0.0.1:" + std::to_string(proxy.port()), "--client-address",
                              nodes_.client_address(joined)});
  ASSERT_EQ(added.exit_code, 0) << added.err;
  const auto installed = [&] {
    return nodes_.log(joined).find("snapshot-installed") != std::string::npos;
  };
  ASSERT_TRUE(wait_until(60000 * time_scale(), installed)) << nodes_.last_words();
  const std::string log = nodes_.log(joined);
  const auto first = log.find("snapshot-receiving");
  EXPECT_EQ(log.find("snapshot-receiving", first + 1), std::string::npos)
      << "it went on where it was cut, and did not begin anew\n"
      << log;
  EXPECT_GE(proxy.cuts(), 5u);
  // With a log of 64 KiB nobody catches up with this load through a link that is cut all the time.
  cuts = false;
  EXPECT_TRUE(wait_until(30000 * time_scale(), [&] { return is_whole(joined); }));
  for (const auto& wrong : compare_with_cluster(large.history(), "large/", nodes_.endpoints()))
    ADD_FAILURE() << wrong;
}

}  // namespace
}  // namespace cluster
