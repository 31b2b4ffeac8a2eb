#include "raft/trace.h"

#include <iterator>

#include "base/check.h"
#include "raft/names.h"

namespace raft {

std::string_view name_of(TraceKind kind) {
  static constexpr std::string_view kNames[] = {"became-follower",
                                                "became-pre-candidate",
                                                "became-candidate",
                                                "became-leader",
                                                "stepped-down",
                                                "leader-changed",
                                                "vote-granted",
                                                "vote-refused",
                                                "support-withdrawn",
                                                "stalled",
                                                "recovered",
                                                "handed-over",
                                                "truncated",
                                                "committed",
                                                "peer-reset",
                                                "peer-refused",
                                                "quarantined",
                                                "pulled",
                                                "quarantine-ended",
                                                "diverged",
                                                "clock-refused",
                                                "configuration-bound",
                                                "configuration-changing",
                                                "transfer-aborted",
                                                "promoted",
                                                "no-member",
                                                "peer-probing",
                                                "peer-replicating",
                                                "snapshot-sending",
                                                "snapshot-sent",
                                                "snapshot-dropped",
                                                "snapshot-receiving",
                                                "snapshot-installed"};
  const auto at = static_cast<std::size_t>(kind);
  static_assert(std::size(kNames) == static_cast<std::size_t>(TraceKind::kSnapshotInstalled) + 1);
  CHECK(at < std::size(kNames), "a trace kind without a name");
  return kNames[at];
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
