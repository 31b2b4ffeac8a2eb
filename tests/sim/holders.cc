#include "tests/sim/holders.h"

#include <utility>

#include "storage/codec.h"

namespace sim {
namespace {

constexpr Range kThink{5 * kMillisecond, 60 * kMillisecond};
constexpr Range kDelay{100, 2 * kMillisecond};
constexpr Range kBackOff{3 * kMillisecond, 40 * kMillisecond};
const std::string kLock = "the-lock";
const std::string kGuarded = "what-it-guards";

}  // namespace

Holders::Holders(Workload& workload, std::size_t count) : workload_(workload) {
  for (std::size_t i = 0; i < count; ++i) {
    holders_.push_back(std::make_unique<Holder>(workload, *this, i + 1));
  }
}
Holders::~Holders() = default;

void Holders::begin() {
  for (auto& holder : holders_) holder->begin();
}

void Holders::holds(const Holder& one) {
  workload_.journal.count("lock taken");
  for (const auto& other : holders_) {
    if (other.get() != &one && other->believes()) {
      workload_.journal.violation("two hold the lock: one by lease " +
                                  std::to_string(other->lease().value) + ", the other by " +
                                  std::to_string(one.lease().value));
    }
  }
}

void Holders::lease_ended(base::LeaseId lease) {
  workload_.journal.count("lease ended by time");
  for (const auto& holder : holders_) {
    if (holder->lease() == lease && holder->believes()) {
      workload_.journal.violation("lease " + std::to_string(lease.value) +
                                  " ended although it was renewed in time");
    }
  }
}

Holder::Holder(Workload& workload, Holders& all, std::size_t number)
    : workload_(workload), all_(all), number_(number), random_(workload.random.next()) {
  target_ = random_.below(workload_.nodes.size());
}

bool Holder::believes() const {
  // Members' clocks run up to a fifth too fast here (Fault::kClockDrift).
  const Time ttl = ttl_ms_ * kMillisecond;
  return token_ && workload_.queue.now() < renewed_at_ + ttl - ttl / 4;
}

// ---- One call, until its end is known ----

void Holder::call(Send send, Done done) {
  send_ = std::move(send);
  done_ = std::move(done);
  attempt();
}

void Holder::attempt() {
  const std::uint64_t attempt = ++attempt_;
  workload_.queue.after(kDelay.draw(random_), [this, attempt] {
    if (attempt != attempt_) return;
    Node& node = *workload_.nodes[target_];
    if (!node.running()) return;  // the time-out comes
    send_(node, [this, attempt](const server::RequestOutcome& outcome) {
      workload_.queue.after(kDelay.draw(random_),
                            [this, attempt, outcome] { on_answer(attempt, outcome); });
    });
  });
  workload_.queue.after(workload_.options.client_timeout.draw(random_), [this, attempt] {
    if (attempt != attempt_) return;
    target_ = random_.below(workload_.nodes.size());
    this->attempt();
  });
}

void Holder::on_answer(std::uint64_t attempt, const server::RequestOutcome& outcome) {
  if (attempt != attempt_) return;
  ++attempt_;
  if (outcome.status.is_ok()) return std::exchange(done_, nullptr)(outcome);
  const bool hint = outcome.leader && Node::id_of(target_) != outcome.leader;
  target_ = hint ? outcome.leader.value - 1 : random_.below(workload_.nodes.size());
  const std::uint64_t ended = attempt_;
  workload_.queue.after(hint ? 0 : kBackOff.draw(random_), [this, ended] {
    if (ended == attempt_) this->attempt();
  });
}

void Holder::write(kv::Transaction transaction, std::function<void(const kv::Reply& reply)> done) {
  const kv::Write write{session_, ++sequence_, sequence_, std::move(transaction), false};
  call([payload = storage::encode(write), session = session_](
           Node& node, const Node::Answer& answer) { node.write(payload, answer, session); },
       [this, done = std::move(done)](const server::RequestOutcome& outcome) {
         workload_.checks.acknowledged(session_, sequence_, outcome.reply);
         done(outcome.reply);
       });
}

// ---- Its life ----

void Holder::begin() {
  workload_.queue.after(kThink.draw(random_), [this] {
    if (workload_.stopping) return;
    if (session_) return grant();
    call(
        [](Node& node, const Node::Answer& answer) {
          node.write(storage::encode(kv::OpenSession()), answer, {});
        },
        [this](const server::RequestOutcome& outcome) {
          session_ = outcome.reply.session;
          sequence_ = 0;
          grant();
        });
  });
}

void Holder::start_over() {
  token_ = base::Revision();
  lease_ = base::LeaseId();
  frozen_ = false;
  begin();
}

void Holder::grant() {
  ttl_ms_ = random_.between(500, 1500);
  renewed_at_ = workload_.queue.now();
  kv::Transaction transaction;
  transaction.then = {kv::GrantOperation{{}, ttl_ms_, random_.chance(3)}};
  write(std::move(transaction), [this](const kv::Reply& reply) {
    if (reply.code != base::Code::kOk) {
      return workload_.journal.violation("a lease is refused: " + reply.detail);
    }
    lease_ = std::get<kv::GrantResult>(reply.result.results.at(0)).lease;
    acquire();
  });
}

void Holder::acquire() {
  if (workload_.stopping) return;
  kv::Transaction transaction;
  transaction.compares = {{kLock, kv::CompareTarget::kExistence}};
  transaction.then = {kv::PutOperation{kLock, workload_.new_value(), false, lease_}};
  write(std::move(transaction), [this](const kv::Reply& reply) {
    if (reply.code == base::Code::kLeaseNotFound) return start_over();
    if (!reply.result.succeeded) {
      workload_.queue.after(kThink.draw(random_), [this] { renew(); });
      return;
    }
    token_ = reply.result.revision;
    if (believes()) all_.holds(*this);
    go_on();
  });
}

void Holder::go_on() {
  workload_.queue.after(kThink.draw(random_), [this] {
    if (workload_.stopping) return;
    if (!token_) return acquire();
    if (!frozen_ && random_.chance(12)) {
      workload_.journal.count("holder freezes");
      frozen_ = true;
    }
    if (!frozen_ && random_.chance(12)) {
      token_ = base::Revision();
      kv::Transaction transaction;
      transaction.then = {kv::RevokeOperation{lease_}};
      return write(std::move(transaction), [this](const kv::Reply&) { start_over(); });
    }
    if (!frozen_ && random_.chance(2)) return renew();
    write_fenced();
  });
}

void Holder::renew() {
  const Time asked = workload_.queue.now();
  call(
      [lease = lease_](Node& node, const Node::Answer& answer) {
        node.leases({{lease}, true}, answer);
      },
      [this, asked](const server::RequestOutcome& outcome) {
        workload_.journal.count("lease renewed");
        if (outcome.leases.at(0).ttl_ms != 0) {
          renewed_at_ = asked;
          return go_on();
        }
        if (believes()) workload_.journal.violation("a lease that was renewed in time is gone");
        start_over();
      });
}

void Holder::write_fenced() {
  kv::Transaction transaction;
  transaction.then = {kv::PutOperation{kGuarded, workload_.new_value(), false}};
  transaction.fences = {{kLock, token_}};
  write(std::move(transaction), [this](const kv::Reply& reply) {
    if (reply.code == base::Code::kOk) return go_on();
    workload_.journal.count("fenced");
    if (believes()) workload_.journal.violation("who holds the lock is refused: " + reply.detail);
    start_over();
  });
}

}  // namespace sim
