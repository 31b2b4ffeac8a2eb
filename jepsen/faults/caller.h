// An operator's calls, one after the other. Loop thread; runs the loop.
#pragma once

#include <memory>

#include "client/client.h"
#include "jepsen/cluster.h"

namespace jepsen {

class Caller {
 public:
  explicit Caller(Cluster& cluster) : cluster_(cluster) {
    client::Options options;
    options.endpoints = cluster.endpoints();
    options.timeout_ms = kCallMs * cluster.time_scale();
    options.silence_ms *= cluster.time_scale();
    options.leaderless_ms = options.timeout_ms;
    client_ = client::Client::make(cluster.loop(), options).value();
  }
  client::Client& client() { return *client_; }
  client::Outcome wait(kj::Promise<client::Outcome> promise) {
    auto outcome = std::make_shared<client::Outcome>();
    outcome->status = {base::Code::kTimeout, "no answer"};
    (void)cluster_.loop().wait(
        promise.then([outcome](client::Outcome&& told) { *outcome = std::move(told); }),
        2 * kCallMs * cluster_.time_scale());
    return *outcome;
  }

 private:
  static constexpr std::uint32_t kCallMs = 10'000;
  Cluster& cluster_;
  std::unique_ptr<client::Client> client_;
};

}  // namespace jepsen
