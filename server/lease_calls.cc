#include "server/lease_calls.h"

#include <algorithm>
#include <utility>

#include "server/clock.h"
#include "server/wire.h"

namespace server {

using base::Code;
using base::Status;

struct LeaseCalls::Question {
  Context context;
  kj::Own<kj::PromiseFulfiller<void>> fulfiller;
};

LeaseCalls::LeaseCalls(const NodeView& view, Send send) : view_(view), send_(std::move(send)) {}
LeaseCalls::~LeaseCalls() = default;

RequestOutcome LeaseCalls::failure(Status status) const {
  RequestOutcome outcome;
  outcome.status = std::move(status);
  outcome.header = header_of(view_);
  outcome.leader = view_.board->read()->replica.core.leader;
  return outcome;
}

kj::Promise<void> LeaseCalls::ask(Context context) {
  const auto params = context.getParams();
  auto paf = kj::newPromiseAndFulfiller<void>();
  Question question{context, kj::mv(paf.fulfiller)};
  if (params.getIds().size() > kMaxLeases) {
    settle(question, failure({Code::kTooLarge, "more than " + std::to_string(kMaxLeases) +
                                                   " leases in one question"}));
    return kj::mv(paf.promise);
  }
  LeaseQuestion asked;
  asked.renew = params.getRenew();
  for (const std::uint64_t id : params.getIds()) asked.leases.emplace_back(id);
  const std::size_t size_bytes = 64 + asked.leases.size() * sizeof(base::LeaseId);
  const std::uint32_t wait_ms = params.getDeadlineMs() == 0
                                    ? kDefaultDeadlineMs
                                    : std::min(params.getDeadlineMs(), kMaxDeadlineMs);
  std::vector<ClientRequest> requests;
  requests.push_back({next_id_, LeasesRequest{std::move(asked)}});
  if (questions_.size() >= kOpen || !send_(std::move(requests), size_bytes)) {
    settle(question, failure({Code::kOverloaded, "too many questions about leases are open"}));
    return kj::mv(paf.promise);
  }
  deadlines_.emplace(boot_ms() + wait_ms, next_id_);
  questions_.emplace(next_id_++, std::make_unique<Question>(kj::mv(question)));
  return kj::mv(paf.promise);
}

void LeaseCalls::answer(ClientAnswer answer) {
  const auto at = questions_.find(answer.id);
  if (at == questions_.end()) return;  // its deadline has passed
  settle(*at->second, answer.outcome);
  questions_.erase(at);
}

void LeaseCalls::expire(std::uint64_t now_ms) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms) {
    const auto at = questions_.find(deadlines_.begin()->second);
    deadlines_.erase(deadlines_.begin());
    if (at == questions_.end()) continue;
    // Renewed or not, the caller counts from when it asked, and asks again.
    settle(*at->second, failure({Code::kTimeoutBeforeSend, "not answered in time"}));
    questions_.erase(at);
  }
}

void LeaseCalls::settle(Question& question, const RequestOutcome& outcome) {
  auto to = question.context.getResults();
  to.setCode(static_cast<std::uint16_t>(outcome.status.code()));
  to.setDetail(outcome.status.detail());
  write_header(outcome.header, to.initHeader());
  to.setLeader(outcome.leader.value);
  to.setLeaderAddress(client_address_of(view_, outcome.leader));
  auto leases = to.initLeases(static_cast<unsigned>(outcome.leases.size()));
  for (unsigned i = 0; i < leases.size(); ++i) {
    leases[i].setId(outcome.leases[i].lease.value);
    leases[i].setTtlMs(outcome.leases[i].ttl_ms);
    leases[i].setLeftMs(outcome.leases[i].left_ms);
  }
  question.fulfiller->fulfill();
}

}  // namespace server
