// Core::Impl: the state of one member and what its source files share. Private to raft/.
//
// core.cc dispatches inputs and ends each step; election.cc holds section 5.2 of the Raft paper and
// chapter 9 of the thesis; leader.cc and follower.cc the two sides of section 5.3; reads.cc section
// 6.4 of the thesis; status.cc what is seen from outside.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/random.h"
#include "raft/core.h"
#include "raft/invariants.h"
#include "raft/log.h"
#include "raft/peers.h"
#include "raft/persistence.h"
#include "raft/progress.h"
#include "raft/read_index.h"
#include "raft/stall.h"

namespace raft {

// ---- Roles: a variant, so that a leader's fields exist only in a leader ----

struct Follower {
  MemberId leader;                 // zero: none known
  bool withdrawn = false;          // support was withdrawn from `leader`: it makes no progress
  std::uint32_t silent_ticks = 0;  // since `leader` was heard and supported
};
/// Entries that are fetched from a log that is ahead.
struct PullInProgress {
  MemberId from;
  Index agreed;                    // both logs are believed to be equal up to here
  std::vector<EntryPtr> gathered;  // what follows it there
  std::size_t bytes = 0;           // of those
};
struct PreCandidate {
  std::set<MemberId> granted;
  std::set<MemberId> answered;  // either way: not asked again
  MemberId ahead;               // whose log is the furthest ahead of the own; zero: nobody's
  std::pair<Term, Index> ahead_end;
  std::optional<PullInProgress> pull;
  MemberId forsaken;  // the leader from which support was withdrawn; zero: none
  std::uint32_t resend_ticks = 0;
};
struct Candidate {
  bool transfer = false;                    // the leader asked for this election
  std::map<MemberId, Incarnation> granted;  // self only once its own vote is durable
  std::set<MemberId> answered;              // either way: not asked again
  std::uint32_t resend_ticks = 0;
};
struct PendingProposal {
  std::uint64_t id = 0;
  Index index;
};
/// A read of another member's client.
struct RemoteRead {
  Message request;
  std::uint64_t id = 0;  // the other's
};
/// A snapshot on its way to a follower.
struct SnapshotTransfer {
  std::uint64_t id = 0;                // over this opening
  Index index;                         // of the snapshot; zero until it is opened
  Index floor;                         // the snapshot is at least here
  std::uint64_t chunk = 0;             // that the follower waits for
  bool reading = false;                // it was asked for and has not come
  std::uint64_t sent_chunks = 0;       // so many at most does an honest follower have
  std::uint64_t all_chunks = 0;        // the snapshot has; zero until the last was sent
  std::uint32_t unanswered_ticks = 0;  // since it was sent
  std::uint32_t silent_ticks = 0;      // since the follower's last answer
};
struct Leader {
  Index first_index;  // of its first entry: no reads before that is committed
  std::map<MemberId, Progress> progress;
  std::map<MemberId, SnapshotTransfer> transfers;
  /// Ticks left for who has installed a snapshot and lacks what was written meanwhile.
  std::map<MemberId, std::uint32_t> catching_up;
  Index caught_up_floor;  // the commit index at least T ago; zero until then
  Index next_floor;
  std::uint32_t floor_ticks = 0;          // since it was taken
  std::deque<PendingProposal> proposals;  // appended and not committed, by index
  std::size_t uncommitted_bytes = 0;      // of the entries above commit
  std::set<MemberId> clock_refused;       // by these, in their last answers
  std::uint32_t heartbeat_ticks = 0;      // since the last round of heartbeats
  ReadIndex reads;
  std::map<std::uint64_t, RemoteRead> remote_reads;  // of those in `reads`, by id
  /// Set by a hand-over: nothing more is proposed, and leadership goes once a successor has
  /// everything.
  std::optional<std::string> leaving;
  MemberId heir;                    // zero: whoever is best
  std::uint32_t leaving_ticks = 0;  // since then
};

/// A snapshot from a leader, chunk by chunk. Resumed only by the same opening of the same sender.
struct IncomingSnapshot {
  MemberId from;
  Opening opening;             // of the sender
  std::uint64_t transfer = 0;  // the sender's
  Term term;                   // in which it was sent
  SnapshotMeta meta;
  std::uint64_t id = 0;  // of the chunk that is being stored
  std::uint64_t next_chunk = 0;
  bool storing = false;
  bool last = false;        // the one that is being stored ends it
  bool complete = false;    // all are stored
  bool installing = false;  // it is taking the state's place
};

/// How far a quarantined member is on its way back (section 6, rule 4).
struct Repair {
  std::set<MemberId> heard;  // others whose term is not above the own, since the quarantine began
  Term term;                 // of the leader that named the target; zero: none has
  Index target;
  Term matched_term;
  Index matched;                  // by the leader of that term
  std::optional<Ordinal> ending;  // once this is durable, it is over
  bool hopeless = false;          // in this opening
  std::uint32_t ask_ticks = 0;
};

class Core::Impl {
 public:
  Impl(Options options, Recovered recovered);
  Output step(Input input);
  CoreSummary summary() const;
  Index match(MemberId peer) const;
  CoreStatus status() const;
  std::optional<EntryMeta> meta_at(Index index) const;

 private:
  /// What a message rests on; it leaves once that is durable (section 6, rule 1).
  struct Outgoing {
    Message message;
    bool on_vote = false;  // the newest hard state
    Index on_index;        // the log up to here
  };
  /// A configuration and the index of the entry that set it.
  struct SetConfiguration {
    Index index;
    Configuration configuration;
  };

  // ---- core.cc: inputs, and the end of a step ----
  void on(const Tick& tick);
  void on(const Receive& receive);
  void on(const LinkUp& link);
  void on(const LinkDown& link);
  void on(Propose& propose);
  void on(const ReadBarrier& barrier);
  void on(const AskForTime& wanted);
  void on(const Persisted& persisted);
  void on(const PersistFailed& failed);
  void on(const Loaded& loaded);
  void on(const Applied& applied);
  void on(const LogCut& cut);
  void on(const SnapshotRead& read);
  void on(const SnapshotStored& stored);
  void on(const SnapshotInstalled& installed);
  void on(const SelfAssessment& assessment);
  void on(const NewestStamp& newest) { newest_stamp_ = newest.time; }
  void on(const StepDown& step_down);
  void on(const TransferLeadership& transfer);
  void tick_once();
  void slept(std::uint32_t ticks);
  void finish_step();
  void hand_to_apply();
  void release_messages();
  void note_leader();
  Watermarks watermarks() const;
  /// Ticks in words: "600 ms".
  std::string milliseconds(std::uint32_t ticks) const {
    return std::to_string(std::uint64_t{ticks} * options_.tick_ms) + " ms";
  }

  // ---- core.cc: sending, the one place ----
  Outgoing& send(MemberId to, MessageBody body);
  void reply(const Message& to, MessageBody body, bool on_vote = false, Index on_index = Index());
  void trace(TraceKind kind, Index index = Index(), MemberId peer = MemberId(),
             std::string detail = "");

  // ---- receive.cc: envelopes, openings, terms ----
  void receive(const Message& message);
  Peer* admit(const Message& message);
  void refuse(const Message& message, RefusalReason reason, Peer& peer);
  void forget_opening(MemberId peer);
  bool settle_term(const Message& message);
  void answer_old_term(const Message& message);
  void on_message(const Message& message, const RequestVote& body);
  void on_message(const Message& message, const RequestVoteReply& body);
  void on_message(const Message& message, const AppendEntries& body);
  void on_message(const Message& message, const AppendEntriesReply& body);
  void on_message(const Message& message, const Heartbeat& body);
  void on_message(const Message& message, const HeartbeatReply& body);
  void on_message(const Message& message, const TimeoutNow& body);
  void on_message(const Message& message, const Refusal& body);
  void on_message(const Message& message, const InstallSnapshot& body);
  void on_message(const Message& message, const InstallSnapshotReply& body);
  void on_message(const Message& message, const Pull& body);
  void on_message(const Message& message, const PullReply& body);
  void on_message(const Message& message, const ReadIndexRequest& body);
  void on_message(const Message& message, const WantTime& body);
  void on_message(const Message& message, const ReadIndexReply& body);

  // ---- quarantine.cc ----
  void enter_quarantine(const std::string& reason);
  void on_rolled_back(MemberId by, Ordinal remembered);
  void tick_quarantine();
  bool terms_are_known() const;
  void note_term_of(const Message& message);
  void note_repair_target(const Message& message, const Heartbeat& body);
  void note_match(Index match);
  void end_quarantine_when_repaired();
  void on_quarantine_ended();

  // ---- election.cc ----
  void become_follower(Term term, MemberId leader, const std::string& why);
  void become_pre_candidate();
  void become_candidate(bool transfer);
  void become_leader();
  void tick_election();
  void ask_for_votes();
  void count_votes();
  void reset_election_timer();
  void shorten_election_timer();
  bool may_campaign() const;
  bool sticky() const;
  bool up_to_date(const RequestVote& body) const;
  void give_way(MemberId candidate);
  bool asks_at_once(const Message& message, const RequestVote& body) const;
  bool elects(const std::function<bool(MemberId)>& granted) const;
  void set_hard_state(const HardState& hard_state);
  void leave_office(const std::string& reason);
  void give_up_leadership(const std::string& why, MemberId next);
  void abandon(Leader& leader, const std::string& why);
  void leave_when_caught_up();
  void abort_transfer(const std::string& why);
  MemberId successor() const;
  bool may_succeed(const Member& voter) const;
  void review_health();

  // ---- pull.cc ----
  void consider_pull(const Message& message, const RequestVoteReply& body);
  void ask_for_entries();
  bool follows(const PullInProgress& pull, const PullReply& body) const;
  void adopt_pulled();

  // ---- leader.cc ----
  void tick_leader();
  bool has_quorum() const;
  void send_heartbeats();
  void replicate(MemberId peer);
  void replicate_all();
  bool send_append(MemberId peer, Progress& progress);
  void send_entries(MemberId peer, Progress& progress, Index from, std::vector<EntryPtr> entries);
  bool clock_is_refused(MemberId by);
  void append_own(EntryKind kind, HybridTime at_least, std::string payload);
  void advance_commit();
  bool peer_is_silent(MemberId peer) const;

  // ---- follower.cc ----
  bool adopt_leader(const Message& message);
  bool lacks_progress(const ProgressReport& report) const;
  bool sound(Term latest, const AppendEntries& body) const;
  bool agrees(const Message& message, const AppendEntries& body);
  bool take_entries(const Message& message, const AppendEntries& body);
  bool refuses_stamps(const Message& message, const AppendEntries& body);
  void reject(const Message& message, Index previous, Index hint, bool diverged);
  void diverged(const Message& message, Index index, const std::string& why);

  // ---- replication.cc: what both sides do to log and commit ----
  void append_entry(EntryPtr entry);
  void truncate(Index from);
  void commit_to(Index index);
  const Configuration& configuration() const { return configurations_.back().configuration; }
  Index own_match() const;
  bool peer_counts(MemberId peer) const;
  Index cut_floor() const;
  Index cut_limit() const;
  ProgressReport report() const;

  // ---- snapshots.cc ----
  void begin_snapshot(MemberId peer);
  void offer_snapshot(MemberId peer, Index applied);
  void end_snapshot(MemberId peer, const std::string& why);
  void read_chunk(MemberId peer, SnapshotTransfer& transfer);
  bool is_catching_up(MemberId id) const;
  void tick_snapshots();
  void take_chunk(const Message& message, const InstallSnapshot& body);
  void answer_installed(const Message& message, const InstallSnapshot& body);
  void answer_incoming();
  void hand_to_install();
  void restart_log(const SnapshotMeta& meta);
  void recount_unapplied();

  // ---- membership.cc ----
  void configuration_changed();
  Peer& stranger(MemberId id);
  Peer* find_peer(const Message& message);
  void on(const ChangeMembership& change);
  bool may_change() const;
  bool excludes(MemberId id) const;
  void begin_change(const Configuration& next);
  void settle_membership();
  void tick_membership();
  bool caught_up(const Member& learner) const;

  // ---- reads.cc ----
  bool can_read() const;
  void take_reads(const std::vector<std::uint64_t>& ids);
  void forward_reads(const std::vector<std::uint64_t>& ids);
  void fail_forwarded(base::Code code);
  void tick_reads();
  void answer_read(std::uint64_t id, base::Code code, Index index);
  void open_round();
  void close_round();

  Leader* leader() { return std::get_if<Leader>(&role_); }
  const Leader* leader() const { return std::get_if<Leader>(&role_); }
  Follower* follower() { return std::get_if<Follower>(&role_); }
  const Follower* follower() const { return std::get_if<Follower>(&role_); }
  MemberId known_leader() const;
  Term term() const { return hard_state_.term; }
  bool is_voter() const;
  base::Code refusal_code() const;

  const Options options_;
  base::Random random_;
  Log log_;
  Persistence persistence_;
  Ordinal recovered_ordinal_;  // at this opening; after a quarantine: at its end
  HardState hard_state_;       // as decided; changed by set_hard_state only
  std::vector<SetConfiguration> configurations_;
  std::map<MemberId, Peer> peers_;      // every member but self
  std::set<MemberId> links_up_;         // also to those that are no members yet, or no more
  std::map<MemberId, Peer> strangers_;  // who was heard from and is no member, as far as is known
  std::variant<Follower, PreCandidate, Candidate, Leader> role_;

  Index commit_;
  Index apply_asked_;               // handed to apply up to here
  std::size_t applying_bytes_ = 0;  // of the entries above applied_ that were handed to apply
  Index applied_;
  std::size_t unapplied_bytes_ = 0;  // of the committed entries above applied_
  bool log_complete_;                // false: the log begins above the state; nothing is applied
  std::optional<IncomingSnapshot> incoming_;
  std::uint64_t store_counter_ = 0;     // of chunks to be stored, over this opening
  std::uint64_t transfer_counter_ = 0;  // of snapshots to be sent, likewise
  Index told_cut_floor_;                // by the leader

  std::uint32_t election_ticks_ = 0;    // since the timer was reset
  std::uint32_t election_timeout_ = 0;  // in [T, 2T), or short after the leader's link went
  bool stands_back_ = false;  // led, and lost its quorum; until somebody leads, itself too
  std::map<std::uint64_t, std::uint32_t> forwarded_;  // reads that the leader was asked for: ticks
  std::uint64_t remote_read_counter_ = 0;             // over all terms of this opening
  std::uint64_t round_counter_ = 0;  // of RoundTokens, over all terms of this opening
  std::deque<Ordinal> deferred_;     // what is waited for by messages that are outside already

  Stall stall_;
  bool stalled_ = false;
  std::string stall_reason_;
  bool quarantined_ = false;
  std::string quarantine_reason_;
  Repair repair_;
  bool repaired_ = false;  // a quarantine ended in this opening
  bool failed_ = false;
  std::string step_down_reason_;
  HybridTime newest_stamp_ = HybridTime(UINT64_MAX);  // by the agreed time
  /// Since a pre-vote was given way to; gone once a request for a vote or a leader has followed.
  std::map<MemberId, std::uint32_t> gave_way_ticks_;
  std::set<MemberId> unknown_to_;    // members that refuse this data directory
  std::set<MemberId> no_member_to_;  // members that say that this one is none
  MemberId noted_leader_;            // as last traced
  std::uint64_t leader_changes_ = 0;

  // Of the step in progress.
  Output output_;
  std::vector<Outgoing> outgoing_;
};

}  // namespace raft
