// What a run of persist requests comes to as one batch of rows: shared by both logs. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "raft/core.h"
#include "storage/log_rows.h"
#include "storage/log_tail.h"

namespace storage {

/// One change of a batch, in order; later ones win.
struct RowChange {
  std::string key;
  std::optional<std::string> value;  // nullopt: removes [key, end)
  std::string end;
};

/// The net effect of requests, taken in order.
struct AppendPlan {
  std::optional<raft::HardState> hard_state;
  bool end_quarantine = false;
  std::optional<Marker> restart;  // everything goes first, and the log begins after this
  std::optional<base::Index> truncate_from;
  std::vector<raft::EntryPtr> entries;
  Claim after;  // what holds once the batch is durable

  /// The batch. `last`: of the log before it.
  std::vector<RowChange> changes(base::Index last) const;
  /// Removes from the tail what the batch overwrites: before it is written, so that nobody reads
  /// that any more. May be repeated.
  void make_room(LogTail& tail) const;
  /// Brings the tail to what holds after it.
  void apply(LogTail& tail) const;
};

/// Requires (CHECKed): ordinals grow beyond durable.ordinal, entries are contiguous with the log
/// and each other, nothing before the log's first entry is truncated. Errors: kInternal: a
/// request's term is below fence_term, the highest made durable before it.
base::Result<AppendPlan> plan_append(std::span<const raft::PersistRequest> requests,
                                     const LogTail& tail, base::Ordinal written,
                                     base::Term fence_term);

// What both logs answer alike.
base::Status opened_elsewhere(std::uint64_t own_epoch, std::uint64_t epoch);
base::Status not_in_log(base::Index from, base::Index to, const LogTail& tail);

}  // namespace storage
