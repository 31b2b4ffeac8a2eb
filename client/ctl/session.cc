#include "client/ctl/session.h"

#include <utility>

namespace client::ctl {
namespace {

constexpr std::uint32_t kCloseSessionMs = 300;

}  // namespace

base::Result<std::unique_ptr<Session>> Session::open(const Global& global) {
  auto session = std::make_unique<Session>();
  auto client = Client::make(session->loop_, global.client);
  if (!client.is_ok()) return client.status();
  session->client_ = std::move(client).value();
  session->options_ = global.client;
  session->timeout_ms_ = global.client.timeout_ms;
  return session;
}

Outcome Session::write(kv::Transaction transaction) {
  Outcome outcome = wait(client_->write(std::move(transaction)));
  // The members need not keep this session's outcomes; if that fails they evict it in time.
  if (outcome.status.is_ok()) {
    auto closed = client_->close_session().ignoreResult();
    (void)loop_.wait(kj::mv(closed), kCloseSessionMs);
  }
  return outcome;
}

Outcome Session::read(kv::Transaction transaction, Consistency consistency,
                      std::uint32_t max_staleness_ms) {
  return wait(client_->read(std::move(transaction), consistency, max_staleness_ms));
}

Outcome Session::resolve(base::SessionId session, std::uint64_t sequence) {
  return wait(client_->resolve(session, sequence));
}

Outcome Session::members(MemberChange change) {
  return wait(client_->members(std::move(change)));
}

Outcome Session::move_leader(std::string to) {
  return wait(client_->move_leader(std::move(to)));
}

base::Result<std::vector<LeaseTime>> Session::lease_times(std::vector<base::LeaseId> leases,
                                                          bool renew) {
  if (leases_ == nullptr) leases_ = std::make_unique<LeaseCaller>(loop_, options_);
  using Answer = base::Result<std::vector<LeaseTime>>;
  auto answer = std::make_shared<Answer>(
      base::Status(base::Code::kInternal, "the client did not keep its deadline"));
  (void)loop_.wait(leases_->ask(std::move(leases), renew, timeout_ms_).then([answer](Answer&& got) {
    *answer = std::move(got);
  }),
                   timeout_ms_ + 1000);
  return *answer;
}

void Session::sleep_ms(std::uint32_t ms) {
  (void)loop_.wait(loop_.timer().afterDelay(ms * kj::MILLISECONDS), ms + 1000);
}

Outcome Session::wait(kj::Promise<Outcome> promise) {
  constexpr std::uint64_t kGraceMs = 1000;  // the client keeps the deadline itself
  auto outcome = std::make_shared<Outcome>();
  outcome->status = base::Status(base::Code::kInternal, "the client did not keep its deadline");
  (void)loop_.wait(promise.then([outcome](Outcome&& o) { *outcome = std::move(o); }),
                   timeout_ms_ + kGraceMs);
  return *outcome;
}

}  // namespace client::ctl
