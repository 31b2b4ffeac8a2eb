// The glue: connects the pure core to its ports. Owns no thread and reads no clock, so the
// simulator runs this very class.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "health/agreed_time.h"
#include "kv/state_machine.h"
#include "raft/core.h"
#include "server/lessor.h"
#include "server/membership.h"
#include "server/ports.h"

namespace server {

struct ReplicaOptions {
  base::ClusterId cluster;
  std::uint32_t tick_ms = 10;
  /// Above it the log is cut where every member has it; above four times as much it is cut to this,
  /// and whoever lacks the rest gets a snapshot.
  std::uint64_t log_bytes = 64 << 20;
  /// After that time without one the leader proposes a kv::Scrub; 0: never.
  std::uint64_t scrub_every_ms = 0;
  std::size_t pending_requests = 4096;  // above it: kOverloaded
  std::size_t pending_bytes = 16 << 20;
};

struct ReplicaPorts {
  LogPort* log = nullptr;
  ApplyPort* apply = nullptr;
  SnapshotPort* snapshots = nullptr;
  Transport* transport = nullptr;
  ClientPort* clients = nullptr;
  TraceSink* trace = nullptr;
};

/// How long leases have left, once renewed if that is asked for.
struct LeaseQuestion {
  std::vector<base::LeaseId> leases;
  bool renew = false;
};

/// What status, readiness and metrics show of a replica. A copy.
struct ReplicaStatus {
  raft::CoreStatus core;
  kv::Position position;  // as of the last applied entry that was reported
  std::size_t pending_requests = 0;
  std::uint64_t log_bytes = 0;
  bool draining = false;
  std::string full_reason;  // why writes that store something are refused; empty: they are not
  // Since the process started.
  std::uint64_t applied_entries = 0;
  std::uint64_t proposals = 0;         // handed to the core
  std::uint64_t failed_proposals = 0;  // of those, finished with a failure
  std::uint64_t failed_reads = 0;
  std::uint64_t leases = 0;
  std::uint64_t expired_leases = 0;  // whose end this member proposed
};

/// Loop thread for everything. Requests are queued and meet the core in pump(), so that all
/// requests of one turn of the owner's loop are one proposal batch and one read round: the owner
/// calls pump() at the end of each turn in which it called write() or read(). Invariants:
/// - every request that was taken in gets exactly one finish(), except after the process ends;
/// - a read is given to apply only after everything up to its barrier's index was;
/// - a write is answered ok only by the apply of its own (term, index).
class Replica {
 public:
  Replica(ReplicaOptions options, raft::Options core_options, raft::Recovered recovered,
          kv::Position position, ReplicaPorts ports);
  ~Replica();

  /// Moves time on: steady_ms on the boot-time clock, wall_ms since 1970. Called at least each
  /// tick. `agreed`: what the members' clocks say of wall_ms, as of now; none: it is taken as it
  /// is. Stamps are made from what they agree on, or else are the last plus one (DESIGN section 6,
  /// rule 8).
  void advance(std::uint64_t steady_ms, std::uint64_t wall_ms,
               std::optional<health::ClockVerdict> agreed = std::nullopt);

  // Messages and links, from the transport.
  void receive(raft::Message message);
  void link_up(base::MemberId peer);
  void link_down(base::MemberId peer);

  // Requests, from the door; `request` is unique within this opening. Refused ones finish at once.
  /// `payload` is storage::encode of a command that passed validate().
  /// `frees`: it stores nothing, and is admitted although room is kept.
  /// `session`: whose write it is; what leases it renews once it is applied.
  /// `seen`: of all three: a history that does not go on from there is refused with kOtherHistory.
  void write(std::uint64_t request, std::string payload, bool frees = false,
             base::SessionId session = {}, const Seen& seen = {});
  /// Linearizable. Requires: kv::writes(transaction) is false.
  void read(std::uint64_t request, kv::Transaction transaction, const Seen& seen = {});
  /// This member's state as it stands, if its newest entry was stamped within max_staleness_ms (0:
  /// whenever) before now, by the agreed time or else this member's clock; read() otherwise. What
  /// reads at a time waits until that has passed here. Requires:
  /// kv::writes(transaction) is false.
  void read_serializable(std::uint64_t request, kv::Transaction transaction,
                         std::uint32_t max_staleness_ms = 0, const Seen& seen = {});
  /// Ends once the change is in force (of kAdd, kPromote: the first step; the rest follows by
  /// itself), with the configuration. Only the leader takes it.
  void change_members(std::uint64_t request, const MemberChange& change);
  /// Only the leader answers. Has a bound of its own.
  void leases(std::uint64_t request, LeaseQuestion question);
  /// Ends once `to` leads, a voter's name or id.
  void move_leader(std::uint64_t request, const std::string& to);
  /// Hands the queued requests to the core, in at most two steps. The end of each turn.
  void pump();

  // Completions, from log, disk and apply.
  void persisted(base::Ordinal ordinal);
  void persist_failed(const base::Status& status);
  void loaded(base::MemberId peer, base::Index from, std::vector<raft::EntryPtr> entries);
  void log_cut(base::Index through);
  void applied(std::vector<raft::EntryPtr> entries, std::vector<kv::Reply> replies,
               kv::Position position);
  /// Before the applied() or snapshot_installed() that they come from.
  void change_leases(const std::vector<kv::LeaseChange>& changes);
  void read_done(std::uint64_t request, base::Result<kv::TransactionResult> result,
                 kv::Position position);
  void snapshot_read(raft::SnapshotRead read);
  void snapshot_stored(std::uint64_t id, bool ok);
  void snapshot_installed(raft::SnapshotMeta snapshot, kv::Position position);
  /// From now on writes that store something are refused for this reason; empty: none are (rule
  /// 11).
  void keep_room(const std::string& reason);
  /// The detectors' verdict on this member (raft::SelfAssessment); ignored once it shuts down.
  void assess(raft::SelfAssessment assessment);
  /// Hands leadership to `to` if it can, and says why. Nothing happens at a member that does not
  /// lead.
  void yield_leadership(base::MemberId to, std::string reason);

  /// Refuses new requests; once nothing is pending, or after half a second, gives leadership up and
  /// does not campaign again. For SIGTERM.
  void drain();
  /// Cheap: no allocation.
  raft::CoreSummary summary() const;
  /// What the peer has acknowledged to this leader; zero elsewhere.
  base::Index match(base::MemberId peer) const;
  ReplicaStatus status() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace server
