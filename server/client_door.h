// The native door: the Holdfast interface of schema/client.capnp. Checks, encodes and hands
// requests to the loop; answers come back in batches. Door thread for everything.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "kv/types.h"
#include "schema/client.capnp.h"
#include "server/events.h"
#include "server/lease_calls.h"
#include "server/node_view.h"
#include "server/request_traces.h"
#include "server/snapshot_exports.h"
#include "server/watch_hub.h"

namespace server {

struct ClientDoorOptions {
  kv::Limits limits;
  std::uint32_t default_deadline_ms = 5000;
  std::uint32_t max_deadline_ms = 60'000;
  std::size_t calls_per_connection = 4096;  // in flight; above it: kOverloaded
  std::size_t answer_bytes = 3 << 20;       // results of one submit together
};

/// Where what the door takes in goes. Must not block.
struct DoorPorts {
  /// Take all requests or, if too much is queued, none.
  using Send = std::function<bool(std::vector<ClientRequest>&& requests, std::size_t size_bytes)>;
  Send send;
  Send send_leases;                              // a lane of their own
  std::function<void(SnapshotExportDone)> post;  // comes back to ClientDoor::answer()
  std::function<void(ChangesPull)> pull;         // likewise
};

/// Invariants:
/// - each call of each submit gets exactly one outcome, at its deadline at the latest;
/// - one submit is at most one item in the loop's mailbox;
/// - nothing that fails kv::validate reaches the loop.
class ClientDoor {
 public:
  static constexpr std::size_t kMaxCalls = 1024;  // a submit, as the schema says
  /// `http_address`: what status names.
  ClientDoor(ClientDoorOptions options, NodeView view, std::string http_address, DoorPorts ports,
             DoorCounters& counters);
  ~ClientDoor();

  /// The bootstrap capability of a new connection. It may outlive the door, and is of no use then.
  /// `on_first_call`: when it turns out to be a client's; never for one that only asks for the
  /// member's status, health or faults.
  schema::Holdfast::Client connect(std::function<void()> on_first_call);
  void answer(std::vector<ClientAnswer> answers);
  void answer(SnapshotExportDone done) { exports_.done(std::move(done)); }
  void answer(PulledChanges pulled) { watches_.pulled(std::move(pulled)); }
  /// Ends the calls whose deadline has passed, and the snapshots that nobody reads.
  void expire(std::uint64_t now_ms);
  std::size_t submissions() const { return submissions_.size(); }

 private:
  class Connection;
  struct Submission;
  using Context =
      capnp::CallContext<schema::Holdfast::SubmitParams, schema::Holdfast::SubmitResults>;

  kj::Promise<void> submit(Context context, std::shared_ptr<std::size_t> in_flight);
  void status(schema::MemberStatus::Builder to) const;
  base::Status switch_fault(schema::Holdfast::FaultParams::Reader params);
  base::Result<ClientRequest> understand(schema::Call::Reader call, std::uint64_t id,
                                         std::size_t* size_bytes) const;
  base::Result<ClientRequest> understand_write(schema::Write::Reader write, std::uint64_t id) const;
  base::Result<ClientRequest> understand_read(schema::Read::Reader read, std::uint64_t id) const;
  base::Result<ClientRequest> understand_members(schema::MemberChange::Reader change,
                                                 std::uint64_t id) const;
  void settle(Submission& submission, std::size_t call, RequestOutcome outcome);
  void refuse(Submission& submission, std::size_t call, base::Status status);
  void complete(std::uint64_t number);

  const ClientDoorOptions options_;
  const NodeView view_;
  const std::string http_address_;
  const DoorPorts::Send send_;
  DoorCounters& counters_;
  SnapshotExports exports_;
  RequestTraces traces_;
  LeaseCalls leases_;
  WatchHub watches_;
  std::shared_ptr<ClientDoor*> self_;  // of the connections' capabilities
  std::uint64_t next_number_ = 1;
  std::unordered_map<std::uint64_t, std::unique_ptr<Submission>> submissions_;
  std::multimap<std::uint64_t, std::uint64_t> deadlines_;  // milliseconds -> number
};

}  // namespace server
