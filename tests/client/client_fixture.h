// A client and members that misbehave on real sockets, on one loop.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/client.h"
#include "tests/client/fake_cluster.h"

namespace client {

class ClientTest : public testing::Test {
 protected:
  FakeMember& add() {
    members_.push_back(std::make_unique<FakeMember>(loop_, state_, members_.size() + 1));
    return *members_.back();
  }
  FakeMember& member(std::size_t i) { return *members_[i]; }

  /// Three members, the first leads.
  void make_three() {
    for (int i = 0; i < 3; ++i) add();
    member(0).leads = true;
  }
  void open(Options options = {}) {
    if (options.endpoints.empty())
      for (const auto& each : members_) options.endpoints.push_back(each->address());
    timeout_ms_ = options.timeout_ms;
    auto client = Client::make(loop_, options);
    ASSERT_TRUE(client.is_ok()) << client.status().to_string();
    client_ = std::move(client).value();
  }
  static Options timeout(std::uint32_t ms) {
    Options options;
    options.timeout_ms = ms;
    return options;
  }

  Outcome wait(kj::Promise<Outcome> promise) {
    auto outcome = std::make_shared<Outcome>();
    outcome->status = base::Status(base::Code::kInternal, "the promise was never resolved");
    const auto start = std::chrono::steady_clock::now();
    EXPECT_TRUE(loop_.wait(promise.then([outcome](Outcome&& o) { *outcome = std::move(o); }),
                           timeout_ms_ + 3000));
    took_ms_ = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                              std::chrono::steady_clock::now() - start)
                                              .count());
    return *outcome;
  }
  Outcome put(const std::string& key, const std::string& value) {
    return wait(client_->put(key, value));
  }
  /// Fires once `ms` of the loop have passed.
  void after(std::uint32_t ms, std::function<void()> task) {
    later_.push_back(loop_.timer()
                         .afterDelay(ms * kj::MILLISECONDS)
                         .then(std::move(task))
                         .eagerlyEvaluate(nullptr));
  }
  /// Each key was put at most once, and never under two (session, sequence).
  void expect_one_identity_a_key() {
    std::map<std::string, std::set<std::pair<std::uint64_t, std::uint64_t>>> identities;
    for (const auto& each : members_)
      for (const auto& write : each->writes)
        identities[write.key].insert({write.session, write.sequence});
    for (const auto& [key, ids] : identities) EXPECT_EQ(ids.size(), 1u) << key;
  }

  net::Loop loop_;
  FakeState state_;
  std::vector<std::unique_ptr<FakeMember>> members_;
  std::unique_ptr<Client> client_;
  std::vector<kj::Promise<void>> later_;
  std::uint32_t timeout_ms_ = 5000;
  std::uint64_t took_ms_ = 0;
};

}  // namespace client
