#include "kv/leases.h"

#include <algorithm>
#include <utility>

#include "kv/row.h"

namespace kv {

using base::Code;
using base::Result;
using base::Status;

Result<std::optional<Lease>> find_lease(LeaseId lease, RowReader& rows) {
  auto row = rows.get(Space::kLeases, lease_key(lease));
  if (!row.is_ok()) return row.status();
  if (!row.value()) return std::optional<Lease>();
  Result<Lease> found = decode_lease(lease, *row.value());
  if (!found.is_ok()) return found.status();
  return std::optional<Lease>(std::move(found).value());
}

Status scan_attached(LeaseId lease, RowReader& rows,
                     const std::function<bool(std::string_view key)>& visit) {
  Status decoded;
  const std::string begin = lease_key(lease) + '\0';
  const std::string end = lease.value == UINT64_MAX ? "" : lease_key(LeaseId(lease.value + 1));
  const Status scanned =
      rows.scan(Space::kLeases, begin, end, [&](std::string_view row_key, std::string_view) {
        const Result<LeaseRowKey> key = decode_lease_key(row_key);
        decoded = key.status();
        return key.is_ok() && visit(key->key);
      });
  return scanned.is_ok() ? decoded : scanned;
}

/// One look for each lease, since keys stand between them.
Status scan_leases(LeaseId from, RowReader& rows,
                   const std::function<bool(const Lease& lease)>& visit) {
  for (std::optional<LeaseId> next = from; next;) {
    const std::string begin = lease_key(*next);
    next.reset();
    Status decoded;
    bool go_on = false;
    const Status scanned =
        rows.scan(Space::kLeases, begin, "", [&](std::string_view row_key, std::string_view row) {
          const Result<LeaseRowKey> key = decode_lease_key(row_key);
          const Result<Lease> lease =
              key.is_ok() ? decode_lease(key->lease, row) : Result<Lease>(key.status());
          decoded = lease.status();
          if (!lease.is_ok()) return false;
          go_on = visit(lease.value());
          if (lease->id.value != UINT64_MAX) next = LeaseId(lease->id.value + 1);
          return false;
        });
    if (!scanned.is_ok()) return scanned;
    if (!decoded.is_ok()) return decoded;
    if (!go_on) next.reset();
  }
  return Status::ok();
}

Result<LeasesResult> list_leases(const LeasesOperation& operation, ReplyRoom& room,
                                 RowReader& rows) {
  LeasesResult result;
  if (operation.after.value == UINT64_MAX) return result;
  const bool one = operation.lease.value != 0;
  const LeaseId from = one ? operation.lease : LeaseId(operation.after.value + 1);
  const std::uint64_t limit =
      operation.limit == 0 ? kListedLeases : std::min(operation.limit, kListedLeases);
  Status listed;
  const Status scanned = scan_leases(from, rows, [&](const Lease& lease) {
    if (one && lease.id != operation.lease) return false;
    if (result.leases.size() == limit || !room.take_bytes(kItemBytes)) {
      result.more = true;
      return false;
    }
    result.leases.push_back(lease);
    if (operation.keys) {
      listed = scan_attached(lease.id, rows, [&](std::string_view key) {
        result.more = !room.take_bytes(key.size() + kItemBytes);
        if (!result.more) result.leases.back().keys.emplace_back(key);
        return !result.more;
      });
    }
    return listed.is_ok() && !one && !result.more;
  });
  if (!scanned.is_ok()) return scanned;
  if (!listed.is_ok()) return listed;
  return result;
}

void put_lease(const Lease& lease, Overlay& overlay) {
  overlay.put(Space::kLeases, lease_key(lease.id), encode_lease(lease));
}

void remove_lease(LeaseId lease, Overlay& overlay) {
  overlay.remove(Space::kLeases, lease_key(lease));
}

Status attach(LeaseId lease, const std::string& key, const Limits& limits, Overlay& overlay) {
  Result<std::optional<Lease>> found = find_lease(lease, overlay);
  if (!found.is_ok()) return found.status();
  if (!found.value()) return Status(Code::kLeaseNotFound, "lease " + base::to_hex(lease.value));
  Lease& row = *found.value();
  if (row.attached >= limits.lease_keys)
    return Status(Code::kTooLarge, "lease " + base::to_hex(lease.value) + " has " +
                                       std::to_string(row.attached) + " keys already");
  ++row.attached;
  put_lease(row, overlay);
  overlay.put(Space::kLeases, attachment_key(lease, key), encode_attachment());
  return Status::ok();
}

Status detach(LeaseId lease, const std::string& key, Overlay& overlay) {
  Result<std::optional<Lease>> found = find_lease(lease, overlay);
  if (!found.is_ok()) return found.status();
  if (!found.value() || found.value()->attached == 0)
    return Status(Code::kCorrupt, "a key is attached to a lease that does not have it");
  --found.value()->attached;
  put_lease(*found.value(), overlay);
  overlay.remove(Space::kLeases, attachment_key(lease, key));
  return Status::ok();
}

}  // namespace kv
