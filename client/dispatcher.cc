#include "client/dispatcher.h"

#include <chrono>
#include <random>

#include "client/wire.h"
#include "schema/codec.h"

namespace client {
namespace {

std::uint64_t seed_of(const Options& options) {
  if (options.seed != 0) return options.seed;
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

}  // namespace

Dispatcher::Dispatcher(net::Loop& loop, Options options)
    : loop_(loop),
      options_(std::move(options)),
      random_(seed_of(options_)),
      endpoints_(options_.endpoints),
      tasks_(*this) {}

Dispatcher::~Dispatcher() = default;

std::uint64_t Dispatcher::now_ms() const {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

void Dispatcher::taskFailed(kj::Exception&& exception) {
  // Every task handles its failures itself; one that does not is a bug here.
  CHECK(false, "a task of the client failed: " + describe(exception));
}

kj::Promise<Outcome> Dispatcher::submit(CallPtr call) {
  auto paf = kj::newPromiseAndFulfiller<Outcome>();
  call->fulfiller = kj::mv(paf.fulfiller);
  if (calls_.size() >= options_.calls_max) {
    Outcome outcome;
    outcome.status = base::Status(
        base::Code::kOverloaded,
        "this client already has " + std::to_string(calls_.size()) + " calls in flight");
    call->fulfiller->fulfill(kj::mv(outcome));
    return kj::mv(paf.promise);
  }
  call->id = ++last_id_;
  call->trace = random_.next() | 1;
  call->size_bytes = weight(call->transaction);
  call->started_ms = now_ms();
  call->deadline_ms = call->started_ms + options_.timeout_ms + 1;  // now_ms() rounds down
  calls_.emplace(call->id, call);
  enqueue(call);
  arm();
  return kj::mv(paf.promise);
}

void Dispatcher::enqueue(const CallPtr& call) {
  (call->anywhere() ? for_any_ : for_leader_).push_back(call);
  schedule_flush();
}

void Dispatcher::schedule_flush() {
  if (flush_scheduled_) return;
  flush_scheduled_ = true;
  // After everything that this turn still makes, so that all of it shares a submit.
  tasks_.add(kj::evalLast([this] {
    flush_scheduled_ = false;
    flush();
  }));
}

void Dispatcher::flush() {
  const std::uint64_t now = now_ms();
  const auto any = endpoints_.any(now);
  if (!for_leader_.empty() && endpoints_.leader().has_value())
    send_queue(for_leader_, *endpoints_.leader());
  if (!for_any_.empty() && any.has_value()) send_queue(for_any_, *any);
  if (!for_leader_.empty() || !for_any_.empty())
    if (!endpoints_.confirmed()) search(now);
}

void Dispatcher::send_queue(Queue& queue, const std::string& address) {
  Channel* to = channel(address);
  if (to == nullptr) return;
  while (!queue.empty() && to->has_room()) {
    auto batch = take_batch(queue);
    if (batch.empty()) return;
    send(*to, std::move(batch));
  }
}

std::vector<CallPtr> Dispatcher::take_batch(Queue& queue) {
  std::vector<CallPtr> batch;
  std::size_t bytes = 0;
  while (!queue.empty() && batch.size() < kBatchCalls) {
    CallPtr call = queue.front();
    if (!call->done) {
      const bool fits = batch.empty() || (!call->alone && bytes + call->size_bytes <= kBatchBytes);
      if (!fits) break;
      if (call->kind == Call::Kind::kWrite && !prepare(call)) {
        if (session_) break;  // the window is full: it stays first in the queue
        queue.pop_front();
        for_session_.push_back(call);
        open_session();
        continue;
      }
      bytes += call->size_bytes;
      batch.push_back(call);
    }
    queue.pop_front();
    if (call->alone && !call->done) break;
  }
  return batch;
}

/// Gives a write its session and sequence. Returns false if there is none to give now.
bool Dispatcher::prepare(const CallPtr& call) {
  if (call->session) return true;
  if (!session_) return false;
  const auto sequence = sequences_->next();
  if (!sequence.has_value()) return false;
  call->session = session_;
  call->sequence = *sequence;
  return true;
}

void Dispatcher::open_session() {
  if (opening_) return;
  opening_ = true;
  auto call = std::make_shared<Call>();
  call->kind = Call::Kind::kOpenSession;
  tasks_.add(submit(call).then(
      [this, call](Outcome&& outcome) { session_opened(outcome, call->session); }));
}

void Dispatcher::session_opened(const Outcome& outcome, base::SessionId session) {
  opening_ = false;
  Queue waiting;
  waiting.swap(for_session_);
  if (outcome.status.is_ok()) {
    session_ = session;
    sequences_ = std::make_unique<Sequences>(kv::Limits{}.session_window);
    for (const auto& call : waiting) enqueue(call);
    return;
  }
  // Those that were not waiting from the start may have time left: they ask again.
  const std::uint64_t now = now_ms();
  for (const auto& call : waiting) {
    if (call->done) continue;
    if (outcome.status.retryable() && now < call->deadline_ms && !ends_early(*call, now))
      retry(call, backoff_ms(*call, 10, 200));
    else
      finish(call,
             base::Status(outcome.status.code(), "opening a session: " + outcome.status.detail()));
  }
}

void Dispatcher::drop_session(base::SessionId session) {
  if (session_ != session) return;
  session_ = base::SessionId();
  sequences_.reset();
}

namespace {

void write_call(const Call& call, std::uint64_t acknowledged_below, schema::Call::Builder to) {
  switch (call.kind) {
    case Call::Kind::kOpenSession:
      to.setOpenSession();
      return;
    case Call::Kind::kCloseSession:
      to.setCloseSession(call.session.value);
      return;
    case Call::Kind::kWrite: {
      auto write = to.initWrite();
      write.setSession(call.session.value);
      write.setSequence(call.sequence);
      write.setAcknowledgedBelow(acknowledged_below);
      schema::write(call.transaction, write.initTransaction());
      return;
    }
    case Call::Kind::kResolve: {
      auto write = to.initWrite();
      write.setSession(call.session.value);
      write.setSequence(call.sequence);
      write.setSeal(true);
      return;
    }
    case Call::Kind::kRead: {
      auto read = to.initRead();
      read.setSerializable(call.consistency == Consistency::kSerializable);
      read.setMaxStalenessMs(call.max_staleness_ms);
      schema::write(call.transaction, read.initTransaction());
      return;
    }
    case Call::Kind::kMembers: {
      auto change = to.initMembers();
      change.setKind(static_cast<std::uint8_t>(call.change.kind));
      change.setName(call.change.name);
      change.setPeerAddress(call.change.peer_address);
      change.setClientAddress(call.change.client_address);
      change.setLearner(call.change.learner);
      return;
    }
    case Call::Kind::kMoveLeader:
      to.setMoveLeader(call.to);
      return;
  }
}

}  // namespace

void Dispatcher::send(Channel& channel, std::vector<CallPtr> calls) {
  const std::uint64_t now = now_ms();
  auto attempt = std::make_shared<Attempt>();
  attempt->id = ++last_id_;
  attempt->address = channel.address();
  attempt->sent_ms = now;
  attempt->calls = std::move(calls);
  attempts_.emplace(attempt->id, attempt);

  std::uint64_t bytes = 0, deadline_ms = now + 1;
  for (const auto& call : attempt->calls) {
    bytes += call->size_bytes;
    deadline_ms = std::max(deadline_ms, call->deadline_ms);
  }
  auto request = channel.submit(bytes / 8 + attempt->calls.size() * 32 + 24, now);
  request.setDeadlineMs(static_cast<std::uint32_t>(deadline_ms - now));
  auto seen = request.initSeen();
  seen.setGeneration(seen_.generation);
  seen.setApplied(seen_.applied.value);
  seen.setHash(seen_.hash.value);
  seen.setTime(seen_.time.value);
  auto list = request.initCalls(static_cast<unsigned>(attempt->calls.size()));
  for (unsigned i = 0; i < list.size(); ++i) {
    Call& call = *attempt->calls[i];
    call.attempt = attempt->id;
    // Of a call of an earlier session nothing may be acknowledged: that session's state is gone.
    const bool current = sequences_ != nullptr && call.session == session_;
    list[i].setTrace(call.trace);
    write_call(call, current ? sequences_->acknowledged_below() : 0, list[i]);
  }
  std::weak_ptr<Channel> weak = channels_.at(channel.address());
  tasks_.add(request.send().then(
      [this, attempt, weak](capnp::Response<schema::Holdfast::SubmitResults>&& reply) {
        if (auto open = weak.lock()) {
          open->settled();
          open->heard(now_ms());
        }
        answered(attempt, reply);
      },
      [this, attempt, weak](kj::Exception&& exception) {
        if (auto open = weak.lock()) open->settled();
        attempt_failed(attempt, exception);
      }));
}

/// The channel to an address, dialling if there is none. Null while it cannot be used at all.
Channel* Dispatcher::channel(const std::string& address) {
  auto found = channels_.find(address);
  if (found != channels_.end()) return found->second.get();
  auto opened = Channel::open(loop_, address, options_, [this](Channel& c) { channel_changed(c); });
  if (!opened.is_ok()) {
    endpoints_.failed(address, opened.status().detail(), now_ms());
    return nullptr;
  }
  return channels_.emplace(address, opened.value()).first->second.get();
}

void Dispatcher::channel_changed(Channel& channel) {
  if (channel.state() == Channel::State::kClosed) {
    eject(channel.address(), channel.reason());
    return;
  }
  // While nobody is confirmed to lead, whoever can be reached is asked at once.
  if (!endpoints_.confirmed() && !channel.asking()) ask(channel);
  schedule_flush();
}

}  // namespace client
