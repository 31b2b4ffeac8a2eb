// Time: deadlines, silent endpoints, and the search for a leader.
#include <algorithm>

#include "client/dispatcher.h"
#include "client/wire.h"

namespace client {

void Dispatcher::arm() {
  if (armed_ || calls_.empty()) return;
  armed_ = true;
  last_tick_ms_ = now_ms();
  tasks_.add(loop_.timer().afterDelay(kTickMs * kj::MILLISECONDS).then([this] {
    armed_ = false;
    tick();
  }));
}

void Dispatcher::tick() {
  const std::uint64_t now = now_ms();
  // If it was this process that slept, the silence was its own.
  if (now - last_tick_ms_ > options_.silence_ms / 2)
    for (const auto& [address, channel] : channels_) channel->heard(now);
  end_calls(now);
  watch_channels(now);
  watch_attempts(now);
  if (!endpoints_.confirmed()) search(now);
  schedule_flush();
  arm();
}

void Dispatcher::end_calls(std::uint64_t now) {
  std::vector<CallPtr> due;
  for (const auto& [id, call] : calls_)
    if (now >= call->deadline_ms || ends_early(*call, now) ||
        (call->retry_at_ms != 0 && now >= call->retry_at_ms) || !call->fulfiller->isWaiting())
      due.push_back(call);
  for (const auto& call : due) {
    if (call->done) continue;
    if (now >= call->deadline_ms || !call->fulfiller->isWaiting()) {
      finish(call, at_deadline(*call, options_.timeout_ms));
    } else if (ends_early(*call, now)) {
      if (call->attempt != 0)
        call->unknown = base::Status(base::Code::kTimeout, "an attempt got no answer");
      const bool heard = endpoints_.heard_since(now - options_.leaderless_ms);
      finish(call, conclusion(*call,
                              base::Status(heard ? base::Code::kNoLeader : base::Code::kUnavailable,
                                           endpoints_.describe())));
    } else {
      call->retry_at_ms = 0;
      enqueue(call);
    }
  }
}

/// Nobody has led for a while (or, for a read that any member takes, nobody has answered), as long
/// as this call has been waiting: more waiting is not likely to help.
bool Dispatcher::ends_early(const Call& call, std::uint64_t now) const {
  if (now <= call.started_ms + options_.leaderless_ms) return false;
  const std::uint64_t since = now - options_.leaderless_ms;
  if (call.anywhere()) return !endpoints_.heard_since(since);
  return !endpoints_.confirmed() && !endpoints_.leader_seen_since(since);
}

void Dispatcher::watch_channels(std::uint64_t now) {
  std::vector<std::string> silent;
  for (const auto& [address, channel] : channels_) {
    if (channel->state() != Channel::State::kOpen) continue;
    const std::uint64_t silent_ms = channel->silent_ms(now);
    if (silent_ms >= options_.silence_ms)
      silent.push_back(address);
    else if (silent_ms >= options_.silence_ms / 2 && !channel->asking())
      ask(*channel);
  }
  for (const auto& address : silent)
    eject(address, "no answer for " + std::to_string(options_.silence_ms) + " ms");
}

/// Attempts at a member that turned out not to be the leader are repeated at the one that is: with
/// the same sequence, so both may arrive.
void Dispatcher::watch_attempts(std::uint64_t now) {
  if (!endpoints_.confirmed()) return;
  std::vector<AttemptPtr> stale;
  for (const auto& [id, attempt] : attempts_) {
    const bool for_leader = !attempt->calls.front()->anywhere();
    if (for_leader && attempt->address != *endpoints_.leader() &&
        now >= attempt->sent_ms + options_.silence_ms)
      stale.push_back(attempt);
  }
  for (const auto& attempt : stale)
    give_up(attempt, base::Status(base::Code::kTimeout,
                                  attempt->address + " does not lead any more and did not answer"));
}

void Dispatcher::search(std::uint64_t now) {
  for (const auto& address : endpoints_.due(now)) {
    Channel* to = channel(address);
    if (to != nullptr && to->state() == Channel::State::kOpen && !to->asking()) ask(*to);
  }
}

void Dispatcher::ask(Channel& channel) {
  channel.asking(true, now_ms());
  std::weak_ptr<Channel> weak = channels_.at(channel.address());
  const auto done = [this, weak](bool answered) -> std::shared_ptr<Channel> {
    auto open = weak.lock();
    if (open == nullptr || open->state() != Channel::State::kOpen) return nullptr;
    open->asking(false, now_ms());
    if (answered) open->heard(now_ms());
    return open;
  };
  tasks_.add(channel.member().statusRequest().send().then(
      [this, done](capnp::Response<schema::Holdfast::StatusResults>&& reply) {
        if (auto open = done(true)) told(open->address(), reply.getStatus());
      },
      [this, done](kj::Exception&& exception) {
        if (auto open = done(false)) eject(open->address(), describe(exception));
      }));
}

void Dispatcher::told(const std::string& address, schema::MemberStatus::Reader from) {
  const MemberStatus status = from_wire(from);
  const std::uint64_t now = now_ms();
  if (!cluster_) cluster_ = status.header.cluster;
  if (status.header.cluster != cluster_) {
    eject(address, "belongs to another cluster, " + base::to_hex(status.header.cluster.value));
    return;
  }
  if (!options_.pinned)
    for (const auto& peer : status.peers) endpoints_.learn(peer.client_address);
  if (status.leads()) {
    endpoints_.claims(address, status.header.term, now);
  } else {
    endpoints_.denies(
        address, status.reason.empty() ? status.role : status.role + ", " + status.reason, now);
  }
  schedule_flush();
}

}  // namespace client
