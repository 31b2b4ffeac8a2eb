// Clients that take one lock in turn, keep its lease alive, and write under its fence; some stop to
// renew and go on writing. Simulator thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "kv/types.h"
#include "server/replica.h"
#include "tests/sim/workload.h"

namespace sim {

class Holder;

/// Invariants, each a violation when broken:
/// - by their own clocks no two hold the lock at once;
/// - no lease ends by time while its holder, by its own clock, may still count on it;
/// - what was written under a fence was written while the lock had just that token (the ledger's
///   model says so of each acknowledged reply).
class Holders {
 public:
  Holders(Workload& workload, std::size_t count);
  ~Holders();
  void begin();
  /// A member was the first to commit the end of this lease.
  void lease_ended(base::LeaseId lease);

 private:
  friend class Holder;
  void holds(const Holder& one);

  Workload& workload_;
  std::vector<std::unique_ptr<Holder>> holders_;
};

/// Invariant: all tries of one write have the same session and sequence number.
class Holder {
 public:
  Holder(Workload& workload, Holders& all, std::size_t number);

  void begin();
  /// Whether it may count on its lock now.
  bool believes() const;
  base::LeaseId lease() const { return lease_; }

 private:
  using Done = std::function<void(const server::RequestOutcome& outcome)>;
  using Send = std::function<void(Node& node, const Node::Answer& answer)>;

  void call(Send send, Done done);
  void attempt();
  void on_answer(std::uint64_t attempt, const server::RequestOutcome& outcome);
  void write(kv::Transaction transaction, std::function<void(const kv::Reply& reply)> done);
  void grant();
  void acquire();
  void go_on();
  void renew();
  void write_fenced();
  void start_over();

  Workload& workload_;
  Holders& all_;
  const std::size_t number_;
  base::Random random_;
  std::size_t target_ = 0;
  base::SessionId session_;
  std::uint64_t sequence_ = 0;
  base::LeaseId lease_;
  std::uint64_t ttl_ms_ = 0;
  Time renewed_at_ = 0;  // when the question was asked that renewed it
  base::Revision token_;
  bool frozen_ = false;  // renews no more
  Send send_;
  Done done_;
  std::uint64_t attempt_ = 0;
};

}  // namespace sim
