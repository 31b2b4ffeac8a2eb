#include "tests/sim/workload.h"

#include <utility>

#include "base/check.h"
#include "storage/codec.h"

namespace sim {
namespace {

constexpr std::size_t kOperationsAKeySet = 250;
constexpr Range kClientDelay{100, 2 * kMillisecond};
constexpr Range kBackOff{3 * kMillisecond, 40 * kMillisecond};
constexpr std::uint64_t kMaxAttempts = 60;
constexpr std::size_t kSeenRevisions = 40;
constexpr std::uint64_t kGiveUpOneIn = 25;  // after a try whose outcome is unknown

}  // namespace

std::string Workload::key_prefix() const {
  return "k" + std::to_string(history.size() / kOperationsAKeySet) + "-";
}
std::string Workload::key(std::uint64_t number) const {
  return key_prefix() + std::to_string(number);
}
std::string Workload::new_value() {
  std::string value = "v" + std::to_string(next_value++);
  if (random.chance(20)) value.append(random.below(3000), '.');
  return value;
}

Client::Client(Workload& workload, std::uint64_t id)
    : workload_(workload), id_(id), random_(workload.random.next()) {
  target_ = random_.below(workload_.nodes.size());
}

// ---- What to do ----

void Client::begin() {
  workload_.queue.after(workload_.options.think.draw(random_), [this] { next(); });
}

void Client::next() {
  if (workload_.stopping && !done_) return;
  CHECK(!busy_, "one operation at a time");
  busy_ = true;
  first_attempt_ = attempt_ + 1;
  if (!session_) {
    opening_ = true;
    return attempt();
  }
  choose();
  attempt();
}

void Client::choose() {
  current_ = workload_.history.size();
  Operation operation;
  operation.client = id_;
  operation.invoked = workload_.queue.now();
  operation.key = workload_.key(random_.below(workload_.options.keys));
  const std::uint64_t die = random_.below(100);
  if (die < 55) {
    choose_write(operation, die);
  } else if (die < 85) {
    operation.verb = Verb::kGet;
    keys_ = {operation.key};
  } else if (die < 93) {
    operation.verb = Verb::kStaleGet;
    keys_ = {operation.key};
  } else {
    const bool past = die >= 97 && !seen_revisions_.empty();
    operation.verb = past ? Verb::kPastRange : Verb::kRange;
    if (past) operation.at = seen_revisions_[random_.below(seen_revisions_.size())];
    operation.key = workload_.key_prefix();
    operation.end = operation.key + "~";
    keys_.clear();
    for (std::size_t i = 0; i < workload_.options.keys; ++i) keys_.push_back(workload_.key(i));
  }
  // Some readers do not follow the leader: who was deposed must be asked, too.
  if (!operation.writes() && random_.chance(3)) target_ = random_.below(workload_.nodes.size());
  transaction_ = transaction_of(operation);
  workload_.history.push_back(std::move(operation));
  workload_.writes.emplace_back(session_, sequence_);
}

void Client::choose_write(Operation& operation, std::uint64_t die) {
  ++sequence_;
  keys_ = {operation.key};
  if (die == 0 && !seen_revisions_.empty()) {
    operation.verb = Verb::kCompact;
    operation.key.clear();
    keys_.clear();
    operation.at = seen_revisions_.front();
    workload_.compacted = std::max(workload_.compacted, operation.at);
  } else if (die < 30) {
    operation.verb = Verb::kPut;
    operation.value = workload_.new_value();
    operation.asked_previous = random_.chance(2);
  } else if (die < 48) {
    operation.verb = Verb::kCas;
    operation.value = workload_.new_value();
    const auto known = known_.find(operation.key);
    if (known != known_.end()) operation.expected = known->second;
  } else {
    operation.verb = Verb::kDelete;
    operation.asked_previous = true;
  }
}

void Client::read_everything(const std::vector<std::string>& keys, std::function<void()> done) {
  done_ = std::move(done);
  busy_ = true;
  first_attempt_ = attempt_ + 1;
  Operation operation;
  operation.client = id_;
  operation.invoked = workload_.queue.now();
  operation.verb = Verb::kRange;
  operation.key = keys.front();
  operation.end = keys.back() + '\0';
  keys_ = keys;
  transaction_ = transaction_of(operation);
  current_ = workload_.history.size();
  workload_.history.push_back(std::move(operation));
  workload_.writes.emplace_back();
  attempt();
}

kv::Transaction Client::transaction_of(const Operation& operation) const {
  kv::Transaction transaction;
  kv::RangeOperation get{{operation.key, operation.end}};
  switch (operation.verb) {
    case Verb::kPut:
      transaction.then = {
          kv::PutOperation{operation.key, operation.value, operation.asked_previous}};
      break;
    case Verb::kDelete:
      transaction.then = {kv::DeleteOperation{{operation.key, ""}, true}};
      break;
    case Verb::kCas: {
      kv::Compare compare{operation.key};
      if (operation.expected) {
        compare.target = kv::CompareTarget::kValue;
        compare.value = *operation.expected;
      }
      transaction.compares = {compare};
      transaction.then = {kv::PutOperation{operation.key, operation.value, false}};
      transaction.otherwise = {get};
      break;
    }
    case Verb::kCompact:
      transaction.then = {kv::CompactOperation{operation.at}};
      break;
    case Verb::kPastRange:
      get.revision = operation.at;
      transaction.then = {get};
      break;
    case Verb::kGet:
    case Verb::kStaleGet:
    case Verb::kRange:
      transaction.then = {get};
      break;
  }
  return transaction;
}

// ---- Tries ----

void Client::attempt() {
  const Attempt attempt = ++attempt_;
  workload_.queue.after(kClientDelay.draw(random_), [this, attempt] { send(attempt); });
  workload_.queue.after(workload_.options.client_timeout.draw(random_),
                        [this, attempt] { on_timeout(attempt); });
}

void Client::send(Attempt attempt) {
  if (!busy_ || attempt != attempt_) return;
  Node& node = *workload_.nodes[target_];
  const Node::Answer answer = [this, attempt](const server::RequestOutcome& outcome) {
    workload_.queue.after(kClientDelay.draw(random_),
                          [this, attempt, outcome] { on_answer(attempt, outcome); });
  };
  if (!node.running()) {
    target_ = random_.below(workload_.nodes.size());
    return try_again(kBackOff.draw(random_));
  }
  if (opening_) return node.write(storage::encode(kv::OpenSession()), answer, {});
  if (resolving_) {
    return node.write(storage::encode(kv::Write{session_, sequence_, 0, {}, true}), answer,
                      session_, seen_);
  }
  const Verb verb = operation().verb;
  if (verb == Verb::kStaleGet) return node.read_serializable(transaction_, answer, seen_);
  if (!operation().writes()) return node.read(transaction_, answer, seen_);
  const kv::Write write{session_, sequence_, sequence_, transaction_, false};
  node.write(storage::encode(write), answer, session_, seen_);
}

void Client::try_again(Time delay) {
  const Attempt attempt_that_ended = attempt_++;
  workload_.queue.after(delay, [this, attempt_that_ended] {
    if (!busy_ || attempt_ != attempt_that_ended + 1) return;
    if (attempt_ - first_attempt_ > kMaxAttempts && !done_) return give_up();
    attempt();
  });
}

void Client::on_timeout(Attempt attempt) {
  if (!busy_ || attempt != attempt_) return;
  workload_.journal.count("client time-out");
  target_ = random_.below(workload_.nodes.size());
  if (!done_ && random_.chance(kGiveUpOneIn)) return give_up();
  if (workload_.options.mistakes.retry_as_new) ++sequence_;
  try_again(kBackOff.draw(random_));
}

/// The operation stays open, and so its session is never used again. Half of the time the client
/// asks what became of a write, as often as it takes, and then gives up.
void Client::give_up() {
  if (!opening_ && !resolving_ && operation().writes() && random_.chance(2)) {
    resolving_ = true;
    first_attempt_ = attempt_ + 1;
    return attempt();
  }
  resolving_ = false;
  workload_.journal.count("client gave up");
  busy_ = false;
  opening_ = false;
  session_ = base::SessionId();
  sequence_ = 0;
  begin();
}

/// Whatever it is, it may not change any more.
void Client::resolved(const kv::Reply& reply) {
  const bool sealed = reply.code == base::Code::kSealed;
  workload_.journal.count(sealed ? "resolved as never" : "resolved as applied");
  if (sealed) {
    workload_.checks.acknowledged(session_, sequence_, reply);
  } else if (reply.code != base::Code::kOk && reply.code != base::Code::kCompacted) {
    workload_.journal.violation("client " + std::to_string(id_) +
                                " cannot resolve: " + reply.detail);
  } else if (!reply.repeated) {
    workload_.journal.violation("a seal happened as a write: " + to_string(operation()));
  }
  give_up();
}

void Client::on_answer(Attempt attempt, const server::RequestOutcome& outcome) {
  const server::Header& header = outcome.header;
  if (outcome.status.is_ok() && header.applied > seen_.applied) {
    seen_ = {header.generation, header.applied, header.hash, header.time};
  }
  if (!busy_ || attempt < first_attempt_) return;
  if (resolving_ && outcome.status.is_ok()) return resolved(outcome.reply);
  if (outcome.status.is_ok()) {
    if (outcome.is_read || outcome.reply.code == base::Code::kOk) return complete(outcome);
    if (is_compacted(outcome.reply.code)) return complete(outcome);
    return workload_.journal.violation("client " + std::to_string(id_) + " is answered " +
                                       std::string(base::traits(outcome.reply.code).name) + ": " +
                                       outcome.reply.detail);
  }
  if (is_compacted(outcome.status.code())) return complete(outcome);
  if (attempt != attempt_) return;
  workload_.journal.count("answer " + std::string(base::traits(outcome.status.code()).name));
  if (!outcome.status.retryable() && outcome.status.applied() != base::Applied::kUnknown &&
      outcome.status.code() != base::Code::kQuarantined) {
    return workload_.journal.violation("client " + std::to_string(id_) +
                                       " is refused for good: " + outcome.status.to_string());
  }
  const bool unknown = outcome.status.applied() == base::Applied::kUnknown;
  if (unknown && !done_ && random_.chance(kGiveUpOneIn)) return give_up();
  if (unknown && workload_.options.mistakes.retry_as_new) ++sequence_;
  const bool hint = outcome.leader && Node::id_of(target_) != outcome.leader;
  target_ = hint ? outcome.leader.value - 1 : random_.below(workload_.nodes.size());
  try_again(hint ? 0 : kBackOff.draw(random_));
}

/// Whether somebody asked for the compaction that this answer speaks of.
bool Client::is_compacted(base::Code code) {
  if (code != base::Code::kCompacted || opening_) return false;
  const bool asked = operation().at && operation().at <= workload_.compacted;
  if (!asked) workload_.journal.violation("compacted by nobody: " + to_string(operation()));
  operation().refused = true;
  workload_.journal.count("answer compacted");
  return true;
}

// ---- Ends ----

void Client::complete(const server::RequestOutcome& outcome) {
  busy_ = false;
  if (std::exchange(opening_, false)) {
    session_ = outcome.reply.session;
    sequence_ = 0;
    return begin();
  }
  Operation& done = operation();
  done.returned = workload_.queue.now();
  done.shown = outcome.header.revision;
  done.time = outcome.header.time;
  const kv::TransactionResult& result = outcome.is_read ? outcome.result : outcome.reply.result;
  done.revision = result.revision;
  if (done.shown && (seen_revisions_.empty() || seen_revisions_.back() < done.shown)) {
    seen_revisions_.push_back(done.shown);
    if (seen_revisions_.size() > kSeenRevisions) seen_revisions_.pop_front();
  }
  if (done.verb == Verb::kCompact || done.refused) {
    if (done.writes()) workload_.checks.acknowledged(session_, sequence_, outcome.reply);
  } else if (done.writes()) {
    complete_write(done, result);
    workload_.checks.acknowledged(session_, sequence_, outcome.reply);
  } else {
    note_seen(done, result);
  }
  workload_.journal.count("operation done");
  if (workload_.journal.wants_lines()) workload_.journal.line(to_string(done));
  if (done_) return done_();
  begin();
}

void Client::complete_write(Operation& done, const kv::TransactionResult& result) {
  if (done.verb == Verb::kDelete) {
    done.wrote = std::get<kv::DeleteResult>(result.results.at(0)).deleted > 0;
  } else {
    done.wrote = result.succeeded;
  }
  if (done.verb != Verb::kCas || !done.wrote) {
    note_seen(done, result);
  }
  if (done.wrote) {
    known_[done.key] = done.verb == Verb::kDelete ? std::nullopt : std::optional(done.value);
  }
}

/// What a reply says of each key that was asked for.
void Client::note_seen(Operation& done, const kv::TransactionResult& result) {
  if (done.verb == Verb::kPut && !done.asked_previous) return;
  std::map<std::string, const kv::KeyValue*> found;
  const kv::OperationResult& first = result.results.at(0);
  if (const auto* range = std::get_if<kv::RangeResult>(&first)) {
    for (const auto& item : range->items) found[item.key] = &item;
    if (range->more) return workload_.journal.violation("a range was cut short");
  } else if (const auto* put = std::get_if<kv::PutResult>(&first)) {
    if (put->previous) found[put->previous->key] = &*put->previous;
  } else {
    for (const auto& item : std::get<kv::DeleteResult>(first).previous) found[item.key] = &item;
  }
  for (const auto& [key, item] : found) {
    if (keys_.size() == 1 && key != keys_[0]) {
      workload_.journal.violation("a reply holds " + key + ", which was not asked for");
    }
  }
  for (const std::string& key : keys_) {
    const auto at = found.find(key);
    if (at == found.end()) {
      done.seen.push_back({key, std::nullopt, base::Revision()});
    } else {
      done.seen.push_back({key, at->second->value, at->second->modify_revision});
    }
    if (done.is_current()) known_[key] = done.seen.back().value;
  }
}

}  // namespace sim
