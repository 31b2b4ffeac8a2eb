// The port to the durable Raft log: RocksDB (rocks_log.h) and a memory twin (memory_log.h), both
// held to tests/conformance. Calls block; which thread may make which is said at each.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "kv/state_machine.h"
#include "raft/core.h"

namespace storage {

/// Who a data directory belongs to; written once, at its creation (DESIGN section 5.2).
struct Identity {
  base::ClusterId cluster;
  base::MemberId member;
  base::Incarnation incarnation;
  bool operator==(const Identity&) const = default;
};

/// What opening the log found, before it is brought together with the state (reconcile.h).
struct LogContents {
  raft::HardState hard_state;
  base::Ordinal ordinal;  // recovered: the highest that is whole in the log
  base::Index first = base::Index(1);
  base::Term previous_term;  // of the entry before `first`
  base::ChainHash previous_hash;
  std::vector<raft::EntryMeta> metas;  // first .. last
  /// Set if synced data is missing or altered, or a quarantine was written down before; the reason.
  std::optional<std::string> quarantine;
};

/// Invariants:
/// - append() returns only once everything in it is durable;
/// - what was durable is found at the next opening, or the opening says so (quarantine);
/// - ordinals never fall, whatever is truncated.
class LogStore {
 public:
  virtual ~LogStore() = default;

  virtual const LogContents& contents() const = 0;
  virtual base::Opening opening() const = 0;
  virtual Identity identity() const = 0;

  /// Log thread. Writes the requests as one batch and syncs once; a request that restarts the log
  /// empties it first, one that ends the quarantine removes its mark last. The owner sees to it
  /// that no cut() is under way when a restart is asked for. Any error is final: nothing is
  /// retried, the process must end. A request whose term is below the highest durable one, or a
  /// directory opened by someone else meanwhile, is such an error (the fence).
  virtual base::Status append(std::span<const raft::PersistRequest> requests) = 0;
  /// Disk thread. Entries from..to (inclusive), at least one, then up to limit_bytes.
  /// Errors: kIo, kCorrupt, kInvalidArgument (cut away).
  virtual base::Result<std::vector<raft::EntryPtr>> load(base::Index from, base::Index to,
                                                         std::size_t limit_bytes) = 0;
  /// Disk thread. Removes the entries up to and including `through`; the new first index is durable
  /// before anything is removed. Requires: through < last.
  virtual base::Status cut(base::Index through, base::Term term, base::ChainHash hash) = 0;
  /// Disk thread, each 100 ms: syncs the watermark.
  virtual base::Status sync_watermark() = 0;
  /// Disk thread, or before anything else runs. Written and synced before it returns; for good.
  virtual base::Status quarantine(const std::string& reason) = 0;
  /// Before anything else runs: the log restarts empty right after this entry, synced (rule 3).
  virtual base::Status restart_after(base::Index index, base::Term term, base::ChainHash hash) = 0;
  /// Syncs of the log so far. Any thread.
  virtual std::uint64_t syncs() const = 0;
  /// Bytes of entries between first and last. Any thread.
  virtual std::uint64_t size_bytes() const = 0;
};

}  // namespace storage
