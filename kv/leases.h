// Leases and the keys attached to them, as rows of kLeases (DESIGN section 5.9). Time is not known
// here: who counts it is server/lessor.h. Pure; the apply thread owns it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "kv/overlay.h"
#include "kv/reading.h"
#include "kv/types.h"

namespace kv {

/// Leases that one LeasesResult holds at most.
inline constexpr std::uint64_t kListedLeases = 1000;

// Errors of all of them, beside what they name: kIo, kCorrupt, kNewerFormat (not deterministic).

/// Without its keys.
base::Result<std::optional<Lease>> find_lease(LeaseId lease, RowReader& rows);
/// The keys attached to `lease`, in order, until `visit` returns false.
base::Status scan_attached(LeaseId lease, RowReader& rows,
                           const std::function<bool(std::string_view key)>& visit);
/// All leases without their keys, by id, from `from` on, until `visit` returns false.
base::Status scan_leases(LeaseId from, RowReader& rows,
                         const std::function<bool(const Lease& lease)>& visit);
/// Requires: `operation` of a transaction that validate() accepts.
base::Result<LeasesResult> list_leases(const LeasesOperation& operation, ReplyRoom& room,
                                       RowReader& rows);

void put_lease(const Lease& lease, Overlay& overlay);
/// Requires: no key is attached any more.
void remove_lease(LeaseId lease, Overlay& overlay);
/// Requires: `key` is attached to no lease. Errors: kLeaseNotFound, kTooLarge (deterministic).
base::Status attach(LeaseId lease, const std::string& key, const Limits& limits, Overlay& overlay);
/// Requires: `key` is attached to `lease` (kCorrupt otherwise: the rows disagree).
base::Status detach(LeaseId lease, const std::string& key, Overlay& overlay);

}  // namespace kv
