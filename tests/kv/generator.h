// Random commands and reads that meet each other: few keys, few sessions, few leases.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "kv/state_machine.h"
#include "kv/types.h"

namespace kv {

using base::Random;

/// Bounds that random commands meet.
inline Limits small_limits() {
  Limits limits;
  limits.range_bytes = 700;
  limits.deleted_keys = 6;
  limits.value_bytes = 300;
  limits.sessions = 5;
  limits.session_window = 8;
  limits.leases = 6;
  limits.lease_keys = 3;
  limits.lease_ttl_min_ms = 10;
  return limits;
}

/// Makes commands that meet each other: few keys, few sessions, sequences sent again and out of
/// order.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  AppliedEntry entry(Index index) {
    AppliedEntry entry;
    entry.index = index;
    term_ += random_.chance(50) ? 1 : 0;
    entry.term = Term(term_);
    time_ += random_.below(3);  // equal times happen
    if (random_.chance(10)) time_ += random_.below(400) << 16;
    index_ = index.value;
    entry.time = HybridTime(time_);
    entry.hash = base::ChainHash{random_.next()};
    if (random_.chance(30)) return configuration(entry);
    entry.command = command(index);
    return entry;
  }
  std::uint64_t newest = 0;  // revision, if somebody knows it
  // As somebody knows them.
  const std::map<std::uint64_t, Lease>* known_leases = nullptr;
  const std::map<std::string, KeyValue>* known_items = nullptr;
  Transaction transaction(bool may_write = true) {
    Transaction made;
    for (auto n = random_.below(3); n > 0; --n) made.compares.push_back(compare());
    for (auto n = random_.below(5); n > 0; --n) made.then.push_back(operation(may_write));
    for (auto n = random_.below(3); n > 0; --n) made.otherwise.push_back(operation(may_write));
    if (random_.chance(8)) made.fences.push_back({key(), Revision(token())});
    return made;
  }

 private:
  AppliedEntry configuration(AppliedEntry entry) {
    if (random_.chance(2)) entry.configuration = "configuration " + std::to_string(time_);
    return entry;
  }
  Command command(Index index) {
    if (sessions_.empty() || random_.chance(60)) {
      sessions_.push_back({SessionId(index.value), 1});
      return OpenSession{};
    }
    Open& open =
        sessions_[sessions_.size() - 1 - random_.below(std::min<std::size_t>(7, sessions_.size()))];
    if (random_.chance(100)) return CloseSession{open.session};
    if (random_.chance(50)) return Tick{};
    if (random_.chance(200)) return Scrub{};
    if (random_.chance(30)) {
      Expire expire{Term(term_ - (random_.chance(5) ? 1 : 0)), {}};
      for (auto n = random_.below(3); n > 0; --n) expire.leases.push_back(lease());
      return expire;
    }
    Write write{open.session, open.next, 0, transaction()};
    const std::uint64_t oldest = open.next > 6 ? open.next - 6 : 1;
    switch (random_.below(6)) {
      case 0:  // sent again, or sent late
        write.sequence = random_.between(oldest, open.next);
        break;
      case 1:  // skips some
        write.sequence = open.next + random_.below(10);
        break;
      case 2:
        write.sequence = random_.below(3) * open.next;
        break;
      default:
        break;
    }
    if (random_.chance(12)) {
      write.seal = true;
      write.transaction = {};
    }
    open.next = std::max(open.next, std::min(write.sequence, open.next + 3) + 1);
    if (random_.chance(3))
      write.acknowledged_below = random_.between(0, write.sequence + 1);
    else
      write.acknowledged_below = std::min(write.sequence, oldest);
    return write;
  }
  std::string key() {
    static const char* const kKeys[] = {"a", "ab", "b", "b\x01", "c", "d", "e", "f", "\xff", "g"};
    return random_.chance(200) ? "" : kKeys[random_.below(10)];
  }
  std::string value() { return std::string(random_.below(40) * random_.below(9), 'v') + tag(); }
  std::string tag() { return std::to_string(random_.below(3)); }
  KeyRange range() {
    switch (random_.below(4)) {
      case 0:
        return {key(), std::string(1, '\0')};
      case 1:
        return {key(), key()};
      default:
        return {key(), ""};
    }
  }
  Compare compare() {
    Compare made{key(), static_cast<CompareTarget>(random_.below(7)),
                 static_cast<CompareResult>(random_.below(4)), random_.below(5), value()};
    if (made.target == CompareTarget::kExistence) made.number = random_.below(2);
    if (made.target == CompareTarget::kLockToken && random_.chance(2)) made.number = token();
    if (made.target == CompareTarget::kLease && random_.chance(2)) made.number = lease().value;
    return made;
  }
  /// One that the model has, mostly; or none.
  LeaseId lease() {
    if (known_leases != nullptr && !known_leases->empty() && !random_.chance(10))
      return std::next(known_leases->begin(), random_.below(known_leases->size()))->second.id;
    return LeaseId(random_.below(4) + 1);
  }
  std::uint64_t token() {
    if (known_items != nullptr)
      for (const auto& [key, item] : *known_items)
        if (item.lease && random_.chance(2)) return item.create_revision.value;
    return random_.below(3);
  }
  Operation operation(bool may_write) {
    if (!may_write && random_.chance(5))
      return LeasesOperation{random_.chance(2) ? lease() : LeaseId(),
                             random_.chance(3) ? lease() : LeaseId(), random_.below(4),
                             random_.chance(2)};
    if (may_write && random_.chance(12)) return lease_operation();
    if (!may_write && random_.chance(4))
      return HistoryOperation{key(), random_.chance(3) ? revision() : Revision(), random_.below(4)};
    if (may_write && random_.chance(40)) return compaction();
    const auto kind = may_write ? random_.below(5) : 4;
    if (kind < 3)
      return PutOperation{key(), value(), random_.chance(3),
                          random_.chance(4) ? lease() : LeaseId()};
    if (kind == 3) return DeleteOperation{range(), random_.chance(3)};
    RangeOperation read{range(), random_.below(4), random_.chance(4), random_.chance(6)};
    if (random_.chance(may_write ? 12 : 3)) read.revision = revision();
    if (random_.chance(may_write ? 20 : 6))
      read.time = HybridTime(time_ - random_.below(900 << 16));
    return read;
  }
  Operation lease_operation() {
    if (random_.chance(20)) return LeasesOperation{};
    if (random_.chance(4)) return RevokeOperation{random_.chance(30) ? LeaseId() : lease()};
    const LeaseId id = random_.chance(3) ? LeaseId(random_.below(4) + 1) : LeaseId();
    return GrantOperation{id, 10 * random_.below(9), random_.chance(2)};
  }
  /// Kept or not, mostly.
  Revision revision() {
    const std::uint64_t about = newest > 0 ? newest : index_ / 10;
    return Revision(about - std::min(about, random_.below(60)) + (random_.chance(2) ? 9 : 1));
  }
  Operation compaction() {
    switch (random_.below(8)) {
      case 0:
        return RetainOperation{{random_.below(3) * 20, 0}};
      case 1:
        return RetainOperation{{0, random_.below(3) * 900}};
      case 2:
        return HistoryOperation{key()};
      default:
        return CompactOperation{revision()};
    }
  }

  struct Open {
    SessionId session;
    std::uint64_t next;
  };
  Random random_;
  std::uint64_t term_ = 1;
  std::uint64_t time_ = 1 << 30;
  std::uint64_t index_ = 0;
  std::vector<Open> sessions_;
};

}  // namespace kv
