// The one type of event that feeds golden files, log lines, metrics and the timeline. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "raft/entry.h"

namespace raft {

enum class TraceKind : std::uint8_t {
  kBecameFollower,
  kBecamePreCandidate,
  kBecameCandidate,
  kBecameLeader,
  kSteppedDown,    // a leader gave up; detail says why
  kLeaderChanged,  // peer leads now, or nobody (peer zero)
  kVoteGranted,
  kVoteRefused,
  kSupportWithdrawn,       // from a leader without progress
  kStalled,                // this member's own work does not complete
  kRecovered,              // it completes again
  kHandedOver,             // TimeoutNow sent to peer
  kTruncated,              // uncommitted entries from `index` on were replaced
  kCommitted,              // commit index moved to `index`
  kPeerReset,              // a new opening of peer: what was believed of it is forgotten
  kPeerRefused,            // a peer's opening counts for nothing; detail says why
  kQuarantined,            // this member counts for nothing; detail says why
  kPulled,                 // entries up to `index` were fetched from peer before a candidacy
  kQuarantineEnded,        // a leader has made it whole up to `index`
  kDiverged,               // equal term, unequal hash at `index`
  kClockRefused,           // peer's stamps are refused, or peer refuses the own; detail says why
  kConfigurationBound,     // the cluster's first entry bound the incarnations
  kConfigurationChanging,  // a change of the membership was appended at `index`
  kTransferAborted,        // leadership was to go to peer and stays; detail says why
  kPromoted,               // a learner has caught up and becomes a voter
  kNoMember,               // peer says that this member is none
  kPeerProbing,            // replication to peer waits for one answer
  kPeerReplicating,        // replication to peer is pipelined
  kSnapshotSending,        // a snapshot at `index` leaves for peer, which lacks what was cut
  kSnapshotSent,           // peer has installed it
  kSnapshotDropped,        // the transfer to peer, or from it, ended early; detail says why
  kSnapshotReceiving,      // the first chunk of a snapshot at `index` came from peer
  kSnapshotInstalled,      // it is this member's state now
};

/// Invariant: `detail` never holds payload bytes.
struct TraceEvent {
  TraceKind kind;
  Term term;
  Index index;
  MemberId peer;
  std::string detail;
};

/// Kebab-case, stable: "became-leader".
std::string_view name_of(TraceKind kind);
/// One line, stable: "became-leader term=3 index=7 peer=2: why".
std::string to_string(const TraceEvent& event);

}  // namespace raft
