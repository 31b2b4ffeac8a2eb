// Leases of a client: how long they have left, and keeping them (DESIGN section 5.9). Over a
// connection of its own, so that calls in any number do not hold a renewal up. Loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <kj/async.h>

#include "base/ids.h"
#include "base/status.h"
#include "client/options.h"
#include "client/roamer.h"
#include "net/loop.h"

namespace client {

struct LeaseTime {
  base::LeaseId lease;
  std::uint64_t ttl_ms = 0;   // as granted; 0: there is no such lease
  std::uint64_t left_ms = 0;  // when the leader answered
};

/// Asks whoever leads, as often as it takes.
class LeaseCaller {
 public:
  static constexpr std::size_t kMaxLeases = 1000;  // a question

  LeaseCaller(net::Loop& loop, const Options& options) : loop_(loop), roamer_(loop, options) {}
  /// In the order of `leases`. Errors: kTooLarge; kTimeoutBeforeSend, naming what the last attempt
  /// met: they may have been renewed.
  kj::Promise<base::Result<std::vector<LeaseTime>>> ask(std::vector<base::LeaseId> leases,
                                                        bool renew, std::uint32_t timeout_ms);

 private:
  using Answer = base::Result<std::vector<LeaseTime>>;
  struct Question;
  kj::Promise<Answer> attempt(std::shared_ptr<Question> question);
  kj::Promise<Answer> again(std::shared_ptr<Question> question, base::Status why);
  kj::Promise<Answer> send(std::shared_ptr<Question> question, LinePtr line);

  net::Loop& loop_;
  Roamer roamer_;
};

/// Renews leases until they are released or lost.
/// Invariants:
/// - a lease counts as held until `ttl - ttl / 10` after the last question that renewed it was
///   asked, on this machine's own clock: earlier than the members let it end;
/// - each is reported lost at most once, and is not renewed any more then.
class LeaseKeeper final : private kj::TaskSet::ErrorHandler {
 public:
  /// kLeaseNotFound: the members ended it; kStalled: `healthy` said no for too long; any other: it
  /// could not be renewed in time.
  using Lost = std::function<void(base::LeaseId lease, const base::Status& why)>;
  /// Asked before each renewal: a lease is not renewed while it says no, so that an application
  /// that is stuck loses its lock although this loop lives.
  using Healthy = std::function<bool()>;

  LeaseKeeper(net::Loop& loop, const Options& options, Lost lost);
  ~LeaseKeeper();

  /// `asked_ms`: boot_clock_ms() when its grant was asked for.
  void keep(base::LeaseId lease, std::uint64_t ttl_ms, std::uint64_t asked_ms,
            Healthy healthy = nullptr);
  /// No more renewals and no report. The lease itself is left to end, or for the caller to revoke.
  void release(base::LeaseId lease) { leases_.erase(lease); }
  /// Whether it is surely not ended by the members yet, now.
  bool holds(base::LeaseId lease) const;
  std::size_t size() const { return leases_.size(); }
  std::uint64_t renewals() const { return renewals_; }

 private:
  static constexpr std::uint32_t kTickMs = 20;
  struct Kept {
    std::uint64_t ttl_ms = 0;
    std::uint64_t renewed_ms = 0;  // when the question was asked
    std::uint64_t asked_ms = 0;    // of the question under way; 0: none is
    Healthy healthy;
    bool unhealthy = false;
    base::Status trouble;  // of the last question that failed
    std::uint64_t held_until_ms() const { return renewed_ms + ttl_ms - ttl_ms / 10; }
  };
  void tick();
  void renew(std::vector<base::LeaseId> leases, std::uint64_t now_ms);
  void renewed(const std::vector<base::LeaseId>& leases, std::uint64_t asked_ms,
               const base::Result<std::vector<LeaseTime>>& answer);
  void lose(base::LeaseId lease, const base::Status& why);
  void taskFailed(kj::Exception&&) override {}

  net::Loop& loop_;
  LeaseCaller caller_;
  const Lost lost_;
  std::map<base::LeaseId, Kept> leases_;
  std::uint64_t renewals_ = 0;
  bool ticking_ = false;
  kj::TaskSet tasks_;
};

}  // namespace client
