// The time of leases (DESIGN section 5.9): the leader counts it, on the boot-time clock, and
// proposes the end of those that nobody renews. No clock of its own: the owner says what time it
// is. Loop thread.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "kv/types.h"

namespace server {

/// How long a lease has left.
struct LeaseTime {
  base::LeaseId lease;
  std::uint64_t ttl_ms = 0;   // as granted; 0: there is no such lease
  std::uint64_t left_ms = 0;  // once it was renewed, if it was
  bool operator==(const LeaseTime&) const = default;
};

/// Invariants:
/// - it knows just the leases of the state as it was last reported;
/// - who leads anew gives each its whole time again (CHECKed by construction: lead() resets all);
/// - from when the end of a lease is proposed until its outcome is known, or until kProposeAgainMs
///   have passed and it is proposed again, nobody is told that it lives (rule 7).
class Lessor {
 public:
  static constexpr std::size_t kEndsAtOnce = 128;
  static constexpr std::uint64_t kProposeAgainMs = 500;

  /// In the order in which they were applied.
  void change(const std::vector<kv::LeaseChange>& changes, std::uint64_t now_ms);
  /// From now on this member leads, with its first entry applied; follow(): it does not.
  void lead(std::uint64_t now_ms);
  void follow() { leads_ = false; }
  bool leads() const { return leads_; }

  /// nullopt: its end is under way, ask again. Requires: leads().
  std::optional<LeaseTime> ask(base::LeaseId lease, bool renew, std::uint64_t now_ms);
  /// Renews what was granted `of_session`. Requires: leads().
  void renew(base::SessionId session, std::uint64_t now_ms);
  /// Leases whose end has to be proposed now, at most kEndsAtOnce. Requires: leads().
  std::vector<base::LeaseId> due(std::uint64_t now_ms);

  std::size_t size() const { return leases_.size(); }
  std::uint64_t expired() const { return expired_; }

 private:
  struct Lease {
    std::uint64_t ttl_ms = 0;
    base::SessionId session;
    std::uint64_t ends_ms = 0;
    bool ending = false;  // its end was proposed; ends_ms: when it is proposed again
  };
  void set_end(base::LeaseId id, Lease& lease, std::uint64_t ends_ms);
  void remove(base::LeaseId id);

  bool leads_ = false;
  std::unordered_map<std::uint64_t, Lease> leases_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> ends_;  // when, which
  std::set<std::pair<std::uint64_t, std::uint64_t>> of_sessions_;
  std::uint64_t expired_ = 0;  // ends that were proposed and came
};

}  // namespace server
