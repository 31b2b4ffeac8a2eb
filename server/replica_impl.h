// What a Replica is inside (replica.h): where each request stands, and what may end it. Loop
// thread. Time, effects and completions are in replica.cc, requests and their ends in
// replica_requests.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "server/replica.h"
#include "storage/codec.h"

namespace server {

class Replica::Impl {
 public:
  Impl(ReplicaOptions options, raft::Options core_options, raft::Recovered recovered,
       kv::Position position, ReplicaPorts ports);

  void advance(std::uint64_t steady_ms, std::uint64_t wall_ms,
               std::optional<health::ClockVerdict> agreed);
  void step(raft::Input input) { dispatch(core_.step(std::move(input))); }
  /// False: it is answered, or will be, and nothing was done. `anywhere`: a late state will do.
  bool goes_on_from(std::uint64_t request, const Seen& seen, bool anywhere);
  void write(std::uint64_t request, std::string payload, bool frees, base::SessionId session);
  void leases(std::uint64_t request, LeaseQuestion question);
  void change_leases(const std::vector<kv::LeaseChange>& changes);
  void keep_room(const std::string& reason);
  void read(std::uint64_t request, kv::Transaction transaction, const Seen& seen);
  void read_serializable(std::uint64_t request, kv::Transaction transaction,
                         std::uint32_t max_staleness_ms, const Seen& seen);
  void change_members(std::uint64_t request, const MemberChange& change);
  void move_leader(std::uint64_t request, const std::string& to);
  void pump();
  void persisted(base::Ordinal ordinal);
  void persist_failed(const base::Status& status);
  void log_cut(base::Index through);
  void applied(std::vector<raft::EntryPtr> entries, std::vector<kv::Reply> replies,
               kv::Position position);
  void read_done(std::uint64_t request, base::Result<kv::TransactionResult> result,
                 kv::Position position);
  void snapshot_installed(raft::SnapshotMeta snapshot, kv::Position position);
  void assess(raft::SelfAssessment assessment);
  void yield_leadership(base::MemberId to, std::string reason);
  void drain();
  raft::CoreSummary summary() const { return core_.summary(); }
  base::Index match(base::MemberId peer) const { return core_.match(peer); }
  ReplicaStatus status() const;

 private:
  /// Where a request stands. Each is left by finish() alone.
  enum class Stage : std::uint8_t {
    kQueued,    // until pump()
    kInCore,    // a write that is proposed, a read whose barrier is asked for
    kAppended,  // a write in the log at (term, index)
    kWaiting,   // a read whose barrier ended; what it must see is not handed to apply yet
    kInApply,   // a read that apply works on
    kChanging,  // a membership change whose first step is applied
    kMoving,    // a hand-over of leadership that was begun
  };
  enum class Kind : std::uint8_t { kRead, kWrite, kMembers, kMoveLeader, kLeases, kDoubt };
  struct Pending {
    Stage stage = Stage::kQueued;
    Kind kind = Kind::kRead;
    std::size_t bytes = 0;
    base::MemberId to;            // kMoveLeader
    base::Term term;              // kAppended
    base::Index index;            // kAppended
    kv::Transaction transaction;  // of a read, until kInApply
    base::SessionId session;      // of a write
    LeaseQuestion question;       // kLeases
    Seen seen;                    // kRead, kDoubt
    bool reads() const {
      return kind == Kind::kRead || kind == Kind::kLeases || kind == Kind::kDoubt;
    }
  };
  using Request = std::uint64_t;
  /// By how much clocks may differ (DESIGN section 6, rule 8).
  static constexpr std::uint64_t kClocksDifferMs = health::AgreedTime::kMostOffUs / 1000;
  static constexpr Request kNobodys = UINT64_MAX;  // of what no client asked for

  base::Status admit(std::size_t bytes) const;
  Pending& add(Request request, Kind kind, std::size_t bytes);
  Pending* take_in(Request request, Kind kind, std::size_t bytes);
  void refuse(Request request, base::Status status);
  void finish(Request request, RequestOutcome outcome);
  void fail(Request request, base::Code code, std::string detail, base::MemberId leader);
  Header header(base::Term term) const;

  void dispatch(raft::Output output);
  void send_deferred(std::vector<raft::DeferredMessage> messages);
  void hand_to_apply(std::vector<raft::EntryPtr> entries);
  void settle(const std::vector<raft::ProposalOutcome>& outcomes);
  void place(const raft::ProposalOutcome& outcome);
  void release(const std::vector<raft::ReadOutcome>& outcomes);
  void start_read(Request request, Pending& pending);
  void start_waiting_reads();
  void answer_write(const raft::Entry& entry, kv::Reply reply, base::Term term);
  void end_install(raft::SnapshotMeta snapshot, kv::Position position);
  base::Index cut_target(const raft::CoreStatus& core) const;
  void step_of_change(Request request, const raft::Entry& entry, base::Term term);
  void finish_changes(const raft::Entry& entry, base::Term term);
  void finish_members(Request request, const raft::Configuration& configuration, base::Term term);
  void follow_moves(const raft::TraceEvent& event);
  void fail_everything();
  void resign_if_drained();
  void cut_log();
  void scrub_if_due();

  // Leases (replica_leases.cc).
  void count_leases();
  void answer_leases(Request request, base::Index barrier);
  void answer_waiting_leases();

  // What clients have seen (replica_lineage.cc).
  enum class Known : std::uint8_t { kNothing, kSame, kAnother };
  std::string contradiction(const Seen& seen) const;
  Known knows(const Seen& seen) const;
  bool lacks(const Seen& seen, base::Index read_index) const;
  std::string lacking(const Seen& seen, base::Index read_index) const;
  void end_doubt(Request request, base::Index read_index);

  // Time, and reads at a time (replica_times.cc).
  void merge_time(base::HybridTime time);
  std::uint64_t now_ms() const;
  base::HybridTime stamp();
  void bound_stamps();
  bool waits_for_time(Request request, Pending& pending);
  void let_time_pass();
  void release_times();

  const ReplicaOptions options_;
  const ReplicaPorts ports_;
  const base::MemberId self_;
  raft::Core core_;
  base::HybridClock clock_;
  kv::Position position_;  // as of the last completion of apply

  std::uint64_t steady_ms_ = 0;  // up to where time was turned into ticks
  std::uint64_t wall_ms_ = 0;
  std::optional<health::ClockVerdict> agreed_;  // none: the own clock counts as it is
  std::uint64_t next_bound_ms_ = 0;
  bool started_ = false;  // advance() was called
  std::uint64_t next_cut_ms_ = 0;
  const std::string scrub_payload_ = storage::encode(kv::Scrub{});
  std::uint64_t next_scrub_ms_ = 0;

  std::unordered_map<Request, Pending> pending_;
  std::size_t pending_bytes_ = 0;
  std::vector<raft::Proposal> queued_writes_;
  std::vector<Request> queued_reads_;
  std::multimap<base::HybridTime, std::pair<Request, std::uint64_t>>
      waiting_times_;             // and since when
  base::HybridTime wanted_time_;  // by followers, of this leader
  std::uint64_t next_time_tick_ms_ = 0;
  std::map<base::Index, Request> appended_;            // stage kAppended
  std::multimap<base::Index, Request> waiting_reads_;  // stage kWaiting
  std::vector<Request> changing_;                      // stage kChanging
  std::vector<Request> moving_;                        // stage kMoving

  Lessor lessor_;
  base::Term leases_of_;  // the term that lessor_ leads in
  std::size_t lease_questions_ = 0;
  std::multimap<base::Index, Request> waiting_questions_;  // by what must be applied

  base::Ordinal durable_;
  std::multimap<base::Ordinal, raft::Message> deferred_;
  base::Index handed_;  // the last index given to apply
  bool cut_in_flight_ = false;
  /// Waits until the cut that is in flight is done: a log that restarts must not be cut meanwhile.
  std::optional<std::pair<raft::SnapshotMeta, kv::Position>> installed_;
  bool draining_ = false;
  std::string full_reason_;  // empty: there is room
  bool resigned_ = false;    // gave leadership up for good
  std::uint64_t resign_at_ms_ = 0;
  bool failed_ = false;  // the log failed: nothing more is written, sent after a sync, or admitted

  std::uint64_t applied_entries_ = 0;
  std::uint64_t proposals_ = 0;
  std::uint64_t failed_proposals_ = 0;
  std::uint64_t failed_reads_ = 0;
};

/// The newest time that a range of it reads at; 0 if none does.
base::HybridTime newest_time(const kv::Transaction& transaction);

}  // namespace server
