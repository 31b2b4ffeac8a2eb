// What comes back from a call: plain data, free of Cap'n Proto.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/hlc.h"
#include "base/ids.h"
#include "base/status.h"
#include "kv/types.h"

namespace client {

/// On every reply (DESIGN section 5.11).
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

/// A member of the configuration.
struct Member {
  base::MemberId id;
  base::Incarnation incarnation;  // zero: it has not been heard from yet
  std::string name;
  std::string peer_address;
  std::string client_address;
  bool voter = false;
  bool outgoing = false;  // votes until the change under way is done
  bool promote = false;   // a learner that becomes a voter once it has caught up
};

/// What is asked of the membership.
struct MemberChange {
  enum class Kind : std::uint8_t { kList, kAdd, kPromote, kRemove, kReplace, kUpdate };
  Kind kind = Kind::kList;
  std::string name;  // or the id in 16 hex digits, but for kAdd
  std::string peer_address;
  std::string client_address;
  bool learner = false;  // kAdd: it stays one
};

/// How a call ended.
/// - status ok: `result` and `header` are those of the member that answered;
/// - status.applied() kNo: the write was surely not applied, by any of its attempts;
/// - status.applied() kUnknown: some attempt may have been applied, none will be applied later than
///   the client's next acknowledged write on the same session. Only writes end so.
struct Outcome {
  base::Status status;
  std::vector<Member> members;  // of a membership call
  kv::TransactionResult result;
  Header header;
  bool repeated = false;  // an earlier attempt of the same call had been applied
  /// Of a write that was sent: what Client::resolve() takes. 0: it was not.
  base::SessionId session;
  std::uint64_t sequence = 0;
  std::uint64_t trace = 0;  // members keep it by this id if it was slow or failed; 0: never sent
};

enum class Consistency : std::uint8_t { kLinearizable, kSerializable };

struct Fault {
  std::string name;
  bool on = false;
  std::uint64_t hits = 0;     // real calls that it has caught
  std::string parameter;      // its strength, such as "delay=100ms"; empty if it has none
  std::uint64_t left_ms = 0;  // until it ends by itself; 0: it is off, or ends only when cleared
  std::string what;           // what it does
};

/// What is to become of a member's faults.
struct FaultChange {
  enum class Kind : std::uint8_t { kList, kSet, kClear };
  Kind kind = Kind::kList;
  std::string name;                                             // kClear: empty for all
  std::vector<std::pair<std::string, std::string>> parameters;  // kSet: such as {"delay", "100ms"}
  std::uint64_t for_ms = 0;                                     // kSet; 0: until it is cleared
};

/// A peer as the member that was asked sees it.
struct PeerStatus {
  base::MemberId member;
  std::string name;
  bool link_up = false;
  base::Index match;
  std::uint64_t silent_ms = 0;
  bool stalled = false;
  bool quarantined = false;
  std::string client_address;  // empty if unknown
};

/// A member's own account of itself.
struct MemberStatus {
  Header header;
  std::string name;
  std::string role;  // follower, pre-candidate, candidate, leader, stuck: its loop does not turn
  base::MemberId leader;
  std::string leader_name;
  base::Index first, last, durable, commit;
  bool ready = false;
  bool stalled = false;
  bool quarantined = false;
  std::string reason;  // why it is not well; empty if it is
  std::uint64_t unready_for_ms = 0;
  std::string step_down_reason;  // why it last gave leadership up
  std::uint64_t leader_changes = 0;
  std::uint64_t log_syncs = 0;  // since the process started
  std::uint64_t log_bytes = 0;
  std::uint64_t applied_entries = 0;
  std::uint64_t sessions = 0;
  std::uint64_t digest = 0;
  base::Revision compacted;  // the oldest that can be read
  kv::Retention retention;
  std::string version;
  std::string http_address;
  std::vector<PeerStatus> peers;
  std::vector<Fault> faults;
  bool leads() const { return role == "leader"; }
};

}  // namespace client
