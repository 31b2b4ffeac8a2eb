#include "server/probe.h"

#include <kj/exception.h>
#include <kj/timer.h>

#include <utility>

#include "base/status.h"
#include "server/clock.h"

namespace server {
namespace {

constexpr std::uint32_t kFailuresToComplain = 3;
constexpr std::uint32_t kGoodToForget = 2;
constexpr std::uint64_t kMissedPeriods = 5;
constexpr std::uint64_t kAcknowledgeBehind = 1;  // only the last outcome is kept

double since_ms(std::uint64_t start_us) {
  return static_cast<double>(boot_us() - start_us) / 1000;
}

/// Throws what went wrong, so that it ends the chain.
schema::Outcome::Reader only_outcome(const capnp::Response<schema::Holdfast::SubmitResults>& reply,
                                     const char* what) {
  const auto outcomes = reply.getOutcomes();
  KJ_REQUIRE(outcomes.size() == 1, "an outcome for each call");
  const auto code = static_cast<base::Code>(outcomes[0].getCode());
  if (code == base::Code::kOk) return outcomes[0];
  const base::Status status(code, std::string(what) + ": " + outcomes[0].getDetail().cStr());
  kj::throwFatalException(kj::Exception(kj::Exception::Type::FAILED, __FILE__, __LINE__,
                                        kj::heapString(status.to_string())));
}

/// Sessions are replicated state: another is opened only when this one cannot be used any more.
bool session_is_gone(const capnp::Response<schema::Holdfast::SubmitResults>& reply) {
  for (const auto outcome : reply.getOutcomes()) {
    const auto code = static_cast<base::Code>(outcome.getCode());
    if (code == base::Code::kUnknownSession || code == base::Code::kSequenceForgotten ||
        code == base::Code::kSequenceTooFar) {
      return true;
    }
  }
  return false;
}

}  // namespace

void ProbeBoard::failed(std::uint64_t now_ms, std::string reason) {
  std::lock_guard lock(mutex_);
  result_.ended_ms = now_ms;
  ++result_.failures;
  result_.good = 0;
  result_.reason = std::move(reason);
}

void ProbeBoard::passed(std::uint64_t now_ms, double dial_ms, std::optional<double> write_ms,
                        double read_ms) {
  std::lock_guard lock(mutex_);
  result_.ended_ms = now_ms;
  if (++result_.good >= kGoodToForget) result_.failures = 0;
  result_.dial_ms = dial_ms;
  result_.write_ms = write_ms;
  result_.read_ms = read_ms;
}

ProbeResult ProbeBoard::read() const {
  std::lock_guard lock(mutex_);
  return result_;
}

std::string probe_complaint(const ProbeResult& result, std::uint64_t now_ms,
                            const ProbeOptions& options) {
  if (options.every_ms == 0 || result.ended_ms == 0) return "";
  if (result.failures >= kFailuresToComplain) {
    return std::to_string(result.failures) + " probes in a row failed: " + result.reason;
  }
  const std::uint64_t age_ms = now_ms > result.ended_ms ? now_ms - result.ended_ms : 0;
  if (age_ms <= kMissedPeriods * options.every_ms) return "";
  return "no probe has ended for " + std::to_string(age_ms) + " ms";
}

/// One connection of its own, as a client's.
struct Probe::Attempt {
  std::unique_ptr<net::RpcClient> rpc;
  kj::Maybe<schema::Holdfast::Client> member;
  double dial_ms = 0;
  std::optional<double> write_ms;

  schema::Holdfast::Client& client() { return KJ_ASSERT_NONNULL(member); }
};

Probe::Probe(net::Loop& loop, net::Address address, ProbeOptions options, std::uint64_t seed,
             std::function<bool()> leads, ProbeBoard& board)
    : loop_(loop),
      address_(std::move(address)),
      options_(options),
      leads_(std::move(leads)),
      board_(board),
      random_(seed) {
  if (options_.every_ms != 0) task_ = again().eagerlyEvaluate(nullptr);
}
Probe::~Probe() noexcept(false) = default;

kj::Promise<void> Probe::again() {
  const std::uint32_t fifth = options_.every_ms / 5;
  const std::uint64_t wait_ms =
      random_.between(options_.every_ms - fifth, options_.every_ms + fifth);
  return loop_.timer()
      .afterDelay(wait_ms * kj::MILLISECONDS)
      .then([this] { return once(); })
      .catch_([this](kj::Exception&& exception) {
        board_.failed(boot_ms(), exception.getDescription().cStr());
      })
      .then([this] { return again(); });
}

kj::Promise<void> Probe::once() {
  auto attempt = std::make_shared<Attempt>();
  const std::uint64_t start_us = boot_us();
  auto work = net::dial(loop_, address_, options_.timeout_ms)
                  .then([this, attempt, start_us](std::shared_ptr<net::Socket> socket) {
                    attempt->dial_ms = since_ms(start_us);
                    attempt->rpc =
                        net::RpcClient::make(loop_, std::move(socket), net::ConnectionLimits{});
                    attempt->member = attempt->rpc->bootstrap().castAs<schema::Holdfast>();
                    return leads_() ? write(attempt) : kj::Promise<void>(kj::READY_NOW);
                  })
                  .then([this, attempt] { return read(attempt); });
  auto late = loop_.timer()
                  .afterDelay(options_.timeout_ms * kj::MILLISECONDS)
                  .then([this]() -> kj::Promise<void> {
                    return kj::Exception(kj::Exception::Type::OVERLOADED, __FILE__, __LINE__,
                                         kj::str("no answer within ", options_.timeout_ms, " ms"));
                  });
  return work.exclusiveJoin(kj::mv(late));
}

/// A write without operations: it goes all the way and stores nothing but its outcome.
kj::Promise<void> Probe::write(std::shared_ptr<Attempt> attempt) {
  if (session_ == 0) {
    auto request = attempt->client().submitRequest();
    request.setDeadlineMs(options_.timeout_ms);
    request.initCalls(1)[0].setOpenSession();
    return request.send().then(
        [this, attempt](capnp::Response<schema::Holdfast::SubmitResults>&& reply) {
          session_ = only_outcome(reply, "opening a session").getSession();
          sequence_ = 0;
          return write(attempt);
        });
  }
  const std::uint64_t start_us = boot_us();
  auto request = attempt->client().submitRequest();
  request.setDeadlineMs(options_.timeout_ms);
  auto call = request.initCalls(1)[0].initWrite();
  call.setSession(session_);
  call.setSequence(++sequence_);
  call.setAcknowledgedBelow(sequence_ - kAcknowledgeBehind);
  call.initTransaction();
  return request.send().then(
      [this, attempt, start_us](capnp::Response<schema::Holdfast::SubmitResults>&& reply) {
        if (session_is_gone(reply)) session_ = 0;
        (void)only_outcome(reply, "a write");
        attempt->write_ms = since_ms(start_us);
      });
}

kj::Promise<void> Probe::read(std::shared_ptr<Attempt> attempt) {
  const std::uint64_t start_us = boot_us();
  auto request = attempt->client().submitRequest();
  request.setDeadlineMs(options_.timeout_ms);
  request.initCalls(1)[0].initRead().initTransaction();
  return request.send().then(
      [this, attempt, start_us](capnp::Response<schema::Holdfast::SubmitResults>&& reply) {
        (void)only_outcome(reply, "a read");
        board_.passed(boot_ms(), attempt->dial_ms, attempt->write_ms, since_ms(start_us));
      });
}

}  // namespace server
