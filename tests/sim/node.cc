#include "tests/sim/node.h"

#include <utility>

#include "base/check.h"
#include "kv/state_machine.h"
#include "storage/data_directory.h"

namespace sim {
namespace {

constexpr std::uint64_t kTickMs = 10;
constexpr std::uint64_t kWallAtStartMs = 1'700'000'000'000;
constexpr base::ClusterId kCluster(0xc1);
/// From a failed write to the end of the process, as the watchdog gives it.
constexpr Time kGrace = 300 * kMillisecond;
/// From SIGTERM to the end.
constexpr Time kDrain = 900 * kMillisecond;

/// The newest batch may be a cut of the log, which is no loss.
Notice noticed_if(Loss how) {
  if (how == Loss::kUnmarked) return Notice::kPerhaps;
  return how == Loss::kNewest || how == Loss::kDamage ? Notice::kIfOrdinalFell : Notice::kSurely;
}

}  // namespace

/// What is gone when the process ends.
struct Node::Process {
  const std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  std::unique_ptr<LogDisk> log;
  std::unique_ptr<ApplyWorker> apply;
  std::unique_ptr<SnapshotWorker> snapshots;
  std::unique_ptr<server::Replica> replica;
  std::unique_ptr<Observation> observation;  // null: this run has none
  std::vector<std::function<void()>> inbox;  // of a pause
  std::map<std::uint64_t, Answer> answers;
  std::vector<std::pair<std::uint64_t, server::RequestOutcome>> finished;  // of this turn
  std::uint64_t next_request = 1;
  bool turning = false;

  ~Process() { *alive = false; }
};

Node::Node(std::size_t number, const Options& options, const raft::Configuration& configuration,
           std::uint64_t seed, NodeSurroundings surroundings)
    : number_(number),
      options_(options),
      configuration_(configuration),
      surroundings_(std::move(surroundings)),
      random_(seed),
      state_disk_(std::make_shared<storage::MemoryStateDisk>()),
      disk_behaviour_{options.sync_delay},
      apply_behaviour_{options.apply_delay} {
  log_disk_ = std::make_shared<storage::MemoryDisk>(
      storage::Identity{kCluster, id_of(number), base::Incarnation(random_.next() | 1)});
}

Node::~Node() = default;

raft::CoreSummary Node::summary() const {
  return process_->replica->summary();
}

server::ReplicaStatus Node::status() const {
  return process_->replica->status();
}

bool Node::log_hangs() const {
  return running() && process_->log->hung();
}

base::Index Node::configuration_index() const {
  return running() ? summary().configuration_index : last_configuration_index_;
}

bool Node::leads() const {
  return running() && summary().role == raft::Role::kLeader;
}

// ---- Begin and end ----

void Node::start() {
  CHECK(!running());
  Journal& journal = *surroundings_.journal;
  auto log = storage::MemoryLog::open(log_disk_, random_.next());
  CHECK(log.is_ok(), log.status().to_string());
  auto machine = kv::StateMachine::open(std::make_unique<storage::MemoryEngine>(state_disk_));
  CHECK(machine.is_ok(), machine.status().to_string());
  auto recovered = storage::reconcile(*log.value(), machine.value()->position(), configuration_);
  if (!recovered) {
    journal.violation("node " + std::to_string(number_) +
                      " does not start: " + recovered.status().to_string());
    return;
  }
  if (options_.mistakes.ignore_quarantine) recovered->quarantined = false;
  journal.mix({1, number_, recovered->hard_state.term.value, recovered->applied.value});
  if (journal.wants_lines()) {
    journal.line("n" + std::to_string(number_) + " starts in term " +
                 std::to_string(recovered->hard_state.term.value) + ", applied " +
                 std::to_string(recovered->applied.value) + ", log " +
                 std::to_string(recovered->first.value) + "+" +
                 std::to_string(recovered->metas.size()) +
                 (recovered->quarantined ? ", quarantined: " + recovered->quarantine_reason : ""));
  }
  surroundings_.checks->opened(number_, recovered.value());
  // The log goes back far enough: everything is applied again.
  if (recovered->applied.next() >= recovered->first) lost_state_ = false;
  make_process(std::move(log).value(), std::move(machine).value(), std::move(recovered).value());
  tick();
}

raft::Options Node::core_options(base::Opening opening) {
  raft::Options options = options_.raft;
  options.self = id_of(number_);
  options.incarnation = log_disk_->identity().incarnation;
  options.opening = opening;
  options.seed = opening.nonce ^ options.self.value;
  return options;
}

void Node::make_process(std::unique_ptr<storage::MemoryLog> log,
                        std::unique_ptr<kv::StateMachine> machine, raft::Recovered recovered) {
  const kv::Position position = machine->position();
  const raft::Options core = core_options(log->opening());
  server::ReplicaOptions replica;
  replica.cluster = kCluster;
  replica.tick_ms = kTickMs;
  replica.log_bytes = options_.log_bytes;
  paused_ = false;
  process_ = std::make_unique<Process>();
  process_->log =
      std::make_unique<LogDisk>(*surroundings_.queue, random_, disk_behaviour_, std::move(log),
                                options_.mistakes.acknowledge_before_sync, log_completions());
  process_->apply = std::make_unique<ApplyWorker>(
      *surroundings_.queue, random_, apply_behaviour_, std::move(machine),
      options_.mistakes.skip_entry && number_ == 0, apply_completions());
  process_->snapshots = std::make_unique<SnapshotWorker>(*surroundings_.queue, random_,
                                                         *process_->apply, snapshot_completions());
  process_->replica = std::make_unique<server::Replica>(
      replica, core, std::move(recovered), position,
      server::ReplicaPorts{process_->log.get(), process_->apply.get(), process_->snapshots.get(),
                           this, this, this});
  process_->apply->report_leases();
  if (!options_.observers) return;
  server::ObserverOptions observer;
  observer.self = core.self;
  observer.epoch = core.opening.epoch;
  observer.tick_ms = kTickMs;
  process_->observation = std::make_unique<Observation>(
      observer, ObservationPorts{process_->replica.get(), surroundings_.send_rows,
                                 [this](const health::Verdict& verdict, bool stands) {
                                   judged(verdict, stands);
                                 }});
}

void Node::crash(Crash how) {
  if (!running()) return;
  surroundings_.journal->mix({2, number_, static_cast<std::uint64_t>(how)});
  surroundings_.journal->line("n" + std::to_string(number_) +
                              (how == Crash::kKill ? " is killed" : " loses power"));
  surroundings_.journal->count("crash");
  count_crash(status().core);
  if (log_disk_->unsynced() > 0) surroundings_.journal->count("crash with unsynced log");
  end_process();
  if (how == Crash::kKill) {
    log_disk_->kill(random_);
  } else {
    log_disk_->power_cut(random_);
  }
  if (state_disk_->unflushed() > 0) surroundings_.journal->count("crash with unflushed state");
  state_disk_->crash(random_);
}

void Node::count_crash(const raft::CoreStatus& core) {
  Journal& journal = *surroundings_.journal;
  journal.count("crash as " + std::string(raft::name_of(core.role)));
  if (core.configuration.joint()) journal.count("crash in a joint configuration");
  if (core.configuration.learners.size() > 0) journal.count("crash with a learner");
  if (core.quarantined) journal.count("crash in quarantine");
  if (core.needs_snapshot) journal.count("crash without a state");
  if (core.durable < core.last) journal.count("crash with entries that are not durable");
  if (core.applied < core.commit) journal.count("crash with entries that are not applied");
}

void Node::end_process() {
  last_configuration_index_ = summary().configuration_index;
  // Whoever waits for an answer learns of the end by his own means.
  process_.reset();
  paused_ = false;
  disk_behaviour_.fails = false;
  surroundings_.checks->ended(number_);
}

void Node::end_later(Time delay, bool orderly) {
  surroundings_.queue->after(delay, [this, alive = process_->alive, orderly] {
    if (!*alive) return;
    if (orderly && process_->log->idle() && process_->apply->idle()) {
      CHECK(process_->apply->machine().flush().is_ok());
    }
    crash(Crash::kKill);
    surroundings_.ended(number_);
  });
}

void Node::shut_down() {
  post([this] { turn([this] { process_->replica->drain(); }); });
  end_later(kDrain, true);
}

bool Node::lose_data(Loss how) {
  CHECK(!running());
  const auto lose = [&] {
    switch (how) {
      case Loss::kNewest:
        return log_disk_->lose_newest(random_.between(1, 4));
      case Loss::kUnmarked:
        return log_disk_->lose_newest(4);
      case Loss::kDamage:
        return log_disk_->damage(random_.below(4));
      case Loss::kAlter:
        // What was never synced may be torn without a word.
        if (log_disk_->unsynced() > 0) return false;
        return log_disk_->alter_entry(base::Index(random_.between(1, 200)));
      case Loss::kWatermark:
        log_disk_->lose_watermark();
        return true;
      case Loss::kVote:
        if (!log_disk_->lose_newest(1)) return false;
        log_disk_->lose_watermark();
        return true;
      case Loss::kWipe:
        log_disk_->wipe();
        return true;
    }
    return false;
  };
  if (!lose()) return false;
  surroundings_.checks->data_lost(number_, noticed_if(how));
  surroundings_.journal->count("loss of synced data");
  surroundings_.journal->line("n" + std::to_string(number_) + " lost synced data, way " +
                              std::to_string(static_cast<int>(how)));
  return true;
}

void Node::lose_state() {
  CHECK(!running());
  state_disk_->wipe();
  lost_state_ = true;
  surroundings_.journal->count("loss of the state");
  surroundings_.journal->line("n" + std::to_string(number_) + " lost its state");
}

void Node::copy_disks() {
  if (log_disk_->quarantine()) return;  // that would be noticed
  log_copy_ = std::make_shared<storage::MemoryDisk>(*log_disk_);
  state_copy_ = std::make_shared<storage::MemoryStateDisk>(*state_disk_);
}

bool Node::roll_back() {
  CHECK(!running());
  if (log_copy_ == nullptr || log_copy_->identity().incarnation != incarnation()) return false;
  log_disk_ = std::exchange(log_copy_, nullptr);
  state_disk_ = std::exchange(state_copy_, nullptr);
  // A copy is what a crash at that moment would have left.
  log_disk_->kill(random_);
  state_disk_->crash(random_);
  surroundings_.checks->data_lost(number_, Notice::kPerhaps);
  surroundings_.journal->count("roll-back of a directory");
  surroundings_.journal->line("n" + std::to_string(number_) + " is back at an old copy");
  return true;
}

void Node::replace_disks(base::Incarnation incarnation) {
  CHECK(!running());
  log_disk_ = std::make_shared<storage::MemoryDisk>(
      storage::Identity{kCluster, id_of(number_), incarnation});
  state_disk_ = std::make_shared<storage::MemoryStateDisk>();
  configuration_ = raft::Configuration();
  last_configuration_index_ = base::Index();
  lost_state_ = false;
  surroundings_.checks->replaced(number_, incarnation);
  surroundings_.journal->count("directory replaced");
  surroundings_.journal->line("n" + std::to_string(number_) + " has a new directory");
}

// ---- The clock ----

Time Node::local_now() const {
  const auto passed = static_cast<std::int64_t>(surroundings_.queue->now() - clock_set_at_);
  return clock_shown_then_ + static_cast<Time>(passed + passed * clock_gain_ppm_ / 1'000'000);
}

std::uint64_t Node::wall_ms() const {
  const auto shown = static_cast<std::int64_t>(kWallAtStartMs + local_now() / kMillisecond);
  return static_cast<std::uint64_t>(shown + clock_offset_ms_);
}

void Node::set_clock_rate(std::int64_t gain_ppm) {
  clock_shown_then_ = local_now();
  clock_set_at_ = surroundings_.queue->now();
  clock_gain_ppm_ = gain_ppm;
}

// ---- Turns ----

template <class Work>
void Node::turn(Work work) {
  CHECK(!process_->turning, "a port called back from within a turn");
  process_->turning = true;
  server::Replica& replica = *process_->replica;
  std::optional<health::ClockVerdict> agreed;
  if (process_->observation != nullptr) agreed = process_->observation->begin(boot_us(), wall_ms());
  replica.advance(boot_us() / 1000, wall_ms(), agreed);
  replica.keep_room(full_ ? "less room than the reserve" : "");
  work();
  replica.pump();
  if (process_->observation != nullptr)
    process_->observation->end(boot_us(), wall_ms(), {process_->log->syncs(), full_, {}});
  process_->turning = false;
  surroundings_.checks->observed(number_, replica.summary(), surroundings_.queue->now());
  auto finished = std::exchange(process_->finished, {});
  for (auto& [request, outcome] : finished) {
    const auto at = process_->answers.find(request);
    CHECK(at != process_->answers.end(), "each request is finished once");
    const Answer answer = std::move(at->second);
    process_->answers.erase(at);
    answer(outcome);
  }
}

void Node::post(std::function<void()> work) {
  if (!running()) return;
  if (paused_) {
    process_->inbox.push_back(std::move(work));
  } else {
    work();
  }
}

void Node::tick() {
  surroundings_.queue->after(kTickMs * kMillisecond, [this, alive = process_->alive] {
    if (!*alive) return;
    if (!paused_) turn([] {});
    tick();
  });
  if (!paused_) turn([] {});
}

void Node::pause() {
  if (running()) paused_ = true;
}

void Node::resume() {
  if (!std::exchange(paused_, false) || !running()) return;
  // The loop wakes: time first, then what has come meanwhile.
  turn([] {});
  for (auto& work : std::exchange(process_->inbox, {})) {
    if (!running() || paused_) return;
    work();
  }
}

void Node::wake() {
  if (!running()) return;
  process_->log->wake();
  process_->apply->wake();
}

void Node::receive(raft::Message message) {
  post([this, message = std::move(message)]() mutable {
    surroundings_.checks->heard(number_, message);
    turn([&] { process_->replica->receive(std::move(message)); });
  });
}
void Node::receive_rows(base::MemberId from, std::string rows) {
  post([this, from, rows = std::move(rows)] {
    if (process_->observation == nullptr) return;
    turn([&] { process_->observation->receive(from, rows, boot_us()); });
  });
}
void Node::link_up(base::MemberId peer) {
  post([this, peer] { turn([&] { process_->replica->link_up(peer); }); });
}
void Node::link_down(base::MemberId peer) {
  post([this, peer] { turn([&] { process_->replica->link_down(peer); }); });
}

LogCompletions Node::log_completions() {
  LogCompletions completions;
  completions.persisted = [this](base::Ordinal ordinal) {
    post([this, ordinal] { turn([&] { process_->replica->persisted(ordinal); }); });
  };
  completions.failed = [this](const base::Status& status) {
    if (status.detail() != "injected") {
      surroundings_.journal->violation("node " + std::to_string(number_) +
                                       ": a log write failed: " + status.to_string());
    }
    post([this, status] { turn([&] { process_->replica->persist_failed(status); }); });
    end_later(kGrace, false);
  };
  completions.loaded = [this](base::MemberId peer, base::Index from,
                              std::vector<raft::EntryPtr> entries) {
    surroundings_.journal->count(entries.empty() ? "load in vain" : "load");
    post([this, peer, from, entries = std::move(entries)] {
      turn([&] { process_->replica->loaded(peer, from, entries); });
    });
  };
  completions.cut = [this](base::Index through) {
    post([this, through] { turn([&] { process_->replica->log_cut(through); }); });
  };
  completions.synced = [this](const std::vector<raft::PersistRequest>& requests) {
    surroundings_.checks->synced(number_, requests);
  };
  completions.was_cut = [this](base::Index through) {
    surroundings_.journal->count("log cut");
    surroundings_.checks->cut(number_, through);
  };
  return completions;
}

ApplyCompletions Node::apply_completions() {
  ApplyCompletions completions;
  completions.applied = [this](std::vector<raft::EntryPtr> entries, std::vector<kv::Reply> replies,
                               kv::Position position) {
    surroundings_.checks->applied(number_, position);
    surroundings_.journal->mix({3, number_, position.applied.value, position.digest});
    post([this, entries = std::move(entries), replies = std::move(replies),
          position = std::move(position)] {
      turn([&] { process_->replica->applied(entries, replies, position); });
    });
  };
  completions.read_done = [this](std::uint64_t request, base::Result<kv::TransactionResult> result,
                                 kv::Position position) {
    post([this, request, result = std::move(result), position = std::move(position)] {
      turn([&] { process_->replica->read_done(request, result, position); });
    });
  };
  completions.leases = [this](std::vector<kv::LeaseChange> changes) {
    post([this, changes = std::move(changes)] {
      turn([&] { process_->replica->change_leases(changes); });
    });
  };
  completions.handed = [this](const std::vector<raft::EntryPtr>& entries) {
    surroundings_.checks->committed(number_, entries, status().core.configuration);
  };
  completions.installed = [this](raft::SnapshotMeta snapshot, kv::Position position) {
    surroundings_.checks->applied(number_, position);
    surroundings_.journal->mix({7, number_, position.applied.value, position.digest});
    surroundings_.journal->count("snapshot installed");
    lost_state_ = false;
    post([this, snapshot = std::move(snapshot), position = std::move(position)] {
      turn([&] { process_->replica->snapshot_installed(snapshot, position); });
    });
  };
  completions.fatal = [this](const base::Status& status) {
    surroundings_.journal->violation("node " + std::to_string(number_) +
                                     ": apply failed: " + status.to_string());
  };
  return completions;
}

SnapshotCompletions Node::snapshot_completions() {
  SnapshotCompletions completions;
  completions.read = [this](raft::SnapshotRead read) {
    post([this, read = std::move(read)] { turn([&] { process_->replica->snapshot_read(read); }); });
  };
  completions.stored = [this](std::uint64_t id, bool ok) {
    post([this, id, ok] { turn([&] { process_->replica->snapshot_stored(id, ok); }); });
  };
  return completions;
}

// ---- Requests ----

std::uint64_t Node::take_in(Answer answer) {
  const std::uint64_t request = process_->next_request++;
  process_->answers.emplace(request, std::move(answer));
  return request;
}

void Node::write(std::string payload, Answer answer, base::SessionId session,
                 const server::Seen& seen) {
  post([this, payload = std::move(payload), answer = std::move(answer), session, seen] {
    turn([&] { process_->replica->write(take_in(answer), payload, false, session, seen); });
  });
}
std::optional<base::Result<kv::Changes>> Node::changes(kv::Revision after,
                                                       std::size_t slice_bytes) {
  if (!running() || paused_ || summary().quarantined || summary().needs_snapshot) {
    return std::nullopt;
  }
  return process_->apply->machine().changes(after, true, slice_bytes);
}
/// Its answer shows all that was committed when it was asked.
Node::Answer Node::linearizable(Answer answer) {
  const base::Index committed = surroundings_.checks->ledger().last();
  return [this, committed, answer = std::move(answer)](const auto& outcome) {
    if (outcome.status.is_ok()) {
      surroundings_.checks->read(number_, outcome.header.applied, committed);
    }
    answer(outcome);
  };
}
void Node::leases(server::LeaseQuestion question, Answer answer) {
  post([this, question = std::move(question), answer = linearizable(std::move(answer))] {
    turn([&] { process_->replica->leases(take_in(answer), question); });
  });
}
void Node::read(kv::Transaction transaction, Answer answer, const server::Seen& seen) {
  if (options_.mistakes.read_without_barrier) {
    return post([this, transaction = std::move(transaction), answer = std::move(answer)] {
      turn([&] {
        if (!leads()) return process_->replica->read(take_in(answer), transaction);
        process_->replica->read_serializable(take_in(answer), transaction);
      });
    });
  }
  post([this, transaction = std::move(transaction), answer = linearizable(std::move(answer)),
        seen] { turn([&] { process_->replica->read(take_in(answer), transaction, seen); }); });
}
void Node::change_members(server::MemberChange change) {
  post([this, change = std::move(change)] {
    turn([&] { process_->replica->change_members(take_in(count_answer()), change); });
  });
}

void Node::move_leader(std::string to) {
  post([this, to = std::move(to)] {
    turn([&] { process_->replica->move_leader(take_in(count_answer()), to); });
  });
}

Node::Answer Node::count_answer() {
  return [this](const server::RequestOutcome& outcome) {
    surroundings_.journal->count(outcome.status.is_ok() ? "operator's request done"
                                                        : "operator's request refused");
  };
}

void Node::read_serializable(kv::Transaction transaction, Answer answer, const server::Seen& seen) {
  post([this, transaction = std::move(transaction), answer = std::move(answer), seen] {
    turn([&] { process_->replica->read_serializable(take_in(answer), transaction, 0, seen); });
  });
}

void Node::send(raft::Message message) {
  surroundings_.checks->sent(number_, message);
  surroundings_.send(std::move(message));
}

void Node::finish(std::uint64_t request, server::RequestOutcome outcome) {
  surroundings_.journal->mix({4, number_, request,
                              static_cast<std::uint64_t>(outcome.status.code()),
                              outcome.header.applied.value});
  process_->finished.emplace_back(request, std::move(outcome));
}

void Node::judged(const health::Verdict& verdict, bool stands) {
  Journal& journal = *surroundings_.journal;
  const std::string kind(health::name_of(verdict.kind));
  journal.mix(
      {8, number_, static_cast<std::uint64_t>(verdict.kind), verdict.subject.value, stands});
  journal.count((stands ? "verdict " : "end of the verdict ") + kind);
  if (journal.wants_lines()) {
    journal.line("n" + std::to_string(number_) + (stands ? " finds n" : " no longer finds n") +
                 std::to_string(verdict.subject.value - 1) + " " + kind + ": " + verdict.evidence);
  }
  if (stands) surroundings_.noted(number_, "verdict");
}

void Node::trace(const raft::TraceEvent& event) {
  Journal& journal = *surroundings_.journal;
  journal.mix({5, number_, static_cast<std::uint64_t>(event.kind), event.term.value,
               event.index.value, event.peer.value});
  journal.count(raft::name_of(event.kind));
  surroundings_.noted(number_, raft::name_of(event.kind));
  if (journal.wants_lines()) {
    journal.line("n" + std::to_string(number_) + " " + raft::to_string(event));
  }
  surroundings_.checks->traced(number_, event);
}

}  // namespace sim
