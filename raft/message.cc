#include "raft/message.h"

#include "raft/names.h"

namespace raft {
namespace {

constexpr std::size_t kEnvelopeBytes = 200;

std::string show(const ProgressReport& report) {
  std::string text = " last=" + raft::show(report.last) + " durable=" + raft::show(report.durable) +
                     " committed=" + raft::show(report.commit) +
                     " applied=" + raft::show(report.applied);
  if (report.log_pending_ticks) text += " log-pending=" + std::to_string(report.log_pending_ticks);
  if (report.apply_pending_ticks) {
    text += " apply-pending=" + std::to_string(report.apply_pending_ticks);
  }
  if (report.stalled) text += " stalled";
  if (report.quarantined) text += " quarantined";
  if (report.needs_snapshot) text += " needs-snapshot";
  if (report.slow) text += " slow";
  return text;
}

std::string show(const RoundToken& round) {
  return raft::show(round.term) + "/" + std::to_string(round.epoch) + "/" +
         std::to_string(round.counter);
}

/// The name of a body and what stands after the term.
struct Described {
  std::string name;
  std::string rest;
};

struct Describe {
  Described operator()(const RequestVote& body) const {
    return {body.pre_vote ? "PreVote" : "RequestVote",
            " last=" + raft::show(body.last_index) + "/" + raft::show(body.last_term) +
                (body.transfer ? " transfer" : "") + (body.quarantined ? " quarantined" : "")};
  }
  Described operator()(const RequestVoteReply& body) const {
    return {body.pre_vote ? "PreVoteReply" : "RequestVoteReply",
            body.granted ? " granted" : " refused"};
  }
  Described operator()(const AppendEntries& body) const {
    std::string entries = "[]";
    if (!body.entries.empty()) {
      entries = "[" + raft::show(body.entries.front()->index) + ".." +
                raft::show(body.entries.back()->index) + "]";
    }
    return {"AppendEntries", " prev=" + raft::show(body.previous_index) + "/" +
                                 raft::show(body.previous_term) + " entries=" + entries +
                                 " commit=" + raft::show(body.commit)};
  }
  Described operator()(const AppendEntriesReply& body) const {
    std::string rest =
        body.success ? " ok match=" + raft::show(body.match)
                     : " rejected=" + raft::show(body.match) + " hint=" + raft::show(body.hint);
    if (body.diverged) rest += " diverged";
    if (body.clock) rest += " clock";
    return {"AppendEntriesReply", rest + show(body.progress)};
  }
  Described operator()(const Heartbeat& body) const {
    return {"Heartbeat", " commit=" + raft::show(body.commit) + " round=" + show(body.round) +
                             " floor=" + raft::show(body.cut_floor) + show(body.progress)};
  }
  Described operator()(const HeartbeatReply& body) const {
    return {"HeartbeatReply", " round=" + show(body.round) +
                                  (body.supports ? " supports" : " withdrawn") +
                                  show(body.progress)};
  }
  Described operator()(const TimeoutNow&) const { return {"TimeoutNow", ""}; }
  Described operator()(const Refusal& body) const {
    if (body.reason == RefusalReason::kNoMember) return {"Refusal", " no-member"};
    return {"Refusal", body.reason == RefusalReason::kRolledBack
                           ? " rolled-back remembered=" + raft::show(body.remembered)
                           : " unknown-incarnation"};
  }
  Described operator()(const InstallSnapshot& body) const {
    return {"InstallSnapshot",
            " snapshot=" + raft::show(body.snapshot.index) + "/" + raft::show(body.snapshot.term) +
                " chunk=" + std::to_string(body.chunk) + (body.done ? " done" : "")};
  }
  Described operator()(const InstallSnapshotReply& body) const {
    return {"InstallSnapshotReply",
            " snapshot=" + raft::show(body.index) +
                (body.installed ? " installed" : " next-chunk=" + std::to_string(body.next_chunk)) +
                show(body.progress)};
  }
  Described operator()(const Pull& body) const {
    return {"Pull",
            " prev=" + raft::show(body.previous_index) + "/" + raft::show(body.previous_term)};
  }
  Described operator()(const PullReply& body) const {
    const std::string last =
        " last=" + raft::show(body.last_index) + "/" + raft::show(body.last_term);
    const std::string prev = " prev=" + raft::show(body.previous_index);
    if (!body.agrees) return {"PullReply", prev + " hint=" + raft::show(body.hint) + last};
    return {"PullReply", prev + " entries=" + std::to_string(body.entries.size()) + last};
  }
  Described operator()(const ReadIndexRequest& body) const {
    return {"ReadIndex", " id=" + std::to_string(body.id)};
  }
  Described operator()(const ReadIndexReply& body) const {
    const bool ok = body.code == base::Code::kOk;
    return {"ReadIndexReply", " id=" + std::to_string(body.id) +
                                  (ok ? " index=" + raft::show(body.index) : " refused")};
  }
  Described operator()(const WantTime& body) const {
    return {"WantTime", " time=" + std::to_string(body.time.milliseconds())};
  }
};

}  // namespace

Lane lane_of(const Message& message) {
  const auto is = [&]<typename... Body>() {
    return (std::holds_alternative<Body>(message.body) || ...);
  };
  const bool bulk = is.operator()<AppendEntries, AppendEntriesReply, InstallSnapshot,
                                  InstallSnapshotReply, Pull, PullReply, TimeoutNow>();
  return bulk ? Lane::kBulk : Lane::kLiveness;
}

std::size_t size_bytes(const Message& message) {
  std::size_t bytes = kEnvelopeBytes;
  if (const auto* append = std::get_if<AppendEntries>(&message.body)) {
    for (const EntryPtr& entry : append->entries) bytes += entry->size_bytes();
  } else if (const auto* pulled = std::get_if<PullReply>(&message.body)) {
    for (const EntryPtr& entry : pulled->entries) bytes += entry->size_bytes();
  } else if (const auto* install = std::get_if<InstallSnapshot>(&message.body)) {
    bytes += install->data->size() + install->snapshot.configuration.size();
  }
  return bytes;
}

std::string to_string(const Message& message) {
  const Described described = std::visit(Describe(), message.body);
  return described.name + " " + show(message.from) + "->" + show(message.to) +
         " term=" + show(message.term) + described.rest;
}

}  // namespace raft
