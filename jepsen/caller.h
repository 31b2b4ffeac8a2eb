// An operator's calls, one after the other. Loop thread; runs the loop.
#pragma once

#include <memory>

#include "client/client.h"
#include "jepsen/cluster.h"

namespace jepsen {

class Caller {
 public:
  static constexpr std::uint32_t kCallMs = 10'000;

  /// `call_ms`: of one call, all its attempts together, before the cluster's time scale.
  explicit Caller(Cluster& cluster, std::uint32_t call_ms = kCallMs)
      : cluster_(cluster), call_ms_(call_ms * cluster.time_scale()) {
    client::Options options;
    options.endpoints = cluster.endpoints();
    options.timeout_ms = call_ms_;
    options.silence_ms *= cluster.time_scale();
    options.leaderless_ms = call_ms_;
    client_ = client::Client::make(cluster.loop(), options).value();
  }
  client::Client& client() { return *client_; }
  client::Outcome wait(kj::Promise<client::Outcome> promise) {
    auto outcome = std::make_shared<client::Outcome>();
    outcome->status = {base::Code::kTimeout, "no answer"};
    (void)cluster_.loop().wait(
        promise.then([outcome](client::Outcome&& told) { *outcome = std::move(told); }),
        2 * std::uint64_t{call_ms_});
    return *outcome;
  }

 private:
  Cluster& cluster_;
  const std::uint32_t call_ms_;
  std::unique_ptr<client::Client> client_;
};

}  // namespace jepsen
