#include "server/event_record.h"

#include "server/clock.h"

namespace server {
namespace {

using raft::TraceKind;

/// At which level a trace event is logged: what a person asks about after an incident is info.
LogLevel level_of(TraceKind kind) {
  switch (kind) {
    case TraceKind::kCommitted:
      return LogLevel::kTrace;
    case TraceKind::kBecamePreCandidate:
    case TraceKind::kVoteGranted:
    case TraceKind::kVoteRefused:
    case TraceKind::kTruncated:
    case TraceKind::kPeerProbing:
    case TraceKind::kPeerReplicating:
      return LogLevel::kDebug;
    case TraceKind::kSupportWithdrawn:
    case TraceKind::kStalled:
    case TraceKind::kSteppedDown:
    case TraceKind::kPeerRefused:
    case TraceKind::kClockRefused:
      return LogLevel::kWarn;
    case TraceKind::kQuarantined:
    case TraceKind::kDiverged:
      return LogLevel::kError;
    default:
      return LogLevel::kInfo;
  }
}

/// What tells why somebody leads, or counts for nothing.
bool decides(TraceKind kind) {
  switch (kind) {
    case TraceKind::kBecamePreCandidate:
    case TraceKind::kBecameCandidate:
    case TraceKind::kBecameLeader:
    case TraceKind::kSteppedDown:
    case TraceKind::kLeaderChanged:
    case TraceKind::kSupportWithdrawn:
    case TraceKind::kStalled:
    case TraceKind::kRecovered:
    case TraceKind::kHandedOver:
    case TraceKind::kTransferAborted:
    case TraceKind::kQuarantined:
    case TraceKind::kQuarantineEnded:
    case TraceKind::kClockRefused:
    case TraceKind::kDiverged:
    case TraceKind::kPeerRefused:
    case TraceKind::kNoMember:
      return true;
    default:
      return false;
  }
}

}  // namespace

void EventRecord::trace(const raft::TraceEvent& event, const health::NameOf& name_of) {
  if (decides(event.kind)) {
    journal_.add({wall_ms(), std::string(raft::name_of(event.kind)), event.term.value,
                  event.peer ? name_of(event.peer) : "", event.detail});
  }
  const LogLevel level = level_of(event.kind);
  if (!lines_.enabled(level)) return;
  lines_.write(level, raft::name_of(event.kind),
               {{"term", event.term.value},
                {"index", event.index.value},
                {"peer", event.peer ? name_of(event.peer) : ""},
                {"reason", event.detail}});
}

void EventRecord::judged(const health::Verdict& verdict, bool stands,
                         const health::NameOf& name_of) {
  const std::string subject = name_of(verdict.subject);
  const std::string other = verdict.other ? name_of(verdict.other) : "";
  const std::string kind(health::name_of(verdict.kind));
  const std::string about = other.empty() ? subject : subject + " and " + other;
  journal_.add(
      {wall_ms(), stands ? "verdict" : "verdict-ended", 0, about, kind + ": " + verdict.evidence});
  lines_.write(
      stands ? LogLevel::kWarn : LogLevel::kInfo, stands ? "verdict" : "verdict ended",
      {{"verdict", kind}, {"member", subject}, {"other", other}, {"evidence", verdict.evidence}});
}

}  // namespace server
