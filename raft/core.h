// The Raft protocol as one function: an input in, its effects out (DESIGN section 3).
//
// Pure: no clock, thread, lock, file or log; time is ticks and randomness is seeded, so the same
// inputs give the same outputs for ever. Persisting and applying are asynchronous: the core learns
// of them as inputs, counts the ticks that they take, and never waits.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "raft/entry.h"
#include "raft/message.h"
#include "raft/trace.h"

namespace raft {

/// Times are in ticks of 10 ms (the owner decides); defaults are DESIGN section 7.
struct Options {
  MemberId self;
  Incarnation incarnation;
  Opening opening;
  std::uint64_t seed = 1;
  std::uint32_t tick_ms = 10;  // only for the words of reasons; the core counts ticks
  std::uint32_t heartbeat_ticks = 5;
  std::uint32_t election_ticks = 30;      // T; timers are uniform in [T, 2T)
  std::uint32_t check_quorum_ticks = 60;  // 2T
  std::uint32_t stall_ticks = 60;         // 2T: pending work and no completion
  std::size_t append_bytes = 256 * 1024;  // payload of one AppendEntries
  std::size_t window_messages = 64;       // AppendEntries in flight to a follower
  std::size_t window_bytes = 8 << 20;
  std::size_t cache_bytes = 16 << 20;        // entries kept in memory beyond what must be
  std::size_t uncommitted_bytes = 32 << 20;  // above it proposals are refused: kOverloaded
  std::size_t unapplied_bytes = 64 << 20;    // above it a follower takes in no entries for a while
  /// A member whose log is behind fetches what it lacks before it stands for election again.
  bool pull_before_candidacy = true;
  /// Reactions of promise 5, switched off only by tests that prove that they are needed.
  bool step_down_on_stall = true;
  bool withdraw_support = true;
};

/// What an opening of the data directory found. `entries` are the payloads from applied + 1 on.
struct Recovered {
  HardState hard_state;
  Ordinal ordinal;         // recovered at this opening
  Index first = Index(1);  // first index in the log
  Term previous_term;      // of the entry before `first`; zero when first is 1
  ChainHash previous_hash;
  std::vector<EntryMeta> metas;   // first .. last, contiguous
  std::vector<EntryPtr> entries;  // applied + 1 .. last
  Index applied;                  // as the state engine has it
  HybridTime applied_time;        // the stamp of the entry at `applied`; zero if there is none
  Configuration configuration;    // as of `applied`; the initial one if no entry has set any
  bool quarantined = false;
  std::string quarantine_reason;
};

// ---- Inputs ----

struct Tick {
  std::uint32_t count = 1;  // more than election_ticks at once: this member slept, and steps down
};
struct Receive {
  Message message;
};
/// The liveness connection to a peer stands, or was lost (reset or closed, not silent). Also of one
/// that is no member yet, or no more.
struct LinkUp {
  MemberId peer;
};
struct LinkDown {
  MemberId peer;
};
struct Proposal {
  std::uint64_t id = 0;  // chosen by the caller, unique within this opening
  HybridTime stamp;      // raised to the last entry's + 1 where it is lower
  std::string payload;
  bool urgent = false;  // taken in however much is not committed yet: what a leader says for itself
};
struct Propose {
  std::vector<Proposal> proposals;
};
/// Asks for another configuration, in which nobody is `outgoing`. Refused unless `before` is the
/// one in force. The outcome is that of its first entry: the change has taken effect once an entry
/// with `next` itself is applied. Voters must be bound; a learner with `promote` becomes a voter by
/// itself.
struct ChangeMembership {
  std::uint64_t id = 0;  // like a proposal's
  Configuration before;
  Configuration next;
};
struct ReadBarrier {
  std::vector<std::uint64_t> ids;  // chosen by the caller, unique within this opening
};
/// A leader is told so (WantTime): none is known here or by it, nothing happens.
struct AskForTime {
  HybridTime time;
};
/// Everything up to this ordinal is durable.
struct Persisted {
  Ordinal ordinal;
};
/// A log write or sync failed: nothing is retried, the core gives up every role for good.
struct PersistFailed {};
struct Loaded {
  MemberId peer;
  Index from;
  std::vector<EntryPtr> entries;  // contiguous from `from`; empty: the load failed or was cut
};
/// Everything up to this index is applied.
struct Applied {
  Index index;
};
/// The entries up to `through` were removed from the log, durably.
struct LogCut {
  Index through;
};
/// A chunk of the snapshot for `peer` was read. No data: it cannot be had any more.
struct SnapshotRead {
  MemberId peer;
  SnapshotMeta snapshot;
  std::uint64_t chunk = 0;
  std::shared_ptr<const std::string> data;
  bool done = false;  // the last chunk
};
/// A chunk is stored and the next may come, or what came so far was thrown away.
struct SnapshotStored {
  std::uint64_t id = 0;
  bool ok = true;
};
/// The snapshot has taken the place of the state, durably.
struct SnapshotInstalled {
  SnapshotMeta snapshot;
};
/// The verdict of the detectors outside the core on this member. Unfit counts as stalled. Slow is
/// less: it still leads if it must, but stands for election one T later than the others, and is
/// chosen last as a successor. Barred is another matter: it does all but lead (rule 8).
struct SelfAssessment {
  bool fit = true;
  std::string reason;  // why it is unfit
  bool slow = false;
  std::string barred = {};  // why it must not lead; empty: it may
};
/// What the members' clocks agree on (DESIGN section 6, rule 8): stamps later than this are no
/// honest ones. Until the first of these, and with the greatest time, every stamp passes.
struct NewestStamp {
  HybridTime time;
};
/// Ask for an orderly hand-over of leadership: shutdown. Gives up after T even without a successor.
struct StepDown {
  std::string reason;
};
/// Ask that `to`, a voter, leads instead (thesis section 3.10). Nothing is proposed meanwhile;
/// after T without success this leader goes on. The outcome tells whether it was begun:
/// kInvalidArgument if it is no other voter, kUnavailable if it is not well or another hand-over is
/// under way.
struct TransferLeadership {
  std::uint64_t id = 0;  // like a proposal's
  MemberId to;
  std::string reason = {};  // what is told as the reason to step down; empty: it was asked to
};

using Input = std::variant<Tick, Receive, LinkUp, LinkDown, Propose, ChangeMembership, ReadBarrier,
                           AskForTime, Persisted, PersistFailed, Loaded, Applied, LogCut,
                           SnapshotRead, SnapshotStored, SnapshotInstalled, SelfAssessment,
                           NewestStamp, StepDown, TransferLeadership>;

// ---- Output ----

/// The entry right before a log's first one.
struct LogStart {
  Index index;
  Term term;
  ChainHash hash;
  bool operator==(const LogStart&) const = default;
};
/// One write of the log. Written and synced in order; may be merged with its neighbours.
struct PersistRequest {
  Ordinal ordinal;
  Term term;  // the core's term when it was queued: the fence of DESIGN section 5.14
  std::optional<HardState> hard_state;
  /// Once all else is durable the mark of the quarantine is removed, before this is complete.
  bool end_quarantine = false;
  /// The log is emptied, whatever it holds, and begins right after this entry: a snapshot was
  /// installed. Comes before the others.
  std::optional<LogStart> restart;
  std::optional<Index> truncate_from;  // entries from here on are removed before `entries` are put
  std::vector<EntryPtr> entries;       // contiguous
};
/// To be sent once everything up to `after` is durable; dropped if the process ends before.
struct DeferredMessage {
  Ordinal after;
  Message message;
};
struct LoadRequest {
  MemberId peer;  // on whose behalf; comes back in Loaded
  Index from;
  Index to;                     // inclusive
  std::size_t limit_bytes = 0;  // at least one entry is returned
};
/// Asks for a chunk of a snapshot of the own state, for `peer`; comes back as SnapshotRead.
struct SnapshotReadRequest {
  MemberId peer;
  Index index;              // of the snapshot that was opened for it; zero: of a new one
  std::uint64_t chunk = 0;  // any up to the one after the last that was read
};
/// A chunk of a snapshot from the leader. Chunk 0 begins a new one and ends what was there before.
struct SnapshotStoreRequest {
  std::uint64_t id = 0;  // comes back in SnapshotStored
  SnapshotMeta snapshot;
  std::uint64_t chunk = 0;
  std::shared_ptr<const std::string> data;
  bool done = false;
};
/// A read barrier's end: kOk: any state that has applied `index` may answer. Otherwise refused.
struct ReadOutcome {
  std::uint64_t id = 0;
  base::Code code = base::Code::kOk;
  Index index;
};
/// What became of a proposal. kOk: appended at (term, index); if that entry is applied it took
/// effect, if another term's is applied there it never did. Any other code before that: never
/// appended. kLeadershipLost after kOk: unknown from here on.
struct ProposalOutcome {
  std::uint64_t id = 0;
  base::Code code = base::Code::kOk;
  Term term;
  Index index;
  std::string detail = {};  // why not, where the code alone does not say; mostly empty
};

struct Output {
  std::vector<PersistRequest> persist;
  std::vector<Message> send;
  std::vector<DeferredMessage> send_once_persisted;
  std::vector<LoadRequest> loads;
  std::vector<EntryPtr> apply;  // committed, contiguous, each index once an opening
  std::vector<SnapshotReadRequest> snapshot_reads;
  std::vector<MemberId> snapshot_drops;  // the snapshots opened for these are not needed any more
  std::vector<SnapshotStoreRequest> snapshot_stores;
  /// All chunks of it are stored: it is to take the state's place, after what was handed to apply.
  /// Nothing more is handed to apply until SnapshotInstalled.
  std::optional<SnapshotMeta> install_snapshot;
  std::vector<ReadOutcome> reads;
  HybridTime wanted_time;  // a leader's followers wait for an entry with a later stamp
  std::vector<ProposalOutcome> outcomes;
  /// Set when another configuration is in force, or the same one from another entry.
  std::optional<Configuration> configuration;
  /// Set once: this member must be marked as quarantined, durably, with this reason.
  std::optional<std::string> quarantine;
  std::vector<TraceEvent> trace;
};

enum class Role : std::uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };
std::string_view name_of(Role role);

/// What is known of a peer, for status and metrics.
struct PeerStatus {
  MemberId id;
  bool link_up = false;
  Index match;
  Index snapshot;                  // on its way to it; zero: none
  std::uint32_t silent_ticks = 0;  // since anything was heard
  std::uint32_t stuck_ticks =
      0;  // a leader's: it lacks entries and has acknowledged none for so long
  ProgressReport progress;
};

/// What can be seen from outside at once. A copy; it changes nothing.
struct CoreSummary {
  Role role = Role::kFollower;
  Term term;
  Term durable_term;
  MemberId leader;  // zero: none known
  Index first, last, durable, commit, applied;
  bool stalled = false;
  bool quarantined = false;
  bool failed = false;          // after PersistFailed
  bool can_read = false;        // leader with an entry of its own term committed
  bool needs_snapshot = false;  // the log begins above the state: nothing is applied
  std::uint64_t leader_changes = 0;
  Index configuration_index;  // of the entry that set it; zero: none has
};

/// All that can be seen from outside. A copy, with names and texts.
struct CoreStatus : CoreSummary {
  Index cut_floor;  // durable on every voter, as far as is known
  /// The log must not be cut above it: committed, durable, above no snapshot that is on its way,
  /// nor what its receiver needs next.
  Index cut_limit;
  ChainHash last_hash;
  std::string stall_reason;
  std::string quarantine_reason;
  bool no_member = false;        // left out by a committed configuration, or so the others say
  std::string step_down_reason;  // why leadership was last given up; empty if never
  Configuration configuration;
  std::vector<PeerStatus> peers;
};

/// One member's protocol state.
/// Invariants (each CHECKed):
/// - term, commit and applied never fall; commit <= last; applied <= commit;
/// - a term that is not durable sends nothing but refusals (rule 1);
/// - persist ordinals are strictly increasing; persisted never exceeds what was asked for;
/// - committed entries are never truncated;
/// - entries above applied are in memory.
class Core {
 public:
  Core(Options options, Recovered recovered);
  ~Core();
  Core(Core&&) noexcept;
  Core& operator=(Core&&) noexcept;

  /// The only entry point. One thread.
  Output step(Input input);
  /// Cheap: no allocation.
  CoreSummary summary() const;
  /// What the peer has acknowledged, as far as this leader knows; zero elsewhere.
  Index match(MemberId peer) const;
  CoreStatus status() const;
  /// Term and hash of the entry at `index`; nullopt unless first <= index <= last.
  std::optional<EntryMeta> meta_at(Index index) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace raft
