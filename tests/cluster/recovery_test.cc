// A quorum is lost for good, and one survivor goes on: what it held is there, what is of the
// generation before is shut out.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/cluster/nodes.h"
#include "tests/cluster/writers.h"

namespace cluster {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConsent = "--i-accept-the-loss-of-unreplicated-writes";

class Recovery : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(nodes_.wait_ready()); }

  Ended recover(std::size_t i, std::vector<std::string> more) {
    std::vector<std::string> words = {"recover", "--data-dir", nodes_.data_dir(i)};
    words.insert(words.end(), more.begin(), more.end());
    return nodes_.holdfast(words);
  }
  Ended recover_with_consent(std::size_t i) {
    return recover(i, {kConsent, "--reason", "the others burnt", "-w", "json"});
  }
  Ended add(std::size_t i) {
    return nodes_.holdfast({"member", "add", nodes_.name(i), "--peer-address",
                            nodes_.peer_address(i), "--client-address", nodes_.client_address(i),
                            "--wait", "--timeout", std::to_string(30 * time_scale()) + "s"},
                           60000);
  }
  bool leads_alone(std::size_t i) {
    return wait_until(20000 * time_scale(), [&] {
      const auto status = nodes_.status(i);
      return status && status->leads() && status->ready && status->header.generation == 1;
    });
  }
  void lose(std::size_t i) {
    nodes_.kill(i);
    fs::remove_all(nodes_.data_dir(i));
  }
  std::string audit(std::size_t i) { return read_file(nodes_.data_dir(i) + "/member/AUDIT"); }
  std::string get(std::size_t i, const std::string& key) {
    return nodes_.holdfast({"get", key, "--endpoints", nodes_.client_address(i)}).out;
  }
  /// Whether it said so of somebody of that generation.
  bool refuses(std::size_t i, int generation) {
    return nodes_.log(i).find("its data directory is of generation " +
                              std::to_string(generation)) != std::string::npos;
  }

  /// Old members are refused and change nothing, the one that never ended and one that comes back,
  /// not even if they are members again by name.
  void refuse_an_old_member(std::size_t survivor, std::size_t old, base::Index last) {
    EXPECT_TRUE(wait_until(20000 * time_scale(), [&] { return refuses(survivor, 0); }));
    const Ended put =
        nodes_.holdfast({"put", "after", "it", "--endpoints", nodes_.client_address(survivor)});
    EXPECT_EQ(put.exit_code, 0) << put.err;
    EXPECT_EQ(
        nodes_
            .holdfast({"member", "add", nodes_.name(old), "--peer-address",
                       nodes_.peer_address(old), "--client-address", nodes_.client_address(old)})
            .exit_code,
        0);
    nodes_.kill(old);
    nodes_.start(old);
    EXPECT_TRUE(wait_until(20000 * time_scale(), [&] { return refuses(old, 1); }))
        << nodes_.log(old);
    std::optional<client::MemberStatus> status;
    ASSERT_TRUE(wait_until(20000 * time_scale(), [&] {
      status = nodes_.status(old);
      return status.has_value();
    }));
    EXPECT_FALSE(status->leads());
    EXPECT_EQ(status->header.generation, 0u);
    EXPECT_LE(status->last, last) << "it gets nothing";
    status = nodes_.status(survivor);
    ASSERT_TRUE(status.has_value());
    EXPECT_TRUE(status->leads());
    for (const auto& peer : status->peers) EXPECT_EQ(peer.match, base::Index()) << peer.name;
  }

  Nodes nodes_{5};
};

TEST_F(Recovery, OneOfFiveGoesOnAndTheOthersComeBackWithNewDirectories) {
  Writers writers({.endpoints = nodes_.endpoints()});
  ASSERT_TRUE(wait_until(30000 * time_scale(), [&] { return writers.acknowledged() > 1000; }));
  writers.stop();
  // The survivor holds all that was acknowledged: this is awaited, and then the others die.
  const std::size_t survivor = 0, old = 1;
  const auto leader = nodes_.leader();
  ASSERT_TRUE(leader.has_value());
  ASSERT_TRUE(wait_until(20000 * time_scale(), [&] {
    const auto ours = nodes_.status(survivor);
    const auto theirs = nodes_.status(*leader);
    return ours && theirs && ours->durable == theirs->last;
  }));
  const auto before = nodes_.status(survivor);
  ASSERT_TRUE(before.has_value());
  for (std::size_t i = 2; i < 5; ++i) lose(i);
  EXPECT_EQ(nodes_.holdfast({"put", "nobody", "decides"}).exit_code, 4);
  EXPECT_EQ(recover_with_consent(survivor).exit_code, 1) << "holdfastd runs on it";
  nodes_.kill(survivor);
  // The two of them may have exchanged what nobody decides.
  const auto alone = nodes_.status(old);
  ASSERT_TRUE(alone.has_value());
  const Ended recovered = recover_with_consent(survivor);
  ASSERT_EQ(recovered.exit_code, 0) << recovered.err;
  nodes_.start(survivor);
  ASSERT_TRUE(leads_alone(survivor)) << nodes_.last_words();
  for (const auto& wrong :
       compare_with_cluster(writers.history(), "w/", {nodes_.client_address(survivor)}))
    ADD_FAILURE() << wrong;
  for (const auto& wrong :
       compare_registers(writers.registers(), "w/", {nodes_.client_address(survivor)}))
    ADD_FAILURE() << wrong;
  EXPECT_GT(nodes_.status(survivor)->header.revision, before->header.revision);

  refuse_an_old_member(survivor, old, alone->last);
  if (HasFatalFailure()) return;

  // With new directories they all come back.
  lose(old);
  for (std::size_t i = 1; i < 5; ++i) {
    nodes_.let_join(i);
    nodes_.start(i);
    const Ended added = add(i);
    ASSERT_EQ(added.exit_code, 0) << added.err << nodes_.last_words();
  }
  ASSERT_TRUE(nodes_.wait_ready());
  nodes_.kill(survivor);
  nodes_.kill(1);
  EXPECT_EQ(nodes_.holdfast({"put", "both", "may fail"}).exit_code, 0) << "they count";
  EXPECT_EQ(nodes_.holdfast({"get", "after"}).out, "it\n");
}

/// What the survivor has in its log and never learned to be committed may have been acknowledged.
TEST_F(Recovery, WhatIsOnlyInTheLogIsKept) {
  const auto leader = nodes_.leader();
  ASSERT_TRUE(leader.has_value());
  Writers writers({.endpoints = nodes_.endpoints()});
  ASSERT_TRUE(wait_until(30000 * time_scale(), [&] { return writers.acknowledged() > 200; }));
  // All at once, in the middle of it: the leader, who has acknowledged, is the survivor.
  for (std::size_t i = 0; i < 5; ++i) nodes_.signal(i, SIGSTOP);
  for (std::size_t i = 0; i < 5; ++i) nodes_.kill(i);
  writers.stop();
  const Ended plan = recover(*leader, {});
  EXPECT_EQ(plan.exit_code, 2) << "nothing is done without consent";
  EXPECT_NE(plan.out.find("lost"), std::string::npos) << plan.out;
  EXPECT_EQ(audit(*leader), "");
  EXPECT_EQ(recover(*leader, {kConsent}).exit_code, 2) << "nor without a reason";
  ASSERT_EQ(recover_with_consent(*leader).exit_code, 0);
  nodes_.start(*leader);
  ASSERT_TRUE(leads_alone(*leader)) << nodes_.last_words();
  for (const auto& wrong :
       compare_with_cluster(writers.history(), "w/", {nodes_.client_address(*leader)}))
    ADD_FAILURE() << wrong;
}

TEST_F(Recovery, IsWrittenDownAndKeepsTheOldDirectory) {
  ASSERT_EQ(nodes_.holdfast({"put", "key", "value"}).exit_code, 0);
  for (std::size_t i = 0; i < 5; ++i) nodes_.kill(i);
  for (std::uint64_t generation = 1; generation <= 2; ++generation) {
    const Ended recovered = recover_with_consent(0);
    ASSERT_EQ(recovered.exit_code, 0) << recovered.err;
    const auto document = nlohmann::json::parse(recovered.out, nullptr, false);
    EXPECT_EQ(document["generation"], generation);
    EXPECT_GT(document["index"], document["last_index"]);
    EXPECT_TRUE(fs::exists(document["old_directory"].get<std::string>() + "/member/IDENTITY"));
    for (const char* words :
         {"warn", "recovered from the loss of a quorum", "the others burnt", "above index"})
      EXPECT_NE(recovered.err.find(words), std::string::npos) << words << recovered.err;
  }
  const std::string written = audit(0);
  for (const char* words :
       {"recover\n", "by: ", "reason: the others burnt", "lost: ", "generation 1", "generation 2"})
    EXPECT_NE(written.find(words), std::string::npos) << words << " in " << written;
  EXPECT_LT(written.find("generation 1"), written.find("to: generation 2")) << "oldest first";
  nodes_.start(0);
  ASSERT_TRUE(wait_until(20000 * time_scale(), [&] { return get(0, "key") == "value\n"; }));
  const auto status = nodes_.status(0);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->header.generation, 2u);
}

TEST_F(Recovery, NoDirectoryNoRecovery) {
  const std::string nowhere = nodes_.data_dir(0) + "/nothing";
  const Ended ended =
      nodes_.holdfast({"recover", "--data-dir", nowhere, "--reason", "r", kConsent});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_NE(ended.err.find("no data directory"), std::string::npos) << ended.err;
  EXPECT_FALSE(fs::exists(nowhere));
}

}  // namespace
}  // namespace cluster
