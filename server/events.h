// What the other threads tell the loop, and what the loop tells the door. Plain values in
// mailboxes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/status.h"
#include "kv/scrub.h"
#include "kv/state_machine.h"
#include "kv/types.h"
#include "raft/core.h"
#include "server/membership.h"
#include "server/ports.h"
#include "server/replica.h"

namespace server {

// ---- To the loop, from log, apply and disk ----

struct PersistedEvent {
  base::Ordinal ordinal;
};
struct PersistFailedEvent {
  base::Status status;
};
struct LoadedEvent {
  base::MemberId peer;
  base::Index from;
  std::vector<raft::EntryPtr> entries;
};
struct CutEvent {
  base::Index through;
};
struct AppliedEvent {
  std::vector<raft::EntryPtr> entries;
  std::vector<kv::Reply> replies;
  kv::Position position;
};
struct ReadDoneEvent {
  std::uint64_t request = 0;
  base::Result<kv::TransactionResult> result;
  kv::Position position;
};
struct LeasesChangedEvent {
  std::vector<kv::LeaseChange> changes;
};
struct SnapshotStoredEvent {
  std::uint64_t id = 0;
  bool ok = true;
};
struct SnapshotInstalledEvent {
  raft::SnapshotMeta snapshot;
  kv::Position position;
};
/// Digests of the state after `index`; not ok: it could not be read.
struct ScrubbedEvent {
  base::Index index;
  base::Status status;
  kv::ScrubDigests digests;
};
struct DrainEvent {};
using LoopEvent =
    std::variant<PersistedEvent, PersistFailedEvent, LoadedEvent, CutEvent, AppliedEvent,
                 LeasesChangedEvent, ReadDoneEvent, raft::SnapshotRead, SnapshotStoredEvent,
                 SnapshotInstalledEvent, ScrubbedEvent, DrainEvent>;
/// Any thread; a batch that belongs together wakes the loop once.
using PostToLoop = std::function<void(std::vector<LoopEvent>)>;
/// Any thread: the node can not go on and must end within a moment.
using Fatal = std::function<void(const base::Status&)>;

// ---- Between door and loop ----

struct WriteRequest {
  std::string payload;           // storage::encode of a valid command
  bool frees = false;            // it stores nothing: admitted though the disk is nearly full
  base::SessionId session = {};  // whose it is, if a session's
};
struct ReadRequest {
  kv::Transaction transaction;
  bool serializable = false;
  std::uint32_t max_staleness_ms = 0;  // of a serializable one; 0: no bound
};
struct LeasesRequest {
  LeaseQuestion question;
};
struct MoveLeaderRequest {
  std::string to;  // name, or id in hex digits
};
struct ClientRequest {
  std::uint64_t id = 0;
  std::variant<WriteRequest, ReadRequest, MemberChange, MoveLeaderRequest, LeasesRequest> body;
  Seen seen = {};
};
struct ClientAnswer {
  std::uint64_t id = 0;
  RequestOutcome outcome;
};

}  // namespace server
