// What members say to each other. The envelope's fields stand in Message itself; cluster id, lane
// and checksum are added by net/peer. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "raft/entry.h"

namespace raft {

/// Proof of progress (DESIGN promise 5): what a member has done and how long its oldest work waits.
/// Ages are in the sender's ticks, 0 when nothing is pending.
struct ProgressReport {
  Index last;
  Index durable;  // the last index of its own log that is synced
  Index commit;
  Index applied;
  std::uint32_t log_pending_ticks = 0;    // since a log write was asked for and none has completed
  std::uint32_t apply_pending_ticks = 0;  // since an apply was asked for and none has completed
  bool stalled = false;                   // its own verdict: work is pending and does not complete
  bool quarantined = false;               // lost synced data: counts for nothing
  bool needs_snapshot = false;            // its log begins above its state: it applies nothing
  bool slow = false;                      // by the verdict of its detectors
  bool operator==(const ProgressReport&) const = default;
};

/// Names one round of heartbeats for ReadIndex, made by a leader, never reused (rule 7).
struct RoundToken {
  Term term;
  std::uint64_t epoch = 0;
  std::uint64_t counter = 0;
  auto operator<=>(const RoundToken&) const = default;
};

/// RequestVote RPC (figure 2), and its pre-vote form (thesis section 9.6): the same question asked
/// for the next term without raising anyone's term.
struct RequestVote {
  bool pre_vote = false;
  bool transfer = false;  // the leader asked for it: stickiness does not apply
  Index last_index;
  Term last_term;
  /// A pre-vote of a quarantined member, which asks for nothing but the other's term (section 6,
  /// rule 4). Never granted.
  bool quarantined = false;
};
struct RequestVoteReply {
  bool pre_vote = false;
  bool granted = false;
  Index last_index;  // where the voter's log ends
  Term last_term;
};

/// AppendEntries RPC (figure 2), with the previous entry's hash beside its term.
struct AppendEntries {
  Index previous_index;
  Term previous_term;
  ChainHash previous_hash;
  std::vector<EntryPtr> entries;
  Index commit;
  Index cut_floor;  // entries at or below it are durable on every voter: the log may be cut there
};
struct AppendEntriesReply {
  bool success = false;
  Index match;  // success: durable and equal up to here. Rejection: the previous_index refused
  Index hint;   // rejection: the sender should try at most this as previous_index
  bool diverged = false;  // rejection: equal term, unequal hash at `match` (rule 6)
  bool clock = false;     // rejection: stamps that no agreed time explains (rule 8)
  ProgressReport progress;
};

/// Sent every heartbeat on the liveness connection; opens or repeats a ReadIndex round.
struct Heartbeat {
  Index commit;  // at most what the follower is known to match
  RoundToken round;
  Index cut_floor;
  ProgressReport progress;
};
struct HeartbeatReply {
  RoundToken round;
  bool supports = true;  // false: the follower has withdrawn support from a leader without progress
  ProgressReport progress;
};

/// Campaign now, without pre-vote (thesis section 3.10).
struct TimeoutNow {};

enum class RefusalReason : std::uint8_t {
  kRolledBack = 1,          // recovered ordinal, or epoch, below what was seen before
  kUnknownIncarnation = 2,  // another data directory under a bound member's id
  kNoMember = 3,            // not in the committed configuration; no more than a hint
};
/// Tells an opening why its messages count for nothing here.
struct Refusal {
  RefusalReason reason = RefusalReason::kRolledBack;
  Ordinal remembered;  // the highest durable ordinal that was heard from an earlier epoch
};

/// What a snapshot stands for: the state after the entry at `index`.
struct SnapshotMeta {
  Index index;
  Term term;
  ChainHash hash;
  HybridTime time;
  std::string configuration;  // encode()d, in force at `index`
  bool operator==(const SnapshotMeta&) const = default;
};
/// InstallSnapshot RPC (figure 13): one chunk of the state, at most some MiB.
struct InstallSnapshot {
  std::uint64_t transfer = 0;  // counted by the sender's opening: one resumes, another begins anew
  SnapshotMeta snapshot;
  std::uint64_t chunk = 0;  // from 0
  std::shared_ptr<const std::string> data;
  bool done = false;  // the last chunk
};
struct InstallSnapshotReply {
  std::uint64_t transfer = 0;    // as sent
  Index index;                   // of the snapshot
  std::uint64_t next_chunk = 0;  // what the follower waits for
  bool installed = false;        // everything up to `index` is durable
  ProgressReport progress;
};

/// Asks a member whose log is ahead for what follows an entry, before a candidacy (reference
/// failures.md section 5; DESIGN section 6, rule 10). Acknowledges nothing.
struct Pull {
  Index previous_index;
  Term previous_term;
  ChainHash previous_hash;
};
struct PullReply {
  bool agrees = false;  // false: the entry asked about is another or none here; try `hint`
  Index previous_index;
  Index hint;
  std::vector<EntryPtr> entries;  // contiguous after previous_index
  Index last_index;               // where the answering log ends
  Term last_term;
};

/// A follower asks its leader for a read index on behalf of its own clients (thesis section 6.4).
struct ReadIndexRequest {
  std::uint64_t id = 0;  // the follower's
};
struct ReadIndexReply {
  std::uint64_t id = 0;
  base::Code code = base::Code::kOk;
  Index index;  // kOk: a state that has applied this may answer
};
/// A follower's clients wait for a time: the leader is to stamp an entry that is later (DESIGN
/// section 6, rule 8). Not answered.
struct WantTime {
  HybridTime time;
};

using MessageBody =
    std::variant<RequestVote, RequestVoteReply, AppendEntries, AppendEntriesReply, Heartbeat,
                 HeartbeatReply, TimeoutNow, Refusal, InstallSnapshot, InstallSnapshotReply, Pull,
                 PullReply, ReadIndexRequest, ReadIndexReply, WantTime>;

struct Message {
  MemberId from;
  MemberId to;
  Incarnation incarnation;  // of the sender's data directory
  Opening opening;          // of the sender
  /// Replies: the opening that they answer. Heartbeats: the opening whose match bounds `commit`,
  /// zero if none is known. Otherwise zero.
  Opening to_opening;
  Ordinal durable;    // the sender's highest durable ordinal
  Ordinal recovered;  // the ordinal that the sender recovered at this opening
  Term term;
  /// Of what the sender holds; none: it holds nothing yet. The owner of the core fills it in and
  /// looks at it (server/generation_fence.h).
  std::optional<std::uint64_t> generation = {};
  MessageBody body;
};

/// Liveness travels on a connection of its own: votes, heartbeats, their replies, Refusal.
/// TimeoutNow comes after the entries that were sent before it, so that nobody stands with less
/// than it was given, and is refused.
enum class Lane : std::uint8_t { kLiveness = 0, kBulk = 1 };
Lane lane_of(const Message& message);
/// Roughly what the message occupies in a queue.
std::size_t size_bytes(const Message& message);
/// One line for golden files and logs: "AppendEntries 1->2 term=3 prev=4/2 entries=[5..7]
/// commit=4".
std::string to_string(const Message& message);

}  // namespace raft
