// Dispatches inputs and ends each step: what is to be persisted, handed to apply and sent. Pure.
#include "raft/core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/impl.h"

namespace raft {
namespace {

/// Messages that wait outside for a write. A log that hangs must not gather them without end, and
/// any message may be lost.
constexpr std::size_t kDeferredMessages = 1024;
/// Handed to apply and not reported back: enough to keep it busy, little enough that completions
/// come often and a long replay is not taken for a stall.
constexpr std::size_t kApplyingBytes = std::size_t{1} << 20;

}  // namespace

Core::Core(Options options, Recovered recovered)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(recovered))) {}
Core::~Core() = default;
Core::Core(Core&&) noexcept = default;
Core& Core::operator=(Core&&) noexcept = default;

Output Core::step(Input input) {
  return impl_->step(std::move(input));
}

Index Core::match(MemberId peer) const {
  return impl_->match(peer);
}
CoreSummary Core::summary() const {
  return impl_->summary();
}

CoreStatus Core::status() const {
  return impl_->status();
}
std::optional<EntryMeta> Core::meta_at(Index index) const {
  return impl_->meta_at(index);
}

Core::Impl::Impl(Options options, Recovered recovered)
    : options_(std::move(options)),
      random_(options_.seed),
      log_(recovered.first, recovered.previous_term, recovered.previous_hash,
           std::move(recovered.metas), recovered.entries, recovered.applied_time),
      persistence_(options_.opening, recovered.ordinal, recovered.hard_state, log_.last()),
      recovered_ordinal_(recovered.ordinal),
      hard_state_(recovered.hard_state),
      log_complete_(recovered.applied.next() >= log_.first()),
      quarantined_(recovered.quarantined),
      quarantine_reason_(std::move(recovered.quarantine_reason)) {
  CHECK(options_.heartbeat_ticks > 0 && options_.election_ticks > options_.heartbeat_ticks,
        "heartbeats come more often than elections");
  CHECK(recovered.applied <= log_.last(),
        "what was applied is in the log, or the log restarted there");
  CHECK(!log_complete_ || log_.cached_from() <= recovered.applied.next(),
        "the payloads above applied are given");
  // What was cut away or applied was committed.
  commit_ = std::max(recovered.applied, log_.first().previous());
  apply_asked_ = applied_ = recovered.applied;
  configurations_.push_back({recovered.applied, std::move(recovered.configuration)});
  for (const EntryPtr& entry : recovered.entries) {
    if (entry->kind != EntryKind::kConfiguration || entry->index <= applied_) continue;
    std::optional<Configuration> decoded = decode_configuration(entry->payload);
    CHECK(decoded.has_value(), "a configuration in the log that nobody can have written");
    configurations_.push_back({entry->index, std::move(*decoded)});
  }
  configuration_changed();
  output_.configuration.reset();  // its owner has it
  reset_election_timer();
}

Output Core::Impl::step(Input input) {
  const Watermarks before = watermarks();
  std::visit([this](auto& each) { on(each); }, input);
  finish_step();
  check_step(before, watermarks(), output_);
  return std::exchange(output_, Output());
}

// ---- Inputs ----

void Core::Impl::on(const Tick& tick) {
  if (failed_) return;
  if (tick.count > options_.election_ticks) {
    slept(tick.count);
    return;
  }
  for (std::uint32_t i = 0; i < tick.count; ++i) tick_once();
}

void Core::Impl::tick_once() {
  for (auto& [id, peer] : peers_) ++peer.silent_ticks;
  stall_.log.tick(persistence_.pending());
  stall_.apply.tick(apply_asked_ > applied_);
  review_health();
  tick_quarantine();
  tick_reads();
  if (leader() != nullptr) {
    tick_leader();
  } else {
    tick_election();
  }
}

/// This member did not run for longer than others wait: whatever it believed of its leadership, or
/// of its leader's silence, is void. Pending work is not to blame either.
void Core::Impl::slept(std::uint32_t ticks) {
  for (auto& [id, peer] : peers_) peer.silent_ticks += ticks;
  const std::string why = "slept for " + milliseconds(ticks);
  if (follower() == nullptr) {
    become_follower(term(), MemberId(), why);
  } else {
    follower()->silent_ticks += ticks;
  }
  reset_election_timer();
}

void Core::Impl::on(const Receive& receive_input) {
  if (!failed_) receive(receive_input.message);
}

void Core::Impl::on(const LinkUp& link) {
  links_up_.insert(link.peer);
  Leader* lead = leader();
  if (failed_ || lead == nullptr || !peers_.contains(link.peer)) return;
  lead->progress.at(link.peer).relink();
  replicate(link.peer);
}

void Core::Impl::on(const LinkDown& link) {
  links_up_.erase(link.peer);
  if (failed_ || !peers_.contains(link.peer)) return;
  if (Leader* lead = leader()) {
    lead->progress.at(link.peer).relink();
  } else if (follower() != nullptr && follower()->leader == link.peer) {
    follower()->leader = MemberId();
    shorten_election_timer();
  }
}

void Core::Impl::on(Propose& propose) {
  Leader* lead = leader();
  bool appended = false;
  for (Proposal& proposal : propose.proposals) {
    ProposalOutcome outcome{proposal.id, refusal_code(), Term(), Index()};
    if (lead != nullptr && lead->leaving) {
      outcome.code = base::Code::kNotLeader;
    } else if (lead != nullptr && !proposal.urgent &&
               lead->uncommitted_bytes > options_.uncommitted_bytes) {
      outcome.code = base::Code::kOverloaded;
    } else if (lead != nullptr) {
      append_own(EntryKind::kCommand, proposal.stamp, std::move(proposal.payload));
      lead->proposals.push_back({proposal.id, log_.last()});
      outcome = {proposal.id, base::Code::kOk, term(), log_.last()};
      appended = true;
    }
    output_.outcomes.push_back(outcome);
  }
  if (appended) replicate_all();
}

void Core::Impl::on(const Persisted& persisted) {
  if (failed_ || !persistence_.complete(persisted.ordinal)) return;
  stall_.log.completed();
  while (!deferred_.empty() && deferred_.front() <= persisted.ordinal) deferred_.pop_front();
  on_quarantine_ended();
  end_quarantine_when_repaired();
  review_health();
  if (std::holds_alternative<Candidate>(role_)) count_votes();
  if (leader() == nullptr) return;
  advance_commit();
  leave_when_caught_up();
}

void Core::Impl::on(const PersistFailed&) {
  if (failed_) return;
  become_follower(term(), MemberId(), "a log write failed");
  failed_ = true;
}

void Core::Impl::on(const Loaded& loaded) {
  Leader* lead = leader();
  if (lead == nullptr || !lead->progress.contains(loaded.peer)) return;
  Progress& progress = lead->progress.at(loaded.peer);
  progress.load_ended(loaded.entries.empty() ? options_.heartbeat_ticks : 0);
  bool usable = !loaded.entries.empty() && progress.state() == Progress::State::kReplicate &&
                progress.next() == loaded.from &&
                progress.may_send(options_.window_messages, options_.window_bytes);
  Index expected = loaded.from;
  for (const EntryPtr& entry : loaded.entries) {
    usable = usable && entry->index == expected && expected >= log_.first() &&
             expected <= log_.last() && log_.hash_at(expected) == entry->hash;
    expected = expected.next();
  }
  if (usable) send_entries(loaded.peer, progress, loaded.from, loaded.entries);
  replicate(loaded.peer);
}

void Core::Impl::on(const Applied& applied) {
  CHECK(applied.index <= apply_asked_, "applied what was never handed out");
  if (applied.index <= applied_) return;
  for (Index i = applied_.next(); i <= applied.index; i = i.next()) {
    unapplied_bytes_ -= log_.size_at(i);
    applying_bytes_ -= log_.size_at(i);
  }
  applied_ = applied.index;
  while (configurations_.size() > 1 && configurations_[1].index <= applied_) {
    configurations_.erase(configurations_.begin());
  }
  stall_.apply.completed();
  review_health();
}

void Core::Impl::on(const LogCut& cut) {
  CHECK(cut.through <= applied_, "the log is cut below what is applied");
  CHECK(cut.through <= persistence_.durable_index(), "the log is cut below what is durable");
  log_.cut(cut.through);
}

void Core::Impl::on(const SelfAssessment& assessment) {
  stall_.fit = assessment.fit;
  stall_.unfit_reason = assessment.reason;
  stall_.slow = assessment.slow;
  stall_.barred = assessment.barred;
  if (!failed_) review_health();
}

void Core::Impl::on(const StepDown& step_down) {
  Leader* lead = leader();
  if (lead == nullptr || (lead->leaving && !lead->heir)) return;
  lead->heir = MemberId();
  lead->leaving = step_down.reason;
  lead->leaving_ticks = 0;
  leave_when_caught_up();
}

// ---- Sending ----

Core::Impl::Outgoing& Core::Impl::send(MemberId to, MessageBody body) {
  Message message;
  message.from = options_.self;
  message.to = to;
  message.incarnation = options_.incarnation;
  message.opening = options_.opening;
  message.durable = persistence_.durable_ordinal();
  message.recovered = recovered_ordinal_;
  message.term = term();
  message.body = std::move(body);
  outgoing_.push_back({std::move(message), false, Index()});
  return outgoing_.back();
}

void Core::Impl::reply(const Message& to, MessageBody body, bool on_vote, Index on_index) {
  Outgoing& out = send(to.from, std::move(body));
  out.message.to_opening = to.opening;
  out.on_vote = on_vote;
  out.on_index = on_index;
}

void Core::Impl::trace(TraceKind kind, Index index, MemberId peer, std::string detail) {
  output_.trace.push_back({kind, term(), index, peer, std::move(detail)});
}

// ---- The end of a step ----

void Core::Impl::finish_step() {
  if (!failed_) {
    if (std::optional<PersistRequest> request = persistence_.take(term(), log_.last())) {
      output_.persist.push_back(std::move(*request));
    }
    hand_to_apply();
    hand_to_install();
    release_messages();
  }
  outgoing_.clear();
  // Without a state to apply them to, the entries wait in memory for it.
  const Index needed = log_complete_ ? applied_ : log_.first().previous();
  log_.evict(std::min(needed, persistence_.durable_index()).next(), options_.cache_bytes);
  note_leader();
}

/// Nothing is applied in a term that is not yet durable (DESIGN section 5.15); it may well be
/// applied before the own log has it durable, since a majority has.
void Core::Impl::hand_to_apply() {
  if (!log_complete_ || !persistence_.hard_state_durable()) return;
  if (incoming_ && incoming_->installing) return;
  while (apply_asked_ < commit_ && applying_bytes_ < kApplyingBytes) {
    apply_asked_ = apply_asked_.next();
    applying_bytes_ += log_.size_at(apply_asked_);
    output_.apply.push_back(log_.entry_at(apply_asked_));
  }
}

/// Section 6, rule 1: the one place where messages leave.
void Core::Impl::release_messages() {
  const bool term_durable = persistence_.hard_state_durable();
  for (Outgoing& out : outgoing_) {
    Ordinal after;
    const bool refusal = std::holds_alternative<Refusal>(out.message.body);
    if (!refusal && (!term_durable || out.on_vote)) after = persistence_.hard_state_ordinal();
    if (out.on_index) after = std::max(after, persistence_.covering(out.on_index));
    if (after <= persistence_.durable_ordinal()) {
      output_.send.push_back(std::move(out.message));
    } else if (deferred_.size() < kDeferredMessages) {
      // Kept sorted by what is waited for: acknowledgements of older entries may come later.
      deferred_.insert(std::upper_bound(deferred_.begin(), deferred_.end(), after), after);
      output_.send_once_persisted.push_back({after, std::move(out.message)});
    }
  }
}

void Core::Impl::note_leader() {
  const MemberId now = known_leader();
  if (now == noted_leader_) return;
  noted_leader_ = now;
  if (now) ++leader_changes_;
  fail_forwarded(base::Code::kNoLeader);
  trace(TraceKind::kLeaderChanged, Index(), now);
}

Watermarks Core::Impl::watermarks() const {
  Watermarks marks;
  marks.hard_state = hard_state_;
  marks.first = log_.first();
  marks.last = log_.last();
  marks.commit = commit_;
  marks.apply_asked = apply_asked_;
  marks.applied = applied_;
  marks.cached_from = log_.cached_from();
  marks.durable = persistence_.durable_ordinal();
  marks.asked = persistence_.asked_ordinal();
  marks.term_durable = persistence_.hard_state_durable();
  marks.log_complete = log_complete_;
  return marks;
}

}  // namespace raft
