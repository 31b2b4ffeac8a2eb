#include "kv/state_machine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "kv/compaction.h"
#include "kv/leases.h"
#include "kv/overlay.h"
#include "kv/row.h"
#include "kv/sessions.h"
#include "kv/transaction.h"

namespace kv {
namespace {

using base::Code;
using base::Result;
using base::Status;

/// A batch is committed once this much is pending, at the end of an entry.
constexpr std::size_t kBatchBytes = 4 << 20;

// What an entry did, for the digest. Numbers never change.
enum Effect : std::uint64_t {
  kNothing = 0,
  kOpened = 1,
  kClosed = 2,
  kWrote = 3,
  kAnswered = 4,
  kTicked = 5,
  kExpired = 6,
  kScrubbed = 7
};

class Machine final : public StateMachine {
 public:
  Machine(std::unique_ptr<Engine> engine, const Limits& limits)
      : limits_(limits), engine_(std::move(engine)), overlay_(*engine_), sessions_(limits) {}

  Status load();

  Result<std::vector<Reply>> apply(std::span<const AppliedEntry> entries,
                                   base::Ordinal log_ordinal) override;
  Result<std::unique_ptr<Reading>> begin_read(const Transaction& transaction,
                                              std::size_t slice_bytes) override;
  Result<Changes> changes(Revision after, bool previous, std::size_t slice_bytes) override;
  const Position& position() const override { return position_; }
  std::optional<Position> durable_position() const override;
  Result<bool> sweep(std::size_t slice_bytes) override;
  Status flush() override { return engine_->flush(); }
  std::uint64_t sessions() const override { return sessions_.size(); }
  Result<StateSnapshot> snapshot() override;
  Result<std::unique_ptr<IncomingEngine>> begin_install() override {
    return engine_->begin_install();
  }
  Status install(std::unique_ptr<IncomingEngine> incoming) override;
  std::vector<LeaseChange> take_lease_changes() override {
    return std::exchange(lease_changes_, {});
  }

 private:
  /// One entry's part of the digest, in the making; says what happened in logical terms, so that
  /// layouts may change.
  using Effects = base::Hasher;

  Past past() const {
    return {position_.compacted, position_.compacted_time, position_.revision, position_.time};
  }
  Status check_history();
  Result<Reply> apply_entry(const AppliedEntry& entry);
  Reply run(const OpenSession&, Index index, Effects& effects);
  Reply run(const CloseSession& close, Effects& effects);
  Result<Reply> run(const Write& write, Index index, Effects& effects);
  Reply seal(const Write& write, Effects& effects);
  Result<Reply> run(const Expire& expire, const AppliedEntry& entry, Effects& effects);
  Result<Reply> run_transaction(const Transaction& transaction, SessionId session,
                                Effects& effects);
  void take(Executed executed);
  Status load_leases();
  Status commit(base::Ordinal log_ordinal);
  Status fail(Status status);

  const Limits limits_;
  const std::unique_ptr<Engine> engine_;
  Overlay overlay_;
  Sessions sessions_;
  Position position_;
  RetentionRule retention_;
  std::uint64_t leases_ = 0;  // in the rows
  std::vector<LeaseChange> lease_changes_;
  Status failure_;  // once not ok, nothing is applied or read any more
};

Status Machine::load() {
  Result<std::optional<std::string>> row = engine_->get(Space::kMeta, kPositionKey);
  if (!row.is_ok()) return row.status();
  if (row.value()) {
    Result<Position> position = decode_position(*row.value());
    if (!position.is_ok()) return position.status();
    position_ = std::move(position).value();
  }
  Status status = sessions_.load(*engine_);
  if (status.is_ok()) status = load_leases();
  if (status.is_ok()) status = check_history();
  if (!status.is_ok()) return status;
  if (sessions_.newest_use() > position_.applied)
    return Status(Code::kCorrupt, "a session was used after the position of the state");
  return Status::ok();
}

Status Machine::load_leases() {
  leases_ = 0;
  lease_changes_ = {LeaseChange{}};
  return scan_leases(LeaseId(), *engine_, [&](const Lease& lease) {
    ++leases_;
    lease_changes_.push_back({LeaseChange::Kind::kGranted, lease.id, lease.ttl_ms, lease.session});
    return true;
  });
}

/// A revision is never given twice: nothing may have been written after the position's.
Status Machine::check_history() {
  bool beyond = false;
  const Status status = engine_->scan(Space::kHistory, history_key(position_.revision.next(), 0),
                                      "", [&](std::string_view, std::string_view) {
                                        beyond = true;
                                        return false;
                                      });
  if (status.is_ok() && beyond)
    return Status(Code::kCorrupt, "the history goes on after the position of the state");
  return status;
}

Result<StateSnapshot> Machine::snapshot() {
  if (!failure_.is_ok()) return failure_;
  CHECK(overlay_.size_bytes() == 0, "everything applied is committed");
  auto rows = engine_->snapshot();
  if (!rows.is_ok()) return rows.status();
  return StateSnapshot{position_, std::move(rows).value()};
}

Status Machine::install(std::unique_ptr<IncomingEngine> incoming) {
  if (!failure_.is_ok()) return failure_;
  auto row = incoming->get(Space::kMeta, kPositionKey);
  if (!row.is_ok()) return row.status();
  if (!row.value()) return Status(Code::kInvalidArgument, "the snapshot holds no position");
  auto position = decode_position(*row.value());
  if (!position.is_ok()) return position.status();
  if (position->applied <= position_.applied) {
    return Status(Code::kInvalidArgument, "the snapshot ends before this state");
  }
  Status status = engine_->install(std::move(incoming));
  if (!status.is_ok()) return fail(status);
  position_ = Position();
  status = load();
  return status.is_ok() ? status : fail(status);
}

Status Machine::fail(Status status) {
  failure_ = status;
  return status;
}

Result<std::vector<Reply>> Machine::apply(std::span<const AppliedEntry> entries,
                                          base::Ordinal log_ordinal) {
  if (!failure_.is_ok()) return failure_;
  std::vector<Reply> replies;
  replies.reserve(entries.size());
  for (const AppliedEntry& entry : entries) {
    Result<Reply> reply = apply_entry(entry);
    if (!reply.is_ok()) return fail(reply.status());
    replies.push_back(std::move(reply).value());
    if (overlay_.size_bytes() < kBatchBytes && &entry != &entries.back()) continue;
    const Status committed = commit(log_ordinal);
    if (!committed.is_ok()) return fail(committed);
  }
  return replies;
}

Status Machine::commit(base::Ordinal log_ordinal) {
  position_.log_ordinal = log_ordinal;
  overlay_.put(Space::kMeta, std::string(kPositionKey), encode_position(position_));
  return overlay_.commit();
}

Result<Reply> Machine::apply_entry(const AppliedEntry& entry) {
  CHECK(entry.index == position_.applied.next(), "an entry was skipped or applied twice");
  CHECK(entry.term >= position_.term, "a term went back along the log");
  position_.applied = entry.index;
  position_.term = entry.term;
  position_.hash = entry.hash;
  position_.time = std::max(position_.time, entry.time);
  if (entry.configuration) position_.configuration = *entry.configuration;

  Effects effects;
  effects.add(position_.digest).add(entry.index.value);
  Result<Reply> reply = Reply();
  if (!entry.command) {
    effects.add(kNothing);
  } else if (const auto* open = std::get_if<OpenSession>(&*entry.command)) {
    reply = run(*open, entry.index, effects);
  } else if (const auto* close = std::get_if<CloseSession>(&*entry.command)) {
    reply = run(*close, effects);
  } else if (const auto* write = std::get_if<Write>(&*entry.command)) {
    reply = run(*write, entry.index, effects);
  } else if (const auto* expire = std::get_if<Expire>(&*entry.command)) {
    reply = run(*expire, entry, effects);
  } else if (std::holds_alternative<Scrub>(*entry.command)) {
    effects.add(kScrubbed);
  } else {
    CHECK(std::holds_alternative<Tick>(*entry.command));
    effects.add(kTicked);
  }
  if (reply.is_ok()) {
    const Status retained = retention_.advance(overlay_, position_);
    if (!retained.is_ok()) return retained;
  }
  position_.digest = effects.value();
  return reply;
}

Reply Machine::run(const OpenSession&, Index index, Effects& effects) {
  effects.add(kOpened);
  for (const SessionId evicted : sessions_.open(index, overlay_)) effects.add(evicted.value);
  Reply reply;
  reply.session = SessionId(index.value);
  return reply;
}

Reply Machine::run(const CloseSession& close, Effects& effects) {
  Reply reply;
  if (!sessions_.close(close.session, overlay_)) {
    reply.code = Code::kUnknownSession;
    reply.detail = "session " + std::to_string(close.session.value);
  }
  effects.add(kClosed).add(close.session.value).add(static_cast<std::uint64_t>(reply.code));
  return reply;
}

Result<Reply> Machine::run(const Write& write, Index index, Effects& effects) {
  Result<std::optional<Reply>> answer = sessions_.answer(write, overlay_);
  if (!answer.is_ok()) return answer.status();
  effects.add(answer.value() ? kAnswered : kWrote).add(write.session.value).add(write.sequence);
  if (answer.value()) {
    effects.add(static_cast<std::uint64_t>(answer.value()->code));
    return std::move(*answer.value());
  }
  Result<Reply> reply = write.seal ? seal(write, effects)
                                   : run_transaction(write.transaction, write.session, effects);
  if (reply.is_ok()) sessions_.record(write, index, reply.value(), overlay_);
  return reply;
}

Reply Machine::seal(const Write& write, Effects& effects) {
  Reply reply;
  reply.result.revision = position_.revision;
  reply.code = Code::kSealed;
  reply.detail = "sequence " + std::to_string(write.sequence) + " of session " +
                 std::to_string(write.session.value);
  effects.add(static_cast<std::uint64_t>(reply.code));
  return reply;
}

/// A deterministic refusal is an outcome like any other.
Result<Reply> Machine::run_transaction(const Transaction& transaction, SessionId session,
                                       Effects& effects) {
  Reply reply;
  reply.result.revision = position_.revision;
  Status refusal = validate(transaction, limits_);
  if (refusal.is_ok()) {
    Result<Executed> executed =
        execute(transaction, {past(), position_.retention, position_.applied, session, leases_},
                limits_, overlay_);
    if (!executed.is_ok()) return executed.status();
    refusal = executed->refusal;
    reply.result = executed->result;
    effects.add(executed->effects).add(std::uint64_t{reply.result.succeeded});
    take(std::move(executed).value());
  }
  reply.code = refusal.code();
  reply.detail = refusal.detail();
  effects.add(static_cast<std::uint64_t>(reply.code)).add(position_.revision.value);
  return reply;
}

void Machine::take(Executed executed) {
  const Revision revision = executed.result.revision;
  CHECK(revision - position_.revision == (executed.written > 0 ? 1 : 0));
  position_.revision = revision;
  position_.compacted = executed.past.compacted;
  position_.compacted_time = executed.past.compacted_time;
  position_.retention = executed.retention;
  for (LeaseChange& change : executed.lease_changes) {
    leases_ += change.kind == LeaseChange::Kind::kGranted ? 1 : -1;
    lease_changes_.push_back(std::move(change));
  }
}

Result<Reply> Machine::run(const Expire& expire, const AppliedEntry& entry, Effects& effects) {
  effects.add(kExpired).add(expire.term.value);
  Reply reply;
  reply.result.revision = position_.revision;
  if (expire.term != entry.term) {
    reply.code = Code::kSuperseded;
    reply.detail = "leases that ended in term " + std::to_string(expire.term.value);
    return reply;
  }
  std::uint64_t deleted = 0;
  for (const LeaseId lease : expire.leases) {
    if (deleted >= limits_.deleted_keys) break;
    Transaction end;
    end.then.push_back(RevokeOperation{lease});
    Result<Executed> executed =
        execute(end, {past(), position_.retention, position_.applied, SessionId(), leases_},
                limits_, overlay_);
    if (!executed.is_ok()) return executed.status();
    if (!executed->refusal.is_ok()) continue;  // it ended before
    deleted += executed->deleted;
    effects.add(executed->effects);
    take(std::move(executed).value());
  }
  reply.result.succeeded = true;
  reply.result.revision = position_.revision;
  effects.add(position_.revision.value);
  return reply;
}

Result<std::unique_ptr<Reading>> Machine::begin_read(const Transaction& transaction,
                                                     std::size_t slice_bytes) {
  if (!failure_.is_ok()) return failure_;
  if (writes(transaction))
    return Status(Code::kInvalidArgument, "a read holds an operation that writes");
  Status status = validate(transaction, limits_);
  if (!status.is_ok()) return status;
  status = check_fences(transaction.fences, overlay_);
  if (!status.is_ok()) return status;
  const Result<bool> succeeded = all_hold(transaction.compares, overlay_);
  if (!succeeded.is_ok()) return succeeded.status();
  auto reading =
      std::make_unique<Reading>(succeeded.value() ? transaction.then : transaction.otherwise,
                                succeeded.value(), past(), limits_);
  CHECK(overlay_.size_bytes() == 0, "everything applied is committed");
  status = reading->begin(*engine_, slice_bytes);
  if (!status.is_ok()) return status;
  if (reading->done()) return reading;
  auto frozen = engine_->snapshot();
  if (!frozen.is_ok()) return frozen.status();
  reading->freeze(std::move(frozen).value());
  return reading;
}

Result<Changes> Machine::changes(Revision after, bool previous, std::size_t slice_bytes) {
  if (!failure_.is_ok()) return failure_;
  CHECK(overlay_.size_bytes() == 0, "everything applied is committed");
  return kv::changes(after, previous, slice_bytes, past(), *engine_);
}

Result<bool> Machine::sweep(std::size_t slice_bytes) {
  if (!failure_.is_ok()) return failure_;
  CHECK(overlay_.size_bytes() == 0, "everything applied is committed");
  Result<bool> more = kv::sweep(*engine_, position_.compacted, slice_bytes);
  if (!more.is_ok()) return fail(more.status());
  return more;
}

std::optional<Position> Machine::durable_position() const {
  const std::optional<std::string> row = engine_->durable_meta(kPositionKey);
  if (!row) return std::nullopt;
  const Result<Position> position = decode_position(*row);
  if (!position.is_ok()) return std::nullopt;
  return position.value();
}

}  // namespace

Result<TransactionResult> StateMachine::read(const Transaction& transaction) {
  auto reading = begin_read(transaction, SIZE_MAX);
  if (!reading.is_ok()) return reading.status();
  return reading.value()->take();
}

Result<Position> adopt_rows(IncomingEngine& incoming) {
  auto row = incoming.get(Space::kMeta, kPositionKey);
  if (!row.is_ok()) return row.status();
  if (!row.value()) return Status(Code::kCorrupt, "the snapshot holds no position");
  auto position = decode_position(*row.value());
  if (!position.is_ok()) return position.status();
  position->log_ordinal = base::Ordinal();
  Status status =
      incoming.add({{Space::kMeta, std::string(kPositionKey), encode_position(position.value())}});
  if (!status.is_ok()) return status;
  return position;
}

Position next_generation(Position from, base::ClusterId cluster, std::string configuration) {
  Position next = std::move(from);
  next.generation += 1;
  next.applied = next.applied + kGenerationStep;
  next.term = next.term + kGenerationStep;
  next.revision = next.revision + kGenerationStep;
  CHECK(generation_of(next.applied) == next.generation, "an index says its generation");
  // Between the last revision and this one nothing was written, which a history may not skip.
  next.compacted = next.revision;
  next.compacted_time = next.time;
  next.log_ordinal = base::Ordinal();
  next.configuration = std::move(configuration);
  base::Hasher chain;
  chain.add(next.hash.value).add(cluster.value).add(next.generation).add(next.applied.value);
  next.hash = base::ChainHash{chain.add(next.term.value).value()};
  return next;
}

Status write_position(Engine& engine, const Position& position) {
  EngineBatch batch;
  batch.put(Space::kMeta, std::string(kPositionKey), encode_position(position));
  const Status status = engine.commit(batch);
  return status.is_ok() ? engine.flush() : status;
}

Result<std::unique_ptr<StateMachine>> StateMachine::open(std::unique_ptr<Engine> engine,
                                                         Limits limits) {
  auto machine = std::make_unique<Machine>(std::move(engine), limits);
  const Status status = machine->load();
  if (!status.is_ok()) return status;
  return std::unique_ptr<StateMachine>(std::move(machine));
}

}  // namespace kv
