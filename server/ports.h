// The ports of Replica: where its effects go. main.cc puts threads behind them, the simulator
// memory twins. Every call returns at once; completions come back as calls of Replica on its own
// thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "kv/state_machine.h"
#include "kv/types.h"
#include "raft/core.h"
#include "server/lessor.h"

namespace server {

/// Log and disk thread.
class LogPort {
 public:
  virtual ~LogPort() = default;
  /// In order; completes with Replica::persisted(ordinal), or persist_failed.
  virtual void append(raft::PersistRequest request) = 0;
  /// Completes with Replica::loaded.
  virtual void load(raft::LoadRequest request) = 0;
  /// Completes with Replica::log_cut.
  virtual void cut(base::Index through, base::Term term, base::ChainHash hash) = 0;
  /// Written down for good.
  virtual void quarantine(std::string reason) = 0;
  /// Bytes of entries in the log. Cheap.
  virtual std::uint64_t size_bytes() const = 0;
};

/// Apply thread. Calls are served in the order in which they were made.
class ApplyPort {
 public:
  virtual ~ApplyPort() = default;
  /// Completes with Replica::applied. `log_ordinal`: what the log has durable now.
  virtual void apply(std::vector<raft::EntryPtr> entries, base::Ordinal log_ordinal) = 0;
  /// Completes with Replica::read_done.
  virtual void read(std::uint64_t request, kv::Transaction transaction) = 0;
  /// Makes the state durable, so that the log can be cut. Completes with nothing.
  virtual void flush() = 0;
  /// The state's position as it would be found after a crash now. Cheap, any thread.
  virtual base::Index durable_applied() const = 0;
};

/// Snapshots of the state, over apply and disk thread.
class SnapshotPort {
 public:
  virtual ~SnapshotPort() = default;
  /// Completes with Replica::snapshot_read.
  virtual void read(raft::SnapshotReadRequest request) = 0;
  virtual void drop(base::MemberId peer) = 0;
  /// In order; completes with Replica::snapshot_stored.
  virtual void store(raft::SnapshotStoreRequest request) = 0;
  /// The one whose chunks were all stored takes the state's place, after everything that apply was
  /// given. Completes with Replica::snapshot_installed.
  virtual void install(raft::SnapshotMeta snapshot) = 0;
};

/// Loop thread.
class Transport {
 public:
  virtual ~Transport() = default;
  /// May drop: Raft retries.
  virtual void send(raft::Message message) = 0;
  /// Another configuration is in force: whom to dial.
  virtual void members_changed(const raft::Configuration& configuration) = 0;
};

/// What stands on every reply (DESIGN section 5.11).
struct Header {
  base::ClusterId cluster;
  std::uint64_t generation = 0;
  base::MemberId member;
  base::Revision revision;
  base::Term term;
  base::HybridTime time;
  base::Index applied;
  base::ChainHash hash;
};

/// The newest that a client has seen: of the header of an answer. Nothing: applied is zero.
struct Seen {
  std::uint64_t generation = 0;
  base::Index applied;
  base::ChainHash hash;  // of the entry at `applied`
  base::HybridTime time;
};

/// The end of a client's request.
struct RequestOutcome {
  base::Status status;  // not ok: reply and result mean nothing
  bool is_read = false;
  kv::Reply reply;               // of a command
  kv::TransactionResult result;  // of a read
  Header header;
  base::Index index;      // of the entry that a command became; zero: none yet, or a read
  base::MemberId leader;  // a hint for kNotLeader, kLeadershipLost; zero: none known
  std::shared_ptr<const raft::Configuration> members;  // of a membership request
  std::vector<LeaseTime> leases;                       // of a question about leases, in its order
};

/// Back to the door.
class ClientPort {
 public:
  virtual ~ClientPort() = default;
  virtual void finish(std::uint64_t request, RequestOutcome outcome) = 0;
};

/// Trace events, in order; must not block.
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void trace(const raft::TraceEvent& event) = 0;
};

}  // namespace server
