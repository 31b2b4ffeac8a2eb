// The state of a real cluster as a file, and a new cluster from it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/cluster/nodes.h"
#include "tests/cluster/writers.h"

namespace cluster {
namespace {

namespace fs = std::filesystem;

class SnapshotFiles : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(nodes_.wait_ready()); }

  /// By the member `i` alone.
  Ended save(std::size_t i, std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"snapshot", "save", file(), "--endpoints",
                                      nodes_.client_address(i)};
    words.insert(words.end(), more.begin(), more.end());
    return nodes_.holdfast(words);
  }
  Ended restore(Nodes& into, std::size_t i) {
    return into.holdfast({"snapshot", "restore", file(), "--data-dir", into.data_dir(i), "--name",
                          into.name(i), "--cluster-token", into.token(), "--initial-cluster",
                          into.initial_cluster()});
  }
  /// By `snapshot status`; null if it refuses.
  nlohmann::json status() {
    const Ended status = nodes_.holdfast({"snapshot", "status", file(), "-w", "json"});
    if (status.exit_code != 0) return nullptr;
    return nlohmann::json::parse(status.out, nullptr, false);
  }
  std::string file() const { return scratch_.path() + "/a.snap"; }
  std::size_t a_follower() {
    const auto leader = nodes_.leader();
    EXPECT_TRUE(leader.has_value());
    return (leader.value_or(0) + 1) % 3;
  }

  Scratch scratch_;
  Nodes nodes_{3};
};

TEST_F(SnapshotFiles, ANewClusterHasWhatWasAcknowledgedBeforeTheSave) {
  Writers before({.endpoints = nodes_.endpoints()});
  ASSERT_TRUE(wait_until(30000 * time_scale(), [&] { return before.acknowledged() > 500; }));
  before.stop();
  // Others go on: what they write may be in it or not.
  Writers after({.endpoints = nodes_.endpoints(), .prefix = "later/"});
  ASSERT_TRUE(wait_until(30000 * time_scale(), [&] { return after.acknowledged() > 50; }));
  const Ended saved = save(a_follower(), {"-w", "json"});
  ASSERT_EQ(saved.exit_code, 0) << saved.err;
  after.stop();
  EXPECT_FALSE(fs::exists(file() + ".partial"));
  const auto summary = status();
  ASSERT_TRUE(summary.is_object());
  const auto said = nlohmann::json::parse(saved.out, nullptr, false);
  for (const char* name : {"cluster", "generation", "index", "revision", "bytes"})
    EXPECT_EQ(summary[name], said[name]) << name;
  EXPECT_EQ(summary["bytes"], fs::file_size(file()));

  Nodes restored(3, {}, [this](Nodes& made) {
    for (std::size_t i = 0; i < 3; ++i) {
      const Ended ended = restore(made, i);
      EXPECT_EQ(ended.exit_code, 0) << ended.err;
      EXPECT_EQ(restore(made, i).exit_code, 1) << "a directory that is not empty is refused";
    }
  });
  ASSERT_TRUE(restored.wait_ready()) << restored.last_words();
  for (const auto& wrong : compare_with_cluster(before.history(), "w/", restored.endpoints()))
    ADD_FAILURE() << wrong;
  for (const auto& wrong : compare_registers(before.registers(), "w/", restored.endpoints()))
    ADD_FAILURE() << wrong;
  const auto member = restored.status(0);
  ASSERT_TRUE(member.has_value());
  EXPECT_EQ(member->header.generation, 1u);
  EXPECT_NE(base::to_hex(member->header.cluster.value), summary["cluster"]);
  EXPECT_GT(member->header.revision.value, nodes_.status(0)->header.revision.value)
      << "revisions never go back, whatever the old cluster did after the save";
  // It is a cluster like any other: it writes, and lives through restarts.
  EXPECT_EQ(restored.holdfast({"put", "new", "value"}).exit_code, 0);
  for (std::size_t i = 0; i < 3; ++i) {
    restored.kill(i);
    restored.start(i);
    ASSERT_TRUE(restored.wait_ready());
  }
  EXPECT_EQ(restored.holdfast({"get", "new"}).out, "value\n");
  EXPECT_EQ(nodes_.holdfast({"get", "new"}).exit_code, 3) << "the old cluster is not concerned";
}

/// An empty directory in the place of a restored one takes the state from the others.
TEST_F(SnapshotFiles, OneMemberMayBeginEmpty) {
  ASSERT_EQ(nodes_.holdfast({"put", "key", "value"}).exit_code, 0);
  ASSERT_EQ(save(0).exit_code, 0);
  Nodes restored(3, {}, [this](Nodes& made) {
    for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(restore(made, i).exit_code, 0);
  });
  ASSERT_TRUE(restored.wait_ready()) << restored.last_words();
  EXPECT_EQ(restored.holdfast({"get", "key"}).out, "value\n");
  EXPECT_TRUE(wait_until(20000 * time_scale(), [&] {
    const auto third = restored.status(2);
    return third && third->ready && third->header.generation == 1;
  }));
  EXPECT_EQ(
      restored
          .holdfast({"get", "key", "--consistency", "s", "--endpoints", restored.client_address(2)})
          .out,
      "value\n");
}

TEST_F(SnapshotFiles, TheOldClustersTokenIsRefused) {
  ASSERT_EQ(nodes_.holdfast({"put", "key", "value"}).exit_code, 0);
  ASSERT_EQ(save(0).exit_code, 0);
  const std::string place = scratch_.path() + "/data";
  const Ended restored = nodes_.holdfast({"snapshot", "restore", file(), "--data-dir", place,
                                          "--name", "n1", "--cluster-token", nodes_.token(),
                                          "--initial-cluster", nodes_.initial_cluster()});
  EXPECT_EQ(restored.exit_code, 1);
  EXPECT_NE(restored.err.find("--cluster-token"), std::string::npos) << restored.err;
  EXPECT_FALSE(fs::exists(place));
}

TEST_F(SnapshotFiles, ADamagedFileLeavesNoDirectory) {
  ASSERT_EQ(nodes_.holdfast({"put", "key", std::string(5000, 'v')}).exit_code, 0);
  ASSERT_EQ(save(0).exit_code, 0);
  std::fstream bytes(file(), std::ios::in | std::ios::out | std::ios::binary);
  bytes.seekp(static_cast<std::streamoff>(fs::file_size(file()) / 2));
  bytes.put('\xff');
  bytes.close();
  EXPECT_TRUE(status().is_null());
  const std::string place = scratch_.path() + "/data";
  const Ended restored = nodes_.holdfast({"snapshot", "restore", file(), "--data-dir", place,
                                          "--name", "n1", "--cluster-token", "another",
                                          "--initial-cluster", nodes_.initial_cluster()});
  EXPECT_EQ(restored.exit_code, 1);
  EXPECT_NE(restored.err.find("at byte "), std::string::npos) << restored.err;
  EXPECT_FALSE(fs::exists(place));
}

TEST_F(SnapshotFiles, AMemberThatDiesMeanwhileLeavesNoFile) {
  ASSERT_EQ(nodes_
                .holdfast({"bench", "put", "--clients", "16", "--duration", "2s", "--value-size",
                           "262144"})
                .exit_code,
            0);
  Ended saved;
  std::thread saving([&] { saved = save(0); });
  const auto begun = [&] {
    std::error_code error;
    const auto size = fs::file_size(file() + ".partial", error);
    return !error && size > 0;
  };
  EXPECT_TRUE(wait_until(20000 * time_scale(), begun));
  nodes_.kill(0);
  saving.join();
  EXPECT_EQ(saved.exit_code, 4) << saved.out;
  EXPECT_NE(saved.err.find("after "), std::string::npos) << saved.err;
  EXPECT_FALSE(fs::exists(file()));
  EXPECT_FALSE(fs::exists(file() + ".partial"));
}

TEST_F(SnapshotFiles, WithoutALeaderOnlyWhatTheMemberHas) {
  ASSERT_EQ(nodes_.holdfast({"put", "key", "value"}).exit_code, 0);
  nodes_.kill(1);
  nodes_.kill(2);
  const Ended refused = save(0);
  EXPECT_EQ(refused.exit_code, 4) << "what was acknowledged before cannot be told: " << refused.out;
  EXPECT_FALSE(fs::exists(file()));
  const Ended saved = save(0, {"--consistency", "s"});
  EXPECT_EQ(saved.exit_code, 0) << saved.err;
  EXPECT_TRUE(status().is_object());
}

}  // namespace
}  // namespace cluster
