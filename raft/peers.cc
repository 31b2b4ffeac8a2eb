#include "raft/peers.h"

#include <algorithm>

namespace raft {
namespace {

bool says_quarantined(const Peer& peer, const Message& message) {
  const ProgressReport* report = report_of(message);
  const bool same = message.opening == peer.opening && message.recovered == peer.recovered;
  const auto* vote = std::get_if<RequestVote>(&message.body);
  return (report != nullptr && report->quarantined) || (vote != nullptr && vote->quarantined) ||
         (same && peer.quarantined);
}

}  // namespace

const ProgressReport* report_of(const Message& message) {
  if (const auto* reply = std::get_if<AppendEntriesReply>(&message.body)) return &reply->progress;
  if (const auto* heartbeat = std::get_if<Heartbeat>(&message.body)) return &heartbeat->progress;
  if (const auto* reply = std::get_if<HeartbeatReply>(&message.body)) return &reply->progress;
  if (const auto* reply = std::get_if<InstallSnapshotReply>(&message.body)) return &reply->progress;
  return nullptr;
}

bool is_reply(const Message& message) {
  return std::holds_alternative<RequestVoteReply>(message.body) ||
         std::holds_alternative<AppendEntriesReply>(message.body) ||
         std::holds_alternative<HeartbeatReply>(message.body) ||
         std::holds_alternative<InstallSnapshotReply>(message.body) ||
         std::holds_alternative<PullReply>(message.body) ||
         std::holds_alternative<ReadIndexReply>(message.body) ||
         std::holds_alternative<Refusal>(message.body);
}

Verdict judge(const Peer& peer, const Message& message) {
  const Opening& opening = message.opening;
  if (opening.epoch < peer.opening.epoch) return Verdict::kStale;
  const bool known = peer.opening.epoch != 0;
  if (known && opening.epoch == peer.opening.epoch && opening.nonce != peer.opening.nonce) {
    return Verdict::kRolledBack;
  }
  const bool fresh = opening.epoch > peer.opening.epoch;
  if (!fresh && known && message.recovered < peer.recovered) return Verdict::kLate;
  Ordinal before = peer.durable_before;
  if (fresh) before = std::max(before, peer.durable);
  if (message.recovered < before && !says_quarantined(peer, message)) return Verdict::kRolledBack;
  return fresh ? Verdict::kNewOpening : Verdict::kAccept;
}

void remember(Peer& peer, const Message& message) {
  if (message.opening != peer.opening) {
    const Ordinal before = std::max(peer.durable_before, peer.durable);
    peer = Peer();
    peer.durable_before = before;
    peer.opening = message.opening;
  }
  const bool quarantined = says_quarantined(peer, message);
  peer.heard = true;
  peer.silent_ticks = 0;
  peer.refused = false;
  peer.incarnation = message.incarnation;
  peer.recovered = message.recovered;
  peer.durable = std::max(peer.durable, message.durable);
  peer.quarantined = quarantined;
  if (const ProgressReport* report = report_of(message)) peer.progress = *report;
}

}  // namespace raft
