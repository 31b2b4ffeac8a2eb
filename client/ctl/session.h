// A client on a loop of its own, for the one call of a command.
#pragma once

#include <memory>

#include "client/client.h"
#include "client/ctl/arguments.h"
#include "client/leases.h"
#include "net/loop.h"

namespace client::ctl {

/// Every call blocks until its end, at its deadline at the latest.
class Session {
 public:
  /// Errors: as Client::make.
  static base::Result<std::unique_ptr<Session>> open(const Global& global);

  Outcome write(kv::Transaction transaction);
  Outcome read(kv::Transaction transaction, Consistency consistency,
               std::uint32_t max_staleness_ms = 0);
  Outcome resolve(base::SessionId session, std::uint64_t sequence);
  Outcome members(MemberChange change);
  Outcome move_leader(std::string to);
  base::Result<std::vector<LeaseTime>> lease_times(std::vector<base::LeaseId> leases, bool renew);
  void sleep_ms(std::uint32_t ms);
  net::Loop& loop() { return loop_; }

 private:
  Outcome wait(kj::Promise<Outcome> promise);

  net::Loop loop_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<LeaseCaller> leases_;  // once it is needed
  Options options_;
  std::uint32_t timeout_ms_ = 0;
};

}  // namespace client::ctl
