// The glue between raft::Core and its ports (replica.h). Pure glue: no thread, no clock, no
// protocol; each input is one step of the core, and each output goes to its port in an order that
// keeps DESIGN section 6, rules 1 and 2. Loop thread.
//
// Long because it is one object: where a request stands, and what may end it, is one table of
// stages that writes, reads, membership and snapshots share.
#include "server/replica.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace server {
namespace {

using base::Code;
using base::Index;
using base::Status;
using base::Term;

constexpr std::uint64_t kCutEveryMs = 1000;
/// How many times its size the log may grow for a member that lacks what would be cut.
constexpr std::uint64_t kLogPatience = 4;
/// How long a shutdown waits for pending requests before leadership is given up.
constexpr std::uint64_t kDrainMs = 500;
/// Messages that wait for a sync that hangs; Raft repeats what is dropped above it.
constexpr std::size_t kMaxDeferredMessages = 4096;

std::size_t bytes_of(const kv::Transaction& transaction) {
  std::size_t bytes = 64;
  for (const auto& compare : transaction.compares)
    bytes += compare.key.size() + compare.value.size();
  for (const auto* branch : {&transaction.then, &transaction.otherwise}) {
    for (const auto& operation : *branch) {
      bytes += 64;
      if (const auto* range = std::get_if<kv::RangeOperation>(&operation)) {
        bytes += range->range.begin.size() + range->range.end.size();
      }
    }
  }
  return bytes;
}

}  // namespace

class Replica::Impl {
 public:
  Impl(ReplicaOptions options, raft::Options core_options, raft::Recovered recovered,
       kv::Position position, ReplicaPorts ports);

  void advance(std::uint64_t steady_ms, std::uint64_t wall_ms);
  void step(raft::Input input) { dispatch(core_.step(std::move(input))); }
  void write(std::uint64_t request, std::string payload);
  void read(std::uint64_t request, kv::Transaction transaction);
  void read_serializable(std::uint64_t request, kv::Transaction transaction);
  void change_members(std::uint64_t request, const MemberChange& change);
  void move_leader(std::uint64_t request, const std::string& to);
  void pump();
  void persisted(base::Ordinal ordinal);
  void persist_failed(const Status& status);
  void log_cut(Index through);
  void applied(std::vector<raft::EntryPtr> entries, std::vector<kv::Reply> replies,
               kv::Position position);
  void read_done(std::uint64_t request, base::Result<kv::TransactionResult> result,
                 kv::Position position);
  void snapshot_installed(raft::SnapshotMeta snapshot, kv::Position position);
  void drain();
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
  enum class Kind : std::uint8_t { kRead, kWrite, kMembers, kMoveLeader };
  struct Pending {
    Stage stage = Stage::kQueued;
    Kind kind = Kind::kRead;
    std::size_t bytes = 0;
    base::MemberId to;            // kMoveLeader
    Term term;                    // kAppended
    Index index;                  // kAppended
    kv::Transaction transaction;  // of a read, until kInApply
  };
  using Request = std::uint64_t;

  Status admit(std::size_t bytes) const;
  Pending* take_in(Request request, Kind kind, std::size_t bytes);
  void refuse(Request request, Status status);
  void finish(Request request, RequestOutcome outcome);
  void fail(Request request, Code code, std::string detail, base::MemberId leader);
  Header header(Term term) const;

  void dispatch(raft::Output output);
  void send_deferred(std::vector<raft::DeferredMessage> messages);
  void hand_to_apply(std::vector<raft::EntryPtr> entries);
  void settle(const std::vector<raft::ProposalOutcome>& outcomes);
  void place(const raft::ProposalOutcome& outcome);
  void release(const std::vector<raft::ReadOutcome>& outcomes);
  void start_read(Request request, Pending& pending);
  void start_waiting_reads();
  void answer_write(const raft::Entry& entry, kv::Reply reply, Term term);
  void end_install(raft::SnapshotMeta snapshot, kv::Position position);
  Index cut_target(const raft::CoreStatus& core) const;
  void step_of_change(Request request, const raft::Entry& entry, Term term);
  void finish_changes(const raft::Entry& entry, Term term);
  void finish_members(Request request, const raft::Configuration& configuration, Term term);
  void follow_moves(const raft::TraceEvent& event);
  void fail_everything();
  void resign_if_drained();
  void cut_log();

  const ReplicaOptions options_;
  const ReplicaPorts ports_;
  const base::MemberId self_;
  raft::Core core_;
  base::HybridClock clock_;
  kv::Position position_;  // as of the last completion of apply

  std::uint64_t steady_ms_ = 0;  // up to where time was turned into ticks
  std::uint64_t wall_ms_ = 0;
  bool started_ = false;  // advance() was called
  std::uint64_t next_cut_ms_ = 0;

  std::unordered_map<Request, Pending> pending_;
  std::size_t pending_bytes_ = 0;
  std::vector<raft::Proposal> queued_writes_;
  std::vector<Request> queued_reads_;
  std::map<Index, Request> appended_;            // stage kAppended
  std::multimap<Index, Request> waiting_reads_;  // stage kWaiting
  std::vector<Request> changing_;                // stage kChanging
  std::vector<Request> moving_;                  // stage kMoving

  base::Ordinal durable_;
  std::multimap<base::Ordinal, raft::Message> deferred_;
  Index handed_;  // the last index given to apply
  bool cut_in_flight_ = false;
  /// Waits until the cut that is in flight is done: a log that restarts must not be cut meanwhile.
  std::optional<std::pair<raft::SnapshotMeta, kv::Position>> installed_;
  bool draining_ = false;
  bool resigned_ = false;  // gave leadership up for good
  std::uint64_t resign_at_ms_ = 0;
  bool failed_ = false;  // the log failed: nothing more is written, sent after a sync, or admitted

  std::uint64_t applied_entries_ = 0;
  std::uint64_t proposals_ = 0;
  std::uint64_t failed_proposals_ = 0;
  std::uint64_t failed_reads_ = 0;
};

Replica::Impl::Impl(ReplicaOptions options, raft::Options core_options, raft::Recovered recovered,
                    kv::Position position, ReplicaPorts ports)
    : options_(options),
      ports_(ports),
      self_(core_options.self),
      core_(core_options, recovered),
      position_(std::move(position)),
      durable_(recovered.ordinal),
      handed_(recovered.applied) {
  CHECK(ports_.log && ports_.apply && ports_.snapshots && ports_.transport && ports_.clients &&
        ports_.trace);
  CHECK(options_.tick_ms > 0);
  CHECK(position_.applied == recovered.applied, "the position is the one that was recovered with");
  clock_.observe(position_.time);
}

// ---- Time ----

void Replica::Impl::advance(std::uint64_t steady_ms, std::uint64_t wall_ms) {
  wall_ms_ = wall_ms;
  if (!started_) {
    started_ = true;
    steady_ms_ = steady_ms;
    next_cut_ms_ = steady_ms + kCutEveryMs;
    return;
  }
  CHECK(steady_ms >= steady_ms_ || steady_ms_ - steady_ms < options_.tick_ms,
        "the boot-time clock never goes back");
  if (steady_ms < steady_ms_ + options_.tick_ms) return;
  const std::uint64_t ticks = (steady_ms - steady_ms_) / options_.tick_ms;
  steady_ms_ += ticks * options_.tick_ms;
  step(raft::Tick{static_cast<std::uint32_t>(std::min<std::uint64_t>(ticks, UINT32_MAX))});
  resign_if_drained();
  if (steady_ms >= next_cut_ms_) {
    next_cut_ms_ = steady_ms + kCutEveryMs;
    cut_log();
  }
}

/// Where everybody has the entries; or, once the log is far too large, what leaves the newest part.
Index Replica::Impl::cut_target(const raft::CoreStatus& core) const {
  if (ports_.log->size_bytes() <= kLogPatience * options_.log_bytes) return core.cut_floor;
  std::uint64_t kept_bytes = 0;
  Index index = core.last;
  for (; index >= core.first && kept_bytes < options_.log_bytes; index = index.previous()) {
    kept_bytes += core_.meta_at(index)->size_bytes;
  }
  return std::max(core.cut_floor, std::min(index, core.cut_limit));
}

/// Rule 9: only below the applied index as the engine has it durable.
void Replica::Impl::cut_log() {
  if (failed_ || cut_in_flight_ || ports_.log->size_bytes() <= options_.log_bytes) return;
  const raft::CoreStatus core = core_.status();
  if (core.quarantined || core.last <= core.first) return;
  const Index wanted = std::min({cut_target(core), core.durable, core.last.previous()});
  // The core may not know yet of what apply has just done.
  const Index through = std::min({wanted, ports_.apply->durable_applied(), core.applied});
  if (wanted < core.first) return;
  if (through < core.first) return ports_.apply->flush();
  const auto meta = core_.meta_at(through);
  CHECK(meta.has_value(), "an index between first and last has a term and a hash");
  cut_in_flight_ = true;
  ports_.log->cut(through, meta->term, meta->hash);
}

void Replica::Impl::log_cut(Index through) {
  cut_in_flight_ = false;
  step(raft::LogCut{through});
  if (auto installed = std::exchange(installed_, std::nullopt)) {
    end_install(std::move(installed->first), std::move(installed->second));
  }
}

// ---- Requests ----

Status Replica::Impl::admit(std::size_t bytes) const {
  if (failed_) return {Code::kUnavailable, "this member's log has failed; it is about to end"};
  if (draining_) return {Code::kUnavailable, "this member is shutting down"};
  if (pending_.size() >= options_.pending_requests) {
    return {Code::kOverloaded, "too many requests are pending"};
  }
  if (!pending_.empty() && pending_bytes_ + bytes > options_.pending_bytes) {
    return {Code::kOverloaded, "too many bytes of requests are pending"};
  }
  return Status::ok();
}

/// Null: the request was refused, and is finished.
Replica::Impl::Pending* Replica::Impl::take_in(Request request, Kind kind, std::size_t bytes) {
  if (Status status = admit(bytes); !status.is_ok()) {
    refuse(request, std::move(status));
    return nullptr;
  }
  const auto [at, added] = pending_.try_emplace(request);
  CHECK(added, "a request id is used once");
  at->second.kind = kind;
  at->second.bytes = bytes;
  pending_bytes_ += bytes;
  return &at->second;
}

void Replica::Impl::write(Request request, std::string payload) {
  if (take_in(request, Kind::kWrite, payload.size()) == nullptr) return;
  queued_writes_.push_back({request, {}, std::move(payload)});
}

void Replica::Impl::read(Request request, kv::Transaction transaction) {
  CHECK(!kv::writes(transaction), "reads do not write");
  Pending* pending = take_in(request, Kind::kRead, bytes_of(transaction));
  if (pending == nullptr) return;
  pending->transaction = std::move(transaction);
  queued_reads_.push_back(request);
}

void Replica::Impl::read_serializable(Request request, kv::Transaction transaction) {
  CHECK(!kv::writes(transaction), "reads do not write");
  // Rule 4: a member in quarantine serves nothing.
  if (const auto core = core_.status(); core.quarantined) {
    return refuse(request, {Code::kQuarantined, core.quarantine_reason});
  }
  Pending* pending = take_in(request, Kind::kRead, bytes_of(transaction));
  if (pending == nullptr) return;
  pending->transaction = std::move(transaction);
  start_read(request, *pending);
}

void Replica::Impl::change_members(Request request, const MemberChange& change) {
  if (take_in(request, Kind::kMembers, sizeof(MemberChange)) == nullptr) return;
  const auto core = core_.status();
  if (core.role != raft::Role::kLeader) {
    const Code code = core.leader ? Code::kNotLeader : Code::kNoLeader;
    return fail(request, code, "", core.leader);
  }
  if (change.kind == MemberChangeKind::kList) {
    return finish_members(request, core.configuration, core.term);
  }
  if (core.configuration.joint()) {
    return fail(request, Code::kUnavailable, "another change of the membership is under way",
                core.leader);
  }
  auto next = apply_change(core.configuration, change);
  if (!next) return fail(request, next.status().code(), next.status().detail(), core.leader);
  if (next.value() == core.configuration && core.configuration_index <= core.applied) {
    return finish_members(request, core.configuration, core.term);
  }
  pending_.at(request).stage = Stage::kInCore;
  step(raft::ChangeMembership{request, core.configuration, std::move(next).value()});
}

void Replica::Impl::move_leader(Request request, const std::string& to) {
  Pending* pending = take_in(request, Kind::kMoveLeader, to.size());
  if (pending == nullptr) return;
  const auto core = core_.status();
  const raft::Member* member = find_member(core.configuration, to);
  if (member == nullptr) {
    return fail(request, Code::kInvalidArgument, "there is no member '" + to + "'", core.leader);
  }
  if (member->id == core.leader) {
    RequestOutcome outcome;
    outcome.header = header(core.term);
    return finish(request, std::move(outcome));
  }
  pending->stage = Stage::kInCore;
  pending->to = member->id;
  step(raft::TransferLeadership{request, member->id});
}

void Replica::Impl::pump() {
  if (!queued_writes_.empty()) {
    raft::Propose propose{std::exchange(queued_writes_, {})};
    for (auto& proposal : propose.proposals) {
      proposal.stamp = clock_.now(wall_ms_);
      pending_.at(proposal.id).stage = Stage::kInCore;
    }
    proposals_ += propose.proposals.size();
    step(std::move(propose));
  }
  if (!queued_reads_.empty()) {
    raft::ReadBarrier barrier{std::exchange(queued_reads_, {})};
    for (const Request request : barrier.ids) pending_.at(request).stage = Stage::kInCore;
    step(std::move(barrier));
  }
}

void Replica::Impl::refuse(Request request, Status status) {
  RequestOutcome outcome;
  outcome.status = std::move(status);
  const auto core = core_.status();
  outcome.leader = core.leader;
  outcome.header = header(core.term);
  ports_.clients->finish(request, std::move(outcome));
}

void Replica::Impl::finish(Request request, RequestOutcome outcome) {
  const auto at = pending_.find(request);
  CHECK(at != pending_.end(), "each request is finished once");
  const bool failed = !outcome.status.is_ok();
  const Kind kind = at->second.kind;
  if (failed && kind == Kind::kWrite && at->second.stage != Stage::kQueued) ++failed_proposals_;
  if (failed && kind == Kind::kRead) ++failed_reads_;
  pending_bytes_ -= at->second.bytes;
  pending_.erase(at);
  ports_.clients->finish(request, std::move(outcome));
}

void Replica::Impl::fail(Request request, Code code, std::string detail, base::MemberId leader) {
  RequestOutcome outcome;
  outcome.status = Status(code, std::move(detail));
  outcome.leader = leader;
  outcome.header = header(core_.status().term);
  finish(request, std::move(outcome));
}

Header Replica::Impl::header(Term term) const {
  return {.cluster = options_.cluster,
          .generation = position_.generation,
          .member = self_,
          .revision = position_.revision,
          .term = term,
          .time = position_.time,
          .applied = position_.applied,
          .hash = position_.hash};
}

// ---- Effects of a step ----

void Replica::Impl::dispatch(raft::Output output) {
  for (const auto& event : output.trace) {
    ports_.trace->trace(event);
    if (!moving_.empty()) follow_moves(event);
  }
  if (output.configuration) ports_.transport->members_changed(*output.configuration);
  // Written down before anything else follows from it (rule 4).
  if (output.quarantine) ports_.log->quarantine(std::move(*output.quarantine));
  for (auto& request : output.persist) {
    if (!failed_) ports_.log->append(std::move(request));
  }
  for (auto& message : output.send) ports_.transport->send(std::move(message));
  send_deferred(std::move(output.send_once_persisted));
  for (auto& load : output.loads) ports_.log->load(std::move(load));
  for (const auto peer : output.snapshot_drops) ports_.snapshots->drop(peer);
  for (auto& read : output.snapshot_reads) ports_.snapshots->read(std::move(read));
  for (auto& store : output.snapshot_stores) ports_.snapshots->store(std::move(store));
  hand_to_apply(std::move(output.apply));
  if (output.install_snapshot) ports_.snapshots->install(std::move(*output.install_snapshot));
  settle(output.outcomes);
  release(output.reads);
}

void Replica::Impl::send_deferred(std::vector<raft::DeferredMessage> messages) {
  for (auto& [after, message] : messages) {
    if (failed_) return;
    if (after <= durable_) {
      ports_.transport->send(std::move(message));
    } else if (deferred_.size() < kMaxDeferredMessages) {
      deferred_.emplace(after, std::move(message));
    }
  }
}

void Replica::Impl::persisted(base::Ordinal ordinal) {
  if (failed_) return;
  CHECK(ordinal >= durable_, "ordinals become durable in order");
  durable_ = ordinal;
  const auto end = deferred_.upper_bound(ordinal);
  for (auto at = deferred_.begin(); at != end; ++at) {
    ports_.transport->send(std::move(at->second));
  }
  deferred_.erase(deferred_.begin(), end);
  step(raft::Persisted{ordinal});
}

void Replica::Impl::persist_failed(const Status& status) {
  if (failed_) return;
  CHECK(!status.is_ok());
  failed_ = true;
  deferred_.clear();
  step(raft::PersistFailed{});
  fail_everything();
}

void Replica::Impl::fail_everything() {
  queued_writes_.clear();
  queued_reads_.clear();
  appended_.clear();
  waiting_reads_.clear();
  changing_.clear();
  moving_.clear();
  std::vector<std::pair<Request, Code>> left;
  for (const auto& [request, pending] : pending_) {
    // Apply still answers what it was given.
    if (pending.stage == Stage::kInApply) continue;
    const bool unknown = pending.kind != Kind::kRead && pending.stage != Stage::kQueued;
    left.emplace_back(request, unknown ? Code::kLeadershipLost : Code::kUnavailable);
  }
  std::sort(left.begin(), left.end());
  for (const auto& [request, code] : left) {
    fail(request, code, "this member's log has failed", core_.status().leader);
  }
}

// ---- Apply ----

void Replica::Impl::hand_to_apply(std::vector<raft::EntryPtr> entries) {
  if (entries.empty()) return;
  CHECK(entries.front()->index == handed_.next(), "entries are applied without a gap, each once");
  handed_ = entries.back()->index;
  ports_.apply->apply(std::move(entries), durable_);
  start_waiting_reads();
}

void Replica::Impl::start_waiting_reads() {
  const auto end = waiting_reads_.upper_bound(handed_);
  for (auto at = waiting_reads_.begin(); at != end; ++at) {
    start_read(at->second, pending_.at(at->second));
  }
  waiting_reads_.erase(waiting_reads_.begin(), end);
}

void Replica::Impl::start_read(Request request, Pending& pending) {
  pending.stage = Stage::kInApply;
  ports_.apply->read(request, std::move(pending.transaction));
}

void Replica::Impl::applied(std::vector<raft::EntryPtr> entries, std::vector<kv::Reply> replies,
                            kv::Position position) {
  CHECK(!entries.empty() && entries.size() == replies.size(), "one reply an entry");
  CHECK(position.applied == entries.back()->index);
  position_ = std::move(position);
  clock_.observe(position_.time);
  applied_entries_ += entries.size();
  const Term term = core_.status().term;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    answer_write(*entries[i], std::move(replies[i]), term);
    if (entries[i]->kind == raft::EntryKind::kConfiguration) finish_changes(*entries[i], term);
  }
  step(raft::Applied{position_.applied});
}

void Replica::Impl::answer_write(const raft::Entry& entry, kv::Reply reply, Term term) {
  const auto at = appended_.find(entry.index);
  if (at == appended_.end()) return;
  const Request request = at->second;
  appended_.erase(at);
  if (pending_.at(request).term != entry.term) {
    return fail(request, Code::kSuperseded, "another leader's entry took its place",
                core_.status().leader);
  }
  if (pending_.at(request).kind == Kind::kMembers) return step_of_change(request, entry, term);
  RequestOutcome outcome;
  outcome.reply = std::move(reply);
  outcome.header = header(term);
  finish(request, std::move(outcome));
}

// ---- Snapshots ----

void Replica::Impl::snapshot_installed(raft::SnapshotMeta snapshot, kv::Position position) {
  if (cut_in_flight_) {
    installed_.emplace(std::move(snapshot), std::move(position));
  } else {
    end_install(std::move(snapshot), std::move(position));
  }
}

/// The state has jumped: what was waited for below it is there, and what was proposed there ended
/// in a way that nobody here saw.
void Replica::Impl::end_install(raft::SnapshotMeta snapshot, kv::Position position) {
  const Index index = snapshot.index;
  CHECK(position.applied == index && index > handed_, "a snapshot moves the state forward");
  handed_ = index;
  position_ = std::move(position);
  clock_.observe(position_.time);
  while (!appended_.empty() && appended_.begin()->first <= index) {
    const Request request = appended_.begin()->second;
    appended_.erase(appended_.begin());
    fail(request, Code::kLeadershipLost, "its end is hidden in a snapshot", core_.status().leader);
  }
  step(raft::SnapshotInstalled{std::move(snapshot)});
  start_waiting_reads();
}

// ---- Membership ----

/// The first step of a change is applied: a joint one waits for its end.
void Replica::Impl::step_of_change(Request request, const raft::Entry& entry, Term term) {
  const auto configuration = raft::decode_configuration(entry.payload);
  CHECK(configuration.has_value(), "a change of the membership is a configuration");
  if (!configuration->joint()) return finish_members(request, *configuration, term);
  pending_.at(request).stage = Stage::kChanging;
  changing_.push_back(request);
}

void Replica::Impl::finish_changes(const raft::Entry& entry, Term term) {
  const auto configuration = raft::decode_configuration(entry.payload);
  if (!configuration || configuration->joint()) return;
  for (const Request request : std::exchange(changing_, {})) {
    finish_members(request, *configuration, term);
  }
}

void Replica::Impl::finish_members(Request request, const raft::Configuration& configuration,
                                   Term term) {
  RequestOutcome outcome;
  outcome.members = std::make_shared<const raft::Configuration>(configuration);
  outcome.header = header(term);
  finish(request, std::move(outcome));
}

/// A hand-over ends when somebody leads, or when the leader goes on.
void Replica::Impl::follow_moves(const raft::TraceEvent& event) {
  using raft::TraceKind;
  const bool aborted = event.kind == TraceKind::kTransferAborted;
  const bool leads = event.kind == TraceKind::kLeaderChanged && event.peer;
  if (!aborted && !leads) return;
  for (const Request request : std::exchange(moving_, {})) {
    if (aborted) {
      fail(request, Code::kUnavailable, event.detail, self_);
    } else if (event.peer != pending_.at(request).to) {
      fail(request, Code::kUnavailable, "another member was elected", event.peer);
    } else {
      RequestOutcome outcome;
      outcome.header = header(event.term);
      finish(request, std::move(outcome));
    }
  }
}

void Replica::Impl::read_done(Request request, base::Result<kv::TransactionResult> result,
                              kv::Position position) {
  const auto at = pending_.find(request);
  CHECK(at != pending_.end() && at->second.stage == Stage::kInApply, "a read that apply was given");
  // Completions of apply and of reads come in apply's order, so the position never goes back.
  CHECK(position.applied >= position_.applied);
  RequestOutcome outcome;
  outcome.is_read = true;
  outcome.status = result.status();
  if (result.is_ok()) outcome.result = std::move(result).value();
  outcome.header = header(core_.status().term);
  outcome.header.revision = position.revision;
  outcome.header.time = position.time;
  outcome.header.applied = position.applied;
  outcome.header.hash = position.hash;
  finish(request, std::move(outcome));
}

// ---- Ends of proposals and read barriers ----

void Replica::Impl::settle(const std::vector<raft::ProposalOutcome>& outcomes) {
  if (outcomes.empty()) return;
  std::optional<base::MemberId> leader;
  for (const auto& outcome : outcomes) {
    if (outcome.code == Code::kOk) {
      place(outcome);
      continue;
    }
    const auto at = pending_.find(outcome.id);
    if (at == pending_.end()) continue;  // it was answered by its apply already
    CHECK(at->second.kind != Kind::kRead);
    if (at->second.stage == Stage::kAppended) appended_.erase(at->second.index);
    if (!leader) leader = core_.status().leader;
    fail(outcome.id, outcome.code, outcome.detail, *leader);
  }
}

void Replica::Impl::place(const raft::ProposalOutcome& outcome) {
  Pending& pending = pending_.at(outcome.id);
  CHECK(pending.kind != Kind::kRead && pending.stage == Stage::kInCore);
  if (pending.kind == Kind::kMoveLeader) {
    pending.stage = Stage::kMoving;
    moving_.push_back(outcome.id);
    return;
  }
  CHECK(outcome.index > position_.applied, "a proposal is appended above what is applied");
  const auto [at, added] = appended_.try_emplace(outcome.index, outcome.id);
  if (!added) {
    // An earlier term's entry stood there. Another member may still have it, so its end is unknown.
    fail(std::exchange(at->second, outcome.id), Code::kLeadershipLost, "", core_.status().leader);
  }
  pending.stage = Stage::kAppended;
  pending.term = outcome.term;
  pending.index = outcome.index;
}

void Replica::Impl::release(const std::vector<raft::ReadOutcome>& outcomes) {
  if (outcomes.empty()) return;
  std::optional<base::MemberId> leader;
  for (const auto& outcome : outcomes) {
    const auto at = pending_.find(outcome.id);
    if (at == pending_.end()) continue;  // ended when the log failed
    Pending& pending = at->second;
    CHECK(pending.kind == Kind::kRead && pending.stage == Stage::kInCore);
    if (outcome.code != Code::kOk) {
      if (!leader) leader = core_.status().leader;
      fail(outcome.id, outcome.code, "", *leader);
    } else if (outcome.index <= handed_) {
      start_read(outcome.id, pending);
    } else {
      pending.stage = Stage::kWaiting;
      waiting_reads_.emplace(outcome.index, outcome.id);
    }
  }
}

// ---- The rest ----

void Replica::Impl::drain() {
  if (draining_) return;
  pump();
  draining_ = true;
  resign_at_ms_ = steady_ms_ + kDrainMs;
  resign_if_drained();
}

/// Leadership goes once nothing is pending, so that what was taken in gets a certain answer.
void Replica::Impl::resign_if_drained() {
  if (!draining_ || resigned_) return;
  if (!pending_.empty() && steady_ms_ < resign_at_ms_) return;
  step(raft::StepDown{"shutting down"});  // the core waits a little for a successor
  if (core_.status().role == raft::Role::kLeader) return;
  resigned_ = true;
  // Or it would campaign again before the process ends.
  step(raft::SelfAssessment{false, "shutting down"});
}

ReplicaStatus Replica::Impl::status() const {
  ReplicaStatus status;
  status.core = core_.status();
  status.position = position_;
  status.pending_requests = pending_.size();
  status.log_bytes = ports_.log->size_bytes();
  status.draining = draining_;
  status.applied_entries = applied_entries_;
  status.proposals = proposals_;
  status.failed_proposals = failed_proposals_;
  status.failed_reads = failed_reads_;
  return status;
}

Replica::Replica(ReplicaOptions options, raft::Options core_options, raft::Recovered recovered,
                 kv::Position position, ReplicaPorts ports) {
  core_options.tick_ms = options.tick_ms;
  impl_ = std::make_unique<Impl>(options, core_options, std::move(recovered), std::move(position),
                                 ports);
}
Replica::~Replica() = default;

void Replica::advance(std::uint64_t steady_ms, std::uint64_t wall_ms) {
  impl_->advance(steady_ms, wall_ms);
}
void Replica::receive(raft::Message message) {
  impl_->step(raft::Receive{std::move(message)});
}
void Replica::link_up(base::MemberId peer) {
  impl_->step(raft::LinkUp{peer});
}
void Replica::link_down(base::MemberId peer) {
  impl_->step(raft::LinkDown{peer});
}
void Replica::write(std::uint64_t request, std::string payload) {
  impl_->write(request, std::move(payload));
}
void Replica::read(std::uint64_t request, kv::Transaction transaction) {
  impl_->read(request, std::move(transaction));
}
void Replica::read_serializable(std::uint64_t request, kv::Transaction transaction) {
  impl_->read_serializable(request, std::move(transaction));
}
void Replica::change_members(std::uint64_t request, const MemberChange& change) {
  impl_->change_members(request, change);
}
void Replica::move_leader(std::uint64_t request, const std::string& to) {
  impl_->move_leader(request, to);
}
void Replica::pump() {
  impl_->pump();
}
void Replica::persisted(base::Ordinal ordinal) {
  impl_->persisted(ordinal);
}
void Replica::persist_failed(const base::Status& status) {
  impl_->persist_failed(status);
}
void Replica::loaded(base::MemberId peer, base::Index from, std::vector<raft::EntryPtr> entries) {
  impl_->step(raft::Loaded{peer, from, std::move(entries)});
}
void Replica::log_cut(base::Index through) {
  impl_->log_cut(through);
}
void Replica::applied(std::vector<raft::EntryPtr> entries, std::vector<kv::Reply> replies,
                      kv::Position position) {
  impl_->applied(std::move(entries), std::move(replies), std::move(position));
}
void Replica::read_done(std::uint64_t request, base::Result<kv::TransactionResult> result,
                        kv::Position position) {
  impl_->read_done(request, std::move(result), std::move(position));
}
void Replica::snapshot_read(raft::SnapshotRead read) {
  impl_->step(std::move(read));
}
void Replica::snapshot_stored(std::uint64_t id, bool ok) {
  impl_->step(raft::SnapshotStored{id, ok});
}
void Replica::snapshot_installed(raft::SnapshotMeta snapshot, kv::Position position) {
  impl_->snapshot_installed(std::move(snapshot), std::move(position));
}
void Replica::assess(bool fit, std::string reason) {
  impl_->step(raft::SelfAssessment{fit, std::move(reason)});
}
void Replica::drain() {
  impl_->drain();
}
ReplicaStatus Replica::status() const {
  return impl_->status();
}

}  // namespace server
