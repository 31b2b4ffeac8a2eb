// An application that calls a cluster through the library, one call after the other. Its loop and
// Nodes' own cannot live on one thread at a time: ask nodes for a leader, or wait for them, before
// it is made.
#pragma once

#include <memory>

#include "client/client.h"
#include "net/loop.h"
#include "tests/cluster/nodes.h"

namespace cluster {

class Caller {
 public:
  explicit Caller(const Nodes& nodes) : options_(options_for(nodes)) {
    client_ = client::Client::make(loop_, options_).value();
  }
  net::Loop& loop() { return loop_; }
  const client::Options& options() const { return options_; }
  client::Client& client() { return *client_; }
  /// kInternal: no answer, not even a failure, within half a minute.
  client::Outcome wait(kj::Promise<client::Outcome> promise) {
    client::Outcome outcome;
    outcome.status = {base::Code::kInternal, "no answer"};
    (void)loop_.wait(promise.then([&](client::Outcome&& told) { outcome = std::move(told); }),
                     30'000);
    return outcome;
  }

 private:
  static client::Options options_for(const Nodes& nodes) {
    client::Options options;
    options.endpoints = nodes.endpoints();
    options.timeout_ms = 20'000;
    return options;
  }

  net::Loop loop_;
  const client::Options options_;
  std::unique_ptr<client::Client> client_;
};

}  // namespace cluster
