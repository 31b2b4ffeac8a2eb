// Compare, then, else: the only way to write (DESIGN section 5.7). Runs one transaction against an
// overlay; its changes stay there until the state machine commits them. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "base/status.h"
#include "kv/overlay.h"
#include "kv/reading.h"
#include "kv/types.h"

namespace kv {

/// What a transaction starts from.
struct Stamp {
  Past past{};               // the store's before it; past.time: of the entry
  Retention retention{};     // in force
  Index index{};             // of the entry
  SessionId session{};       // who writes
  std::uint64_t leases = 0;  // that there are
};

/// What running a transaction gave.
struct Executed {
  /// Not ok: a deterministic refusal (kTooLarge, kInvalidArgument, kCompacted, kFutureRevision,
  /// kLeaseNotFound, kLeaseExists, kOverloaded, kFenced); then nothing was written and result is
  /// empty but for the revision.
  base::Status refusal;
  TransactionResult result{};
  std::uint32_t written = 0;  // events; result.revision is stamp.revision + 1 exactly if not 0
  std::uint64_t effects = 0;  // a hash over what it did, in its order; 0 if that was nothing
  Past past{};                // the store's after it
  Retention retention{};
  std::vector<LeaseChange> lease_changes{};
  std::uint64_t deleted = 0;  // keys
};

/// kFenced, naming the lock, unless every lock is held with its token. Errors: kIo, kCorrupt,
/// kNewerFormat.
base::Status check_fences(const std::vector<Fence>& fences, Overlay& overlay);
/// Whether every one holds. Errors: kIo, kCorrupt, kNewerFormat.
base::Result<bool> all_hold(const std::vector<Compare>& compares, Overlay& overlay);

/// Runs `transaction`. Each put, and each key that a delete finds, writes its latest row and one
/// history row with the next sub-index; a delete of nothing writes nothing.
/// Requires: validate(transaction, limits) is ok. Errors (not deterministic): kIo, kCorrupt,
/// kNewerFormat; what is pending in `overlay` is then of no use.
base::Result<Executed> execute(const Transaction& transaction, const Stamp& stamp,
                               const Limits& limits, Overlay& overlay);

}  // namespace kv
