// The C++ client library: exactly-once writes, linearizable reads, a leader that is followed. It
// runs on its caller's net::Loop, on that loop's thread, and makes no thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <kj/async.h>

#include "client/options.h"
#include "client/outcome.h"
#include "net/loop.h"

namespace client {

/// A cluster as one caller sees it, with one session for its writes.
///
/// - Each call has one deadline (Options::timeout_ms) over all its attempts. A write is repeated
/// with
///   the same session and sequence, so it happens at most once however often it is sent.
/// - An endpoint that stays silent is put aside and another is tried.
/// - With no leader on any endpoint for Options::leaderless_ms, calls end early.
/// - Promises resolve with an Outcome; they are rejected only when the Client is destroyed first.
/// - Calls made in one turn of the loop travel together.
class Client {
 public:
  /// Errors: kInvalidArgument when there is no endpoint, or one is not "host:port".
  static base::Result<std::unique_ptr<Client>> make(net::Loop& loop, Options options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Errors in the outcome, beside those of the servers: kInvalidArgument and kTooLarge (nothing
  /// was sent), kNoLeader, kUnavailable, kOverloaded, kTimeoutBeforeSend (surely not applied);
  /// kTimeout, kDisconnected, kLeadershipLost, kUnknownSession (unknown).
  kj::Promise<Outcome> write(kv::Transaction transaction);
  /// Requires nothing of the transaction but that no branch writes; kInvalidArgument otherwise.
  /// Never ends unknown. `max_staleness_ms`, of a serializable read: what the member has may be as
  /// old as that, by its clock; if it is older, or the member cannot tell, it asks the leader. 0:
  /// as old as it is.
  kj::Promise<Outcome> read(kv::Transaction transaction,
                            Consistency consistency = Consistency::kLinearizable,
                            std::uint32_t max_staleness_ms = 0);

  kj::Promise<Outcome> put(std::string key, std::string value);
  kj::Promise<Outcome> get(std::string key, Consistency consistency = Consistency::kLinearizable);
  kj::Promise<Outcome> del(std::string key);
  /// Puts `value` if the key was last changed by `modify_revision` (0: does not exist). The
  /// outcome's result.succeeded says whether it was.
  kj::Promise<Outcome> cas(std::string key, base::Revision modify_revision, std::string value);

  /// A lease of so long (Limits::lease_ttl_min_ms and up); the outcome's only result is a
  /// kv::GrantResult. `of_session`: whatever this client writes renews it. Otherwise a
  /// client::LeaseKeeper does.
  kj::Promise<Outcome> grant(std::uint64_t ttl_ms, bool of_session = false);
  /// Ends a lease, deletes its keys. kLeaseNotFound: there is none.
  kj::Promise<Outcome> revoke(base::LeaseId lease);

  /// What became of a write whose outcome was unknown (Outcome::session and sequence): ok and
  /// result.revision if it was applied; kSealed if it was not, and never will be from now on; what
  /// it was refused with; kUnknownSession or kSequenceForgotten if nobody knows any more: the
  /// session has ended, or later writes of it have let its outcome go.
  kj::Promise<Outcome> resolve(base::SessionId session, std::uint64_t sequence);

  /// The configuration in force, after a change if one is asked for. Changes may be repeated: what
  /// is done already is done. Errors beside the usual: kInvalidArgument, saying what is wrong.
  kj::Promise<Outcome> members(MemberChange change = {});
  /// Ends once the named voter leads.
  kj::Promise<Outcome> move_leader(std::string to);

  /// Each call says what this client has seen, and a cluster whose history does not go on from
  /// there (restored, rolled back, cloned) refuses it with kOtherHistory. From now on whatever
  /// answers next is taken for the right one.
  void accept_history();
  /// Closes the session, so that the servers need not keep its outcomes. Without a session: at
  /// once.
  kj::Promise<Outcome> close_session();

  /// The addresses known by now, the seeds first.
  std::vector<std::string> endpoints() const;
  /// The session of the writes; none before the first write.
  base::SessionId session() const;
  /// Attempts that were repeated, for reports.
  std::uint64_t retries() const;

 private:
  class Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// What one member says of itself, over a connection of its own. Errors: kInvalidArgument
/// (address), kUnavailable (no connection or no answer within timeout_ms).
kj::Promise<base::Result<MemberStatus>> status(net::Loop& loop, std::string endpoint,
                                               std::uint32_t timeout_ms);
/// What the member finds of itself and of the others, as one JSON document (server/health_page.h).
/// Errors: as status().
kj::Promise<base::Result<std::string>> health(net::Loop& loop, std::string endpoint,
                                              std::uint32_t timeout_ms);
/// The newest calls that were slow or failed at the member, and where they waited, as one JSON
/// document (server/request_traces.h). Errors: as status().
kj::Promise<base::Result<std::string>> traces(net::Loop& loop, std::string endpoint,
                                              std::uint32_t timeout_ms);
/// Sets, clears or lists faults at one member. Returns all of the member's faults. Errors: as
/// status(), kFaultsNotAllowed, kInvalidArgument (unknown fault or parameter).
kj::Promise<base::Result<std::vector<Fault>>> fault(net::Loop& loop, std::string endpoint,
                                                    FaultChange change, std::uint32_t timeout_ms);

/// How a snapshot file is fetched.
struct SnapshotRequest {
  /// kLinearizable: with all that was acknowledged before, which needs a leader; kSerializable:
  /// what the member has.
  Consistency consistency = Consistency::kLinearizable;
  std::uint32_t timeout_ms = 5000;  // without progress
  /// Takes the bytes of the file, in order, about a MiB at a time. A failure ends the fetch.
  std::function<base::Status(std::string_view bytes)> write;
};
/// Fetches one member's state as a snapshot file. The header says what it holds. Errors: those of
/// `write`, of linearizable reads, and kInvalidArgument (address), kUnavailable (no connection, or
/// one that was lost or too slow), kQuarantined, kOverloaded; what was written is no snapshot then.
kj::Promise<base::Result<Header>> snapshot(net::Loop& loop, std::string endpoint,
                                           SnapshotRequest request);

}  // namespace client
