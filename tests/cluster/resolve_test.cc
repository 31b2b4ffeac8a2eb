// `holdfast resolve`: a write whose outcome was unknown, on real processes.
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>

#include <nlohmann/json.hpp>

#include "client/client.h"
#include "net/loop.h"
#include "tests/cluster/nodes.h"

namespace cluster {
namespace {

class Resolve : public testing::Test {
 protected:
  Resolve() : nodes_(3) {}

  client::Outcome put(const std::string& value, std::uint64_t timeout_ms) {
    client::Outcome outcome;
    (void)loop_->wait(client_->put("k", value).then([&outcome](client::Outcome&& told) {
      outcome = std::move(told);
    }),
                      timeout_ms);
    return outcome;
  }
  /// A put that no majority takes, in a session that is open.
  void put_without_majority() {
    const auto leader = nodes_.leader();
    ASSERT_TRUE(leader.has_value());
    loop_ = std::make_unique<net::Loop>();
    client::Options options;
    options.endpoints = nodes_.endpoints();
    options.timeout_ms = 1000;
    client_ = client::Client::make(*loop_, options).value();
    ASSERT_TRUE(put("before", 5000).status.is_ok());
    for (std::size_t i = 0; i < 3; ++i) {
      if (i != *leader) nodes_.signal(i, SIGSTOP);
    }
    const client::Outcome outcome = put("perhaps", 5000);
    for (std::size_t i = 0; i < 3; ++i) {
      if (i != *leader) nodes_.signal(i, SIGCONT);
    }
    ASSERT_EQ(outcome.status.applied(), base::Applied::kUnknown) << outcome.status.to_string();
    ASSERT_EQ(outcome.session, client_->session());
    session_ = std::to_string(outcome.session.value);
    sequence_ = std::to_string(outcome.sequence);
  }
  /// Once the cluster serves again.
  Ended resolve(const std::string& sequence) {
    return nodes_.holdfast({"resolve", session_, sequence, "--timeout", "20s"}, 30000);
  }

  Nodes nodes_;
  std::unique_ptr<net::Loop> loop_;  // while it lives nodes_ must not be asked for anything
  std::unique_ptr<client::Client> client_;
  std::string session_, sequence_;
};

TEST_F(Resolve, SaysWhatBecameOfAWriteAndItStaysSo) {
  ASSERT_TRUE(nodes_.wait_ready());
  put_without_majority();
  if (HasFatalFailure()) return;
  const Ended became = resolve(sequence_);
  const Ended value = nodes_.holdfast({"get", "k", "-w", "json"});
  const auto kvs = nlohmann::json::parse(value.out).at("kvs");
  if (became.exit_code == 0) {
    EXPECT_EQ(kvs.at(0).at("value"), "cGVyaGFwcw==");
    const std::uint64_t revision = kvs.at(0).at("mod_revision");
    EXPECT_EQ(became.out, "applied at revision " + std::to_string(revision) + "\n");
  } else {
    EXPECT_EQ(became.exit_code, 3) << became.out << became.err;
    EXPECT_EQ(became.out, "never\n");
    EXPECT_EQ(kvs.at(0).at("value"), "YmVmb3Jl");
  }
  EXPECT_EQ(resolve(sequence_).out, became.out) << "asked again";

  // One that was never sent is sealed, and its number can not be used any more.
  const std::string next = std::to_string(std::stoull(sequence_) + 1);
  EXPECT_EQ(resolve(next).out, "never\n");
  EXPECT_EQ(resolve(next).out, "never\n");
  EXPECT_EQ(put("after", 5000).status.code(), base::Code::kSealed);
  EXPECT_TRUE(put("after", 5000).status.is_ok()) << "the number after that";
  EXPECT_EQ(resolve(sequence_).out, became.out) << "later writes keep what is unresolved";
  EXPECT_EQ(resolve("999999").exit_code, 1) << "beyond its window";
  session_ = "999999999";
  const Ended stranger = resolve("1");
  EXPECT_EQ(stranger.exit_code, 5);
  EXPECT_EQ(stranger.out, "forgotten\n");
}

}  // namespace
}  // namespace cluster
