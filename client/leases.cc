#include "client/leases.h"

#include <algorithm>
#include <utility>

#include "client/channel.h"

namespace client {

using base::Code;
using base::LeaseId;
using base::Status;

namespace {
constexpr std::uint32_t kAttemptMs = 400;  // as Options::silence_ms: longer is no use
constexpr std::uint32_t kRestMs = 30;      // between two attempts
}  // namespace

struct LeaseCaller::Question {
  std::vector<LeaseId> leases;
  bool renew = false;
  std::uint64_t until_ms = 0;
};

kj::Promise<LeaseCaller::Answer> LeaseCaller::ask(std::vector<LeaseId> leases, bool renew,
                                                  std::uint32_t timeout_ms) {
  if (leases.size() > kMaxLeases)
    return Answer(Status(Code::kTooLarge, "more than 1000 leases in one question"));
  auto question = std::make_shared<Question>();
  question->leases = std::move(leases);
  question->renew = renew;
  question->until_ms = boot_clock_ms() + timeout_ms;
  return attempt(std::move(question));
}

kj::Promise<LeaseCaller::Answer> LeaseCaller::attempt(std::shared_ptr<Question> question) {
  return roamer_.line().then(
      [this, question](LinePtr line) { return send(question, std::move(line)); },
      [this, question](kj::Exception&& exception) {
        return again(question, Status(Code::kUnavailable, describe(exception)));
      });
}

kj::Promise<LeaseCaller::Answer> LeaseCaller::again(std::shared_ptr<Question> question,
                                                    Status why) {
  if (boot_clock_ms() + kRestMs >= question->until_ms)
    return Answer(Status(Code::kTimeoutBeforeSend, "no leader answered: " + why.to_string()));
  return loop_.timer().afterDelay(kRestMs * kj::MILLISECONDS).then([this, question] {
    return attempt(question);
  });
}

kj::Promise<LeaseCaller::Answer> LeaseCaller::send(std::shared_ptr<Question> question,
                                                   LinePtr line) {
  auto request = line->member().leasesRequest();
  auto ids = request.initIds(static_cast<unsigned>(question->leases.size()));
  for (unsigned i = 0; i < ids.size(); ++i) ids.set(i, question->leases[i].value);
  request.setRenew(question->renew);
  request.setDeadlineMs(kAttemptMs);
  using Reply = capnp::Response<schema::Holdfast::LeasesResults>;
  auto answered = request.send().then(
      [this, question, line](Reply&& reply) -> kj::Promise<Answer> {
        const Status status(static_cast<Code>(reply.getCode()), reply.getDetail().cStr());
        if (!status.is_ok()) {
          if (!status.retryable()) return Answer(status);
          roamer_.move_on(line, reply.getLeaderAddress().cStr());
          return again(question, status);
        }
        std::vector<LeaseTime> times;
        for (auto each : reply.getLeases())
          times.push_back({LeaseId(each.getId()), each.getTtlMs(), each.getLeftMs()});
        if (times.size() != question->leases.size())
          return Answer(Status(Code::kProtocol, "the answer names other leases"));
        return Answer(std::move(times));
      },
      [this, question, line](kj::Exception&& exception) {
        roamer_.move_on(line);
        return again(question, Status(Code::kUnavailable, describe(exception, line->address())));
      });
  auto silence =
      loop_.timer()
          .afterDelay((kAttemptMs + kRestMs) * kj::MILLISECONDS)
          .then([this, question, line]() -> kj::Promise<Answer> {
            roamer_.move_on(line);
            return again(question, Status(Code::kUnavailable, line->address() + " is silent"));
          });
  return answered.exclusiveJoin(kj::mv(silence));
}

// ---- Keeping ----

LeaseKeeper::LeaseKeeper(net::Loop& loop, const Options& options, Lost lost)
    : loop_(loop), caller_(loop, options), lost_(std::move(lost)), tasks_(*this) {}
LeaseKeeper::~LeaseKeeper() = default;

void LeaseKeeper::keep(LeaseId lease, std::uint64_t ttl_ms, std::uint64_t asked_ms,
                       Healthy healthy) {
  Kept& kept = leases_[lease];
  kept.ttl_ms = ttl_ms;
  kept.renewed_ms = asked_ms;
  kept.healthy = std::move(healthy);
  if (std::exchange(ticking_, true)) return;
  tasks_.add(kj::evalLater([this] { tick(); }));
}

bool LeaseKeeper::holds(LeaseId lease) const {
  const auto at = leases_.find(lease);
  return at != leases_.end() && boot_clock_ms() < at->second.held_until_ms();
}

void LeaseKeeper::tick() {
  const std::uint64_t now_ms = boot_clock_ms();
  std::vector<std::pair<LeaseId, Status>> over;
  std::vector<LeaseId> due;
  for (auto& [lease, kept] : leases_) {
    if (now_ms >= kept.held_until_ms()) {
      over.emplace_back(lease, kept.unhealthy ? Status(Code::kStalled, "the check said no")
                               : kept.trouble.is_ok()
                                   ? Status(Code::kTimeout, "it was not renewed in time")
                                   : kept.trouble);
    } else if (kept.asked_ms == 0 && now_ms >= kept.renewed_ms + kept.ttl_ms / 4) {
      kept.unhealthy = kept.healthy && !kept.healthy();
      if (kept.unhealthy) continue;
      kept.asked_ms = now_ms;
      due.push_back(lease);
      if (due.size() == LeaseCaller::kMaxLeases) renew(std::exchange(due, {}), now_ms);
    }
  }
  if (!due.empty()) renew(std::move(due), now_ms);
  for (const auto& [lease, why] : over) lose(lease, why);
  tasks_.add(loop_.timer().afterDelay(kTickMs * kj::MILLISECONDS).then([this] { tick(); }));
}

void LeaseKeeper::renew(std::vector<LeaseId> leases, std::uint64_t now_ms) {
  std::uint64_t until_ms = now_ms + 1000;
  for (const LeaseId lease : leases)
    until_ms = std::max(until_ms, leases_.at(lease).held_until_ms());
  auto asked = caller_.ask(leases, true, static_cast<std::uint32_t>(until_ms - now_ms));
  tasks_.add(asked.then([this, now_ms, leases = std::move(leases)](auto&& answer) {
    renewed(leases, now_ms, answer);
  }));
}

/// An answer may come from a later attempt; what counts is when the first was asked.
void LeaseKeeper::renewed(const std::vector<LeaseId>& leases, std::uint64_t asked_ms,
                          const base::Result<std::vector<LeaseTime>>& answer) {
  for (std::size_t i = 0; i < leases.size(); ++i) {
    const auto at = leases_.find(leases[i]);
    if (at == leases_.end() || at->second.asked_ms != asked_ms) continue;
    at->second.asked_ms = 0;
    if (!answer.is_ok()) {
      at->second.trouble = answer.status();
    } else if (answer.value()[i].ttl_ms == 0) {
      lose(leases[i], Status(Code::kLeaseNotFound, "lease " + base::to_hex(leases[i].value)));
    } else {
      at->second.renewed_ms = asked_ms;
      at->second.trouble = Status();
      ++renewals_;
    }
  }
}

void LeaseKeeper::lose(LeaseId lease, const Status& why) {
  if (leases_.erase(lease) > 0) lost_(lease, why);
}

}  // namespace client
