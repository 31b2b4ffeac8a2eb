// What an answer, or the lack of one, means for a call (DESIGN sections 5.10 to 5.12).
#include <algorithm>

#include "client/dispatcher.h"
#include "client/wire.h"

namespace client {
namespace {

constexpr std::uint64_t kNextHopMs = 0;
constexpr std::uint32_t kFreeHops = 2;  // hints followed at once; later ones with a pause

/// Codes that say: not here, or not now, and nothing was done.
bool says_not_leading(base::Code code) {
  switch (code) {
    case base::Code::kNotLeader:
    case base::Code::kNoLeader:
    case base::Code::kUnavailable:
    case base::Code::kQuarantined:
    case base::Code::kStalled:
    case base::Code::kLeadershipLost:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Dispatcher::answered(const AttemptPtr& attempt,
                          schema::Holdfast::SubmitResults::Reader reply) {
  attempts_.erase(attempt->id);
  endpoints_.heard(attempt->address, now_ms());
  auto outcomes = reply.getOutcomes();
  if (outcomes.size() != attempt->calls.size()) {
    give_up(attempt,
            base::Status(base::Code::kProtocol,
                         attempt->address + " answered " + std::to_string(outcomes.size()) +
                             " outcomes to " + std::to_string(attempt->calls.size()) + " calls"));
    return;
  }
  for (unsigned i = 0; i < outcomes.size(); ++i) settle(*attempt, attempt->calls[i], outcomes[i]);
  schedule_flush();
}

void Dispatcher::settle(const Attempt& attempt, const CallPtr& call, schema::Outcome::Reader from) {
  if (call->done) return;
  Outcome outcome = from_wire(from);
  if (outcome.status.is_ok()) {
    note(outcome.header);
    if (!call->anywhere()) endpoints_.claims(attempt.address, outcome.header.term, now_ms());
    if (call->kind == Call::Kind::kOpenSession) call->session = base::SessionId(from.getSession());
    finish(call, std::move(outcome));
    return;
  }
  if (call->attempt != attempt.id) return;  // given up meanwhile: a newer attempt will tell
  call->attempt = 0;
  const base::Status status(outcome.status.code(),
                            attempt.address + ": " + outcome.status.detail());
  refused(attempt, call, status, text(from.getLeaderAddress()));
}

/// An index says its generation, too (docs/decisions/0012).
void Dispatcher::note(const Header& header) {
  const base::HybridTime time = std::max(seen_.time, header.time);
  if (header.applied > seen_.applied) seen_ = header;
  seen_.time = time;
}

void Dispatcher::refused(const Attempt& attempt, const CallPtr& call, const base::Status& status,
                         const std::string& leader) {
  if (status.code() == base::Code::kUnknownSession && call->kind == Call::Kind::kWrite) {
    session_unknown(call, status);
    return;
  }
  // It may be one member that was left behind: another may go on from what was seen.
  if (status.code() == base::Code::kOtherHistory && ++call->others < options_.endpoints.size()) {
    call->refusal = status;
    if (call->anywhere()) {
      endpoints_.failed(attempt.address, status.to_string(), now_ms());
    } else {
      endpoints_.denies(attempt.address, status.to_string(), now_ms());
    }
    return retry(call, backoff_ms(*call, 10, 50));
  }
  (status.applied() == base::Applied::kUnknown ? call->unknown : call->refusal) = status;
  if (!status.retryable() || status.code() == base::Code::kDiskFull) {
    finish(call, conclusion(*call, status));
    return;
  }
  if (!says_not_leading(status.code())) {
    retry(call, backoff_ms(*call, 10, 200));
    return;
  }
  if (call->anywhere()) {
    // Sound, but of no use for this read: put aside, so that another is tried.
    endpoints_.failed(attempt.address, status.to_string(), now_ms());
  } else {
    endpoints_.denies(attempt.address, status.to_string(), now_ms());
    const bool elsewhere = leader != attempt.address && !options_.pinned;
    if (elsewhere && endpoints_.hint(leader) && call->refusals < kFreeHops) {
      ++call->refusals;
      retry(call, kNextHopMs);
      return;
    }
  }
  retry(call, backoff_ms(*call, 10, 50));
}

/// The session is gone. A write that was surely never applied goes on with a new one; for another
/// the only record of what happened is gone with it.
void Dispatcher::session_unknown(const CallPtr& call, const base::Status& status) {
  const bool never_applied = call->unknown.is_ok();
  if (never_applied && call->session == session_) sequences_->finished(call->sequence);
  drop_session(call->session);
  if (!never_applied) {
    finish(call, status);
    return;
  }
  call->session = base::SessionId();
  call->sequence = 0;
  retry(call, backoff_ms(*call, 0, 200));
}

/// Longer each time, with jitter of a half. `first_ms` 0: at once the first time.
std::uint64_t Dispatcher::backoff_ms(const Call& call, std::uint64_t first_ms,
                                     std::uint64_t most_ms) {
  if (first_ms == 0 && call.refusals == 0) return 0;
  const std::uint64_t base_ms = std::max<std::uint64_t>(first_ms, 10);
  const std::uint64_t delay_ms =
      std::min(base_ms << std::min<std::uint32_t>(call.refusals, 8), most_ms);
  return random_.between(delay_ms / 2, delay_ms);
}

void Dispatcher::retry(const CallPtr& call, std::uint64_t delay_ms) {
  // One that was never sent, or that opens the session of another, goes on.
  const base::Status& ended = call->unknown.is_ok() ? call->refusal : call->unknown;
  if (!options_.retries && !ended.is_ok() && call->kind != Call::Kind::kOpenSession)
    return finish(call, conclusion(*call, ended));
  ++retries_;
  if (delay_ms == 0) {
    enqueue(call);
    return;
  }
  ++call->refusals;
  call->retry_at_ms = now_ms() + delay_ms;
  arm();
}

void Dispatcher::attempt_failed(const AttemptPtr& attempt, const kj::Exception& exception) {
  if (attempts_.erase(attempt->id) == 0) return;  // given up before
  const std::string what = attempt->address + ": " + describe(exception);
  switch (exception.getType()) {
    case kj::Exception::Type::DISCONNECTED:
      give_up(attempt, base::Status(base::Code::kDisconnected, what));
      eject(attempt->address, describe(exception));
      return;
    case kj::Exception::Type::OVERLOADED:
      give_up(attempt, base::Status(base::Code::kTimeout, what));
      return;
    case kj::Exception::Type::UNIMPLEMENTED:
      give_up(attempt, base::Status(base::Code::kUnsupported, what));
      return;
    case kj::Exception::Type::FAILED:
      break;
  }
  // Perhaps only the replies together were too large for one message: each call once more, alone.
  const bool together = attempt->calls.size() > 1;
  for (const auto& call : attempt->calls) call->alone = true;
  give_up(attempt,
          base::Status(together ? base::Code::kDisconnected : base::Code::kInternal, what));
}

/// The calls of an attempt that will not be heard of any more, with what is known of it.
void Dispatcher::give_up(const AttemptPtr& attempt, const base::Status& why) {
  attempts_.erase(attempt->id);
  for (const auto& call : attempt->calls) {
    if (call->done || call->attempt != attempt->id) continue;
    call->attempt = 0;
    (why.applied() == base::Applied::kUnknown ? call->unknown : call->refusal) = why;
    if (why.retryable())
      retry(call, backoff_ms(*call, 0, 200));
    else
      finish(call, conclusion(*call, why));
  }
}

void Dispatcher::eject(const std::string& address, const std::string& reason) {
  auto found = channels_.find(address);
  if (found == channels_.end()) return;
  found->second->close(reason);
  retired_.push_back(std::move(found->second));
  channels_.erase(found);
  tasks_.add(kj::evalLater([this] { retired_.clear(); }));
  endpoints_.failed(address, reason, now_ms());

  std::vector<AttemptPtr> lost;
  for (const auto& [id, attempt] : attempts_)
    if (attempt->address == address) lost.push_back(attempt);
  for (const auto& attempt : lost)
    give_up(attempt, base::Status(base::Code::kDisconnected, address + ": " + reason));
  schedule_flush();
}

void Dispatcher::finish(const CallPtr& call, const base::Status& status) {
  Outcome outcome;
  outcome.status = status;
  finish(call, std::move(outcome));
}

/// An outcome that the caller does not know is kept by the servers a while longer.
void Dispatcher::give_back(const Call& call, const base::Status& status) {
  if (status.applied() == base::Applied::kUnknown) {
    sequences_->unresolved(call.sequence);
  } else {
    sequences_->finished(call.sequence);
  }
}

void Dispatcher::finish(const CallPtr& call, Outcome outcome) {
  CHECK(!call->done, "a call ends once");
  call->done = true;
  calls_.erase(call->id);
  if (call->kind == Call::Kind::kWrite && call->session && call->session == session_)
    give_back(*call, outcome.status);
  if (call->kind == Call::Kind::kWrite) {
    outcome.session = call->session;
    outcome.sequence = call->sequence;
  }
  outcome.trace = call->trace;
  call->fulfiller->fulfill(kj::mv(outcome));
}

}  // namespace client
