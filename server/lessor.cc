#include "server/lessor.h"

#include "base/check.h"

namespace server {

using base::LeaseId;

void Lessor::set_end(LeaseId id, Lease& lease, std::uint64_t ends_ms) {
  ends_.erase({lease.ends_ms, id.value});
  lease.ends_ms = ends_ms;
  ends_.insert({ends_ms, id.value});
}

void Lessor::remove(LeaseId id) {
  const auto at = leases_.find(id.value);
  CHECK(at != leases_.end(), "a lease ends once");
  if (at->second.ending) ++expired_;
  ends_.erase({at->second.ends_ms, id.value});
  of_sessions_.erase({at->second.session.value, id.value});
  leases_.erase(at);
}

void Lessor::change(const std::vector<kv::LeaseChange>& changes, std::uint64_t now_ms) {
  for (const kv::LeaseChange& change : changes) {
    switch (change.kind) {
      case kv::LeaseChange::Kind::kReset:
        leases_.clear();
        ends_.clear();
        of_sessions_.clear();
        break;
      case kv::LeaseChange::Kind::kGranted: {
        const auto [at, added] =
            leases_.try_emplace(change.lease.value, Lease{change.ttl_ms, change.session, 0, false});
        CHECK(added, "a lease is granted once");
        set_end(change.lease, at->second, now_ms + change.ttl_ms);
        if (change.session) of_sessions_.insert({change.session.value, change.lease.value});
        break;
      }
      case kv::LeaseChange::Kind::kEnded:
        remove(change.lease);
        break;
    }
  }
}

void Lessor::lead(std::uint64_t now_ms) {
  leads_ = true;
  for (auto& [id, lease] : leases_) {
    lease.ending = false;
    set_end(LeaseId(id), lease, now_ms + lease.ttl_ms);
  }
}

std::optional<LeaseTime> Lessor::ask(LeaseId id, bool renew, std::uint64_t now_ms) {
  CHECK(leads_, "only who leads counts the time of leases");
  const auto at = leases_.find(id.value);
  if (at == leases_.end()) return LeaseTime{id, 0, 0};
  Lease& lease = at->second;
  if (lease.ending) return std::nullopt;
  if (renew) set_end(id, lease, now_ms + lease.ttl_ms);
  return LeaseTime{id, lease.ttl_ms, lease.ends_ms > now_ms ? lease.ends_ms - now_ms : 0};
}

void Lessor::renew(base::SessionId session, std::uint64_t now_ms) {
  CHECK(leads_, "only who leads counts the time of leases");
  for (auto at = of_sessions_.lower_bound({session.value, 0});
       at != of_sessions_.end() && at->first == session.value; ++at) {
    Lease& lease = leases_.at(at->second);
    if (!lease.ending) set_end(LeaseId(at->second), lease, now_ms + lease.ttl_ms);
  }
}

std::vector<LeaseId> Lessor::due(std::uint64_t now_ms) {
  CHECK(leads_, "only who leads counts the time of leases");
  std::vector<LeaseId> ended;
  for (const auto& [ends_ms, id] : ends_) {
    if (ends_ms > now_ms || ended.size() == kEndsAtOnce) break;
    ended.emplace_back(id);
  }
  for (const LeaseId id : ended) {
    Lease& lease = leases_.at(id.value);
    lease.ending = true;
    set_end(id, lease, now_ms + kProposeAgainMs);
  }
  return ended;
}

}  // namespace server
