// The log durability guard (DESIGN section 5.3; reference: wal.md section 4): whether an opening
// found all that was synced. Shared by both logs. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "raft/entry.h"
#include "storage/log_rows.h"
#include "storage/log_store.h"

namespace storage {

/// One state of the watermark: what is durable in the log, and the hard state a second time.
struct Slot {
  std::uint64_t sequence = 0;  // the higher one is newer
  Claim claim;
  raft::HardState hard_state;
  bool operator==(const Slot&) const = default;
};

/// The rows of a log, to be read at its opening.
struct LogRows {
  std::function<base::Result<std::optional<std::string>>(std::string_view key)> get;
  /// In key order from `begin` until `visit` returns false; not ok if it ended early.
  std::function<base::Status(std::string_view begin,
                             const std::function<bool(std::string_view, std::string_view)>& visit)>
      scan;
};

/// What is whole in a log: everything before the first row that is missing, altered or unreadable.
struct WholeLog {
  raft::HardState hard_state;
  Marker marker;                       // the entry before the first
  std::vector<raft::EntryMeta> metas;  // marker.index + 1 ..
  Claim recovered;                     // the highest ordinal, and how the whole log ends
  std::optional<std::string> damage;   // why it ends there, if it should not
};

/// Reads the rows and checks every checksum, the chain of hashes, and that no index is missing.
WholeLog read_whole_log(const LogRows& rows);

/// What speaks for or against an opening.
struct Evidence {
  std::optional<Slot> slot;    // of the watermark; nullopt: neither slot is readable
  std::optional<Claim> claim;  // the highest that the log's own files make
  bool log_opened = true;      // false: nothing of the log could be read
  std::string log_error;       // why not
};

/// Why synced data must have been lost, in plain words; nullopt if nothing says so. Requires: the
/// directory was initialised, so that a watermark and a log were made in it.
std::optional<std::string> find_loss(const WholeLog& log, const Evidence& evidence);

/// What an opening reports of a log.
LogContents contents_of(const WholeLog& log, const raft::HardState& hard_state,
                        const std::optional<std::string>& quarantine);
/// The same after LogStore::restart_after.
void restart(LogContents& contents, base::Ordinal ordinal, const Marker& marker);

/// The higher term of the two; at equal terms the vote of whichever has one (DESIGN section 5.3).
raft::HardState merge(const raft::HardState& slot, const raft::HardState& log);

}  // namespace storage
