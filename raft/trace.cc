#include "raft/trace.h"

#include "base/check.h"
#include "raft/names.h"

namespace raft {

std::string_view name_of(TraceKind kind) {
  switch (kind) {
    case TraceKind::kBecameFollower:
      return "became-follower";
    case TraceKind::kBecamePreCandidate:
      return "became-pre-candidate";
    case TraceKind::kBecameCandidate:
      return "became-candidate";
    case TraceKind::kBecameLeader:
      return "became-leader";
    case TraceKind::kSteppedDown:
      return "stepped-down";
    case TraceKind::kLeaderChanged:
      return "leader-changed";
    case TraceKind::kVoteGranted:
      return "vote-granted";
    case TraceKind::kVoteRefused:
      return "vote-refused";
    case TraceKind::kSupportWithdrawn:
      return "support-withdrawn";
    case TraceKind::kStalled:
      return "stalled";
    case TraceKind::kRecovered:
      return "recovered";
    case TraceKind::kHandedOver:
      return "handed-over";
    case TraceKind::kTruncated:
      return "truncated";
    case TraceKind::kCommitted:
      return "committed";
    case TraceKind::kPeerReset:
      return "peer-reset";
    case TraceKind::kPeerRefused:
      return "peer-refused";
    case TraceKind::kQuarantined:
      return "quarantined";
    case TraceKind::kPulled:
      return "pulled";
    case TraceKind::kQuarantineEnded:
      return "quarantine-ended";
    case TraceKind::kDiverged:
      return "diverged";
    case TraceKind::kConfigurationBound:
      return "configuration-bound";
    case TraceKind::kConfigurationChanging:
      return "configuration-changing";
    case TraceKind::kTransferAborted:
      return "transfer-aborted";
    case TraceKind::kPromoted:
      return "promoted";
    case TraceKind::kNoMember:
      return "no-member";
    case TraceKind::kPeerProbing:
      return "peer-probing";
    case TraceKind::kPeerReplicating:
      return "peer-replicating";
    case TraceKind::kSnapshotSending:
      return "snapshot-sending";
    case TraceKind::kSnapshotSent:
      return "snapshot-sent";
    case TraceKind::kSnapshotDropped:
      return "snapshot-dropped";
    case TraceKind::kSnapshotReceiving:
      return "snapshot-receiving";
    case TraceKind::kSnapshotInstalled:
      return "snapshot-installed";
  }
  CHECK(false, "a trace kind without a name");
  return "";
}

std::string to_string(const TraceEvent& event) {
  std::string text(name_of(event.kind));
  text += " term=" + show(event.term);
  if (event.index) text += " index=" + show(event.index);
  if (event.peer) text += " peer=" + show(event.peer);
  if (!event.detail.empty()) text += ": " + event.detail;
  return text;
}

}  // namespace raft
