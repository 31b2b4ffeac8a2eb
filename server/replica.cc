// The glue between raft::Core and its ports (replica.h). Pure glue: no thread, no clock, no
// protocol; each input is one step of the core, and each output goes to its port in an order that
// keeps DESIGN section 6, rules 1 and 2. Loop thread.
#include "server/replica.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/replica_impl.h"

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

}  // namespace

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

void Replica::Impl::advance(std::uint64_t steady_ms, std::uint64_t wall_ms,
                            std::optional<health::ClockVerdict> agreed) {
  wall_ms_ = wall_ms;
  agreed_ = agreed;
  if (!started_) {
    started_ = true;
    steady_ms_ = steady_ms;
    next_cut_ms_ = steady_ms + kCutEveryMs;
    next_scrub_ms_ = steady_ms + options_.scrub_every_ms;
    return;
  }
  CHECK(steady_ms >= steady_ms_ || steady_ms_ - steady_ms < options_.tick_ms,
        "the boot-time clock never goes back");
  if (steady_ms < steady_ms_ + options_.tick_ms) return;
  const std::uint64_t ticks = (steady_ms - steady_ms_) / options_.tick_ms;
  steady_ms_ += ticks * options_.tick_ms;
  bound_stamps();
  step(raft::Tick{static_cast<std::uint32_t>(std::min<std::uint64_t>(ticks, UINT32_MAX))});
  resign_if_drained();
  let_time_pass();
  count_leases();
  scrub_if_due();
  if (steady_ms >= next_cut_ms_) {
    next_cut_ms_ = steady_ms + kCutEveryMs;
    cut_log();
  }
}

/// All members count from the last one, so that it does not matter who leads.
void Replica::Impl::scrub_if_due() {
  if (options_.scrub_every_ms == 0 || failed_ || steady_ms_ < next_scrub_ms_) return;
  if (core_.summary().role != raft::Role::kLeader) return;
  next_scrub_ms_ = steady_ms_ + options_.scrub_every_ms;
  queued_writes_.push_back({kNobodys, {}, scrub_payload_});
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
  if (!core.durable) return;
  // The last entry of the log itself stays, which may be well below the last one that the core has.
  const Index wanted = std::min({cut_target(core), core.durable.previous(), core.last.previous()});
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

// ---- Effects of a step ----

void Replica::Impl::dispatch(raft::Output output) {
  for (const auto& event : output.trace) {
    ports_.trace->trace(event);
    if (!moving_.empty()) follow_moves(event);
  }
  if (output.configuration) ports_.transport->members_changed(*output.configuration);
  // Written down before anything else follows from it (rule 4).
  if (output.quarantine) {
    ports_.log->quarantine(std::move(*output.quarantine));
    deferred_.clear();  // what it was about to say counts for nothing now
  }
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
  if (output.wanted_time.milliseconds() <= now_ms() + kClocksDifferMs) {
    wanted_time_ = std::max(wanted_time_, output.wanted_time);
  }
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
  waiting_times_.clear();
  appended_.clear();
  waiting_reads_.clear();
  waiting_questions_.clear();
  changing_.clear();
  moving_.clear();
  std::vector<std::pair<Request, Code>> left;
  for (const auto& [request, pending] : pending_) {
    // Apply still answers what it was given.
    if (pending.stage == Stage::kInApply) continue;
    const bool unknown = !pending.reads() && pending.stage != Stage::kQueued;
    left.emplace_back(request, unknown ? Code::kLeadershipLost : Code::kUnavailable);
  }
  std::sort(left.begin(), left.end());
  for (const auto& [request, code] : left) {
    fail(request, code, "this member's log has failed", core_.summary().leader);
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
  // Rule 4: a member in quarantine serves nothing, whatever waited here since before.
  if (core_.summary().quarantined) {
    return fail(request, Code::kQuarantined, core_.status().quarantine_reason,
                core_.summary().leader);
  }
  if (waits_for_time(request, pending)) return;
  pending.stage = Stage::kInApply;
  ports_.apply->read(request, std::move(pending.transaction));
}

void Replica::Impl::applied(std::vector<raft::EntryPtr> entries, std::vector<kv::Reply> replies,
                            kv::Position position) {
  CHECK(!entries.empty() && entries.size() == replies.size(), "one reply an entry");
  CHECK(position.applied == entries.back()->index);
  position_ = std::move(position);
  clock_.observe(position_.time);
  release_times();
  applied_entries_ += entries.size();
  const Term term = core_.summary().term;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    answer_write(*entries[i], std::move(replies[i]), term);
    if (entries[i]->payload == scrub_payload_) {
      next_scrub_ms_ = steady_ms_ + options_.scrub_every_ms;
    }
    if (entries[i]->kind == raft::EntryKind::kConfiguration) finish_changes(*entries[i], term);
  }
  step(raft::Applied{position_.applied});
  count_leases();
}

void Replica::Impl::answer_write(const raft::Entry& entry, kv::Reply reply, Term term) {
  const auto at = appended_.find(entry.index);
  if (at == appended_.end()) return;
  const Request request = at->second;
  appended_.erase(at);
  if (pending_.at(request).term != entry.term) {
    return fail(request, Code::kSuperseded, "another leader's entry took its place",
                core_.summary().leader);
  }
  if (pending_.at(request).kind == Kind::kMembers) return step_of_change(request, entry, term);
  // What is applied was committed in this term after it was taken in: a round of its own.
  if (lessor_.leads()) lessor_.renew(pending_.at(request).session, steady_ms_);
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
    fail(request, Code::kLeadershipLost, "its end is hidden in a snapshot", core_.summary().leader);
  }
  step(raft::SnapshotInstalled{std::move(snapshot)});
  release_times();
  start_waiting_reads();
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
  if (core_.summary().role == raft::Role::kLeader) return;
  resigned_ = true;
  // Or it would campaign again before the process ends.
  step(raft::SelfAssessment{false, "shutting down"});
}

void Replica::Impl::keep_room(const std::string& reason) {
  if (reason != full_reason_) full_reason_ = reason;
}

void Replica::Impl::assess(raft::SelfAssessment assessment) {
  if (!resigned_) step(std::move(assessment));
}

void Replica::Impl::yield_leadership(base::MemberId to, std::string reason) {
  if (core_.summary().role != raft::Role::kLeader) return;
  step(raft::TransferLeadership{kNobodys, to, std::move(reason)});
}

ReplicaStatus Replica::Impl::status() const {
  ReplicaStatus status;
  status.core = core_.status();
  status.position = position_;
  status.pending_requests = pending_.size();
  status.log_bytes = ports_.log->size_bytes();
  status.draining = draining_;
  status.full_reason = full_reason_;
  status.applied_entries = applied_entries_;
  status.proposals = proposals_;
  status.failed_proposals = failed_proposals_;
  status.failed_reads = failed_reads_;
  status.leases = lessor_.size();
  status.expired_leases = lessor_.expired();
  return status;
}

Replica::Replica(ReplicaOptions options, raft::Options core_options, raft::Recovered recovered,
                 kv::Position position, ReplicaPorts ports) {
  core_options.tick_ms = options.tick_ms;
  impl_ = std::make_unique<Impl>(options, core_options, std::move(recovered), std::move(position),
                                 ports);
}
Replica::~Replica() = default;

void Replica::advance(std::uint64_t steady_ms, std::uint64_t wall_ms,
                      std::optional<health::ClockVerdict> agreed) {
  impl_->advance(steady_ms, wall_ms, agreed);
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
void Replica::write(std::uint64_t request, std::string payload, bool frees, base::SessionId session,
                    const Seen& seen) {
  if (impl_->goes_on_from(request, seen, false)) {
    impl_->write(request, std::move(payload), frees, session);
  }
}
void Replica::leases(std::uint64_t request, LeaseQuestion question) {
  impl_->leases(request, std::move(question));
}
void Replica::change_leases(const std::vector<kv::LeaseChange>& changes) {
  impl_->change_leases(changes);
}
void Replica::keep_room(const std::string& reason) {
  impl_->keep_room(reason);
}
void Replica::read(std::uint64_t request, kv::Transaction transaction, const Seen& seen) {
  if (impl_->goes_on_from(request, seen, false)) {
    impl_->read(request, std::move(transaction), seen);
  }
}
void Replica::read_serializable(std::uint64_t request, kv::Transaction transaction,
                                std::uint32_t max_staleness_ms, const Seen& seen) {
  if (impl_->goes_on_from(request, seen, true)) {
    impl_->read_serializable(request, std::move(transaction), max_staleness_ms, seen);
  }
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
void Replica::assess(raft::SelfAssessment assessment) {
  impl_->assess(std::move(assessment));
}
void Replica::yield_leadership(base::MemberId to, std::string reason) {
  impl_->yield_leadership(to, std::move(reason));
}
void Replica::drain() {
  impl_->drain();
}
base::Index Replica::match(base::MemberId peer) const {
  return impl_->match(peer);
}
raft::CoreSummary Replica::summary() const {
  return impl_->summary();
}
ReplicaStatus Replica::status() const {
  return impl_->status();
}

}  // namespace server
