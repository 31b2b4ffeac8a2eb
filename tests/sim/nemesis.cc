#include "tests/sim/nemesis.h"

#include <string>
#include <utility>

namespace sim {
namespace {

constexpr Range kShort{30 * kMillisecond, 400 * kMillisecond};
constexpr Range kLong{100 * kMillisecond, 2500 * kMillisecond};

}  // namespace

Nemesis::Nemesis(EventQueue& queue, Journal& journal, const Checks& checks, const Options& options,
                 Cluster& cluster, std::uint64_t seed)
    : queue_(queue),
      journal_(journal),
      checks_(checks),
      options_(options),
      cluster_(cluster),
      random_(seed) {
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (options.live[i]) live_.push_back(static_cast<Fault>(i));
  }
}

void Nemesis::begin() {
  end_ = queue_.now() + options_.fault_time;
  queue_.at(end_, [this] {
    cluster_.heal();
    journal_.line("every fault is healed");
  });
  if (!live_.empty()) next();
}

void Nemesis::next() {
  queue_.after(options_.fault_gap.draw(random_), [this] {
    if (queue_.now() >= end_) return;
    inject(live_[random_.below(live_.size())]);
    next();
  });
}

void Nemesis::heal_later(Range after, std::function<void()> heal) {
  queue_.after(after.draw(random_), [this, heal = std::move(heal)] {
    if (queue_.now() < end_) heal();
  });
}

/// The leader in two of three cases.
std::size_t Nemesis::victim() {
  const auto leader = cluster_.leader();
  if (leader && !random_.chance(3)) return *leader;
  return random_.below(cluster_.size());
}

void Nemesis::inject(Fault fault) {
  journal_.count("fault " + std::string(name_of(fault)));
  journal_.line("fault " + std::string(name_of(fault)));
  journal_.mix({6, static_cast<std::uint64_t>(fault)});
  switch (fault) {
    case Fault::kLoss:
    case Fault::kDelay:
    case Fault::kReset:
    case Fault::kCutOneWay:
    case Fault::kPartition:
    case Fault::kIsolateLeader:
      return inject_network(fault);
    case Fault::kCrashOne:
    case Fault::kCrashSome:
    case Fault::kCrashAll:
    case Fault::kLoseData:
    case Fault::kLoseState:
      return inject_crash(fault);
    case Fault::kMembers:
      return change_members();
    case Fault::kMoveLeader:
      return move_leader();
    default:
      return inject_slowness(fault, victim());
  }
}

// ---- The network ----

void Nemesis::inject_network(Fault fault) {
  Network& network = cluster_.network();
  const std::size_t a = random_.below(cluster_.size());
  const std::size_t b = (a + 1 + random_.below(cluster_.size() - 1)) % cluster_.size();
  switch (fault) {
    case Fault::kLoss:
      network.set_loss(random_.between(3, 30));
      return heal_later(kLong, [&network] { network.set_loss(0); });
    case Fault::kDelay:
      network.set_delay({kMillisecond, random_.between(10, 250) * kMillisecond});
      return heal_later(kLong, [this, &network] { network.set_delay(options_.link_delay); });
    case Fault::kReset:
      return network.reset(a, b);
    case Fault::kCutOneWay:
      network.cut(a, b, random_.chance(2));
      return heal_later(kLong, [&network] { network.heal(); });
    case Fault::kPartition:
      return partition();
    default:
      return isolate(victim());
  }
}

void Nemesis::partition() {
  std::vector<bool> left(cluster_.size());
  for (std::size_t i = 0; i < left.size(); ++i) left[i] = random_.chance(2);
  const bool holds = random_.chance(2);
  for (std::size_t a = 0; a < left.size(); ++a) {
    for (std::size_t b = 0; b < left.size(); ++b) {
      if (left[a] != left[b]) cluster_.network().cut(a, b, holds);
    }
  }
  heal_later(kLong, [this] { cluster_.network().heal(); });
}

void Nemesis::isolate(std::size_t target) {
  const bool holds = random_.chance(2);
  const bool only_out = random_.chance(4);
  for (std::size_t peer = 0; peer < cluster_.size(); ++peer) {
    if (peer == target) continue;
    cluster_.network().cut(target, peer, holds);
    if (!only_out) cluster_.network().cut(peer, target, holds);
  }
  heal_later(kLong, [this] { cluster_.network().heal(); });
}

// ---- Crashes ----

void Nemesis::inject_crash(Fault fault) {
  if (fault == Fault::kLoseData) return lose_data(victim());
  if (fault == Fault::kLoseState) return lose_state(victim());
  if (fault == Fault::kCrashOne) return crash(victim());
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (fault == Fault::kCrashAll || random_.chance(2)) crash(i);
  }
}

void Nemesis::crash(std::size_t target) {
  const Crash how = random_.chance(2) ? Crash::kKill : Crash::kPowerCut;
  cluster_.crash(target, how, (random_.chance(3) ? kLong : kShort).draw(random_));
}

void Nemesis::lose_data(std::size_t target) {
  // Before its first entry a cluster needs every member. And only a process that was killed is sure
  // to notice: a power cut may take the watermark with it.
  const bool another = options_.is_live(Fault::kLoseState) && something_is_lost();
  if (!cluster_.node(target).running() || !checks_.ledger().last() || checks_.lost_data(target) ||
      !cluster_.may_lose_data() || another)
    return;
  cluster_.crash(target, Crash::kKill, kShort.draw(random_));
  cluster_.node(target).lose_data(static_cast<Loss>(random_.below(kNoticedLosses)));
}

/// One loss at a time, of a state or of a log: with more of them nobody might be left who could
/// lead, or send a snapshot.
bool Nemesis::something_is_lost() {
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (cluster_.node(i).lost_state() || cluster_.node(i).lost_data()) return true;
  }
  return false;
}

void Nemesis::lose_state(std::size_t target) {
  if (!cluster_.node(target).running() || !checks_.ledger().last() || something_is_lost()) return;
  cluster_.crash(target, Crash::kKill, kShort.draw(random_));
  cluster_.node(target).lose_state();
}

// ---- The membership ----

/// Only those that are there from the beginning come and go; every change is the leader's to make.
void Nemesis::change_members() {
  const auto leader = cluster_.leader();
  if (!leader) return;
  if (random_.chance(2) && !restore_members()) return;
  const raft::Configuration now = cluster_.node(*leader).status().core.configuration;
  if (now.voters.size() < 3) return;
  server::MemberChange change;
  change.kind = server::MemberChangeKind::kRemove;
  change.name = base::to_hex(now.voters[random_.below(now.voters.size())].id.value);
  cluster_.node(*leader).change_members(change);
}

bool Nemesis::restore_members() {
  const auto leader = cluster_.leader();
  if (!leader) return false;
  const raft::Configuration now = cluster_.node(*leader).status().core.configuration;
  if (now.voters.size() == cluster_.size() && !now.joint()) return true;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (now.find(Node::id_of(i)) != nullptr) continue;
    server::MemberChange change;
    change.kind = server::MemberChangeKind::kAdd;
    change.id = Node::id_of(i);
    change.name = base::to_hex(change.id.value);
    change.peer_address = "simulated:1";
    cluster_.node(*leader).change_members(change);
    return false;
  }
  return false;
}

void Nemesis::move_leader() {
  const auto leader = cluster_.leader();
  if (!leader) return;
  const auto to = Node::id_of(random_.below(cluster_.size()));
  cluster_.node(*leader).move_leader(base::to_hex(to.value));
}

// ---- One member ----

void Nemesis::inject_slowness(Fault fault, std::size_t target) {
  Node& node = cluster_.node(target);
  const auto heal = [this, target] { cluster_.heal(target); };
  switch (fault) {
    case Fault::kHangLog:
      node.disk().hangs = true;
      return heal_later(kLong, heal);
    case Fault::kSlowLog:
      node.disk().sync_delay = {5 * kMillisecond, random_.between(20, 400) * kMillisecond};
      return heal_later(kLong, heal);
    case Fault::kSlowApply:
      node.engine().delay = {kMillisecond, random_.between(5, 150) * kMillisecond};
      return heal_later(kLong, heal);
    case Fault::kHangApply:
      node.engine().hangs = true;
      return heal_later(kLong, heal);
    case Fault::kFailLog:
      node.disk().fails = node.running();
      return;
    case Fault::kPause:
      node.pause();
      return heal_later(kLong, [&node] { node.resume(); });
    case Fault::kClockOffset: {
      const std::uint64_t span = random_.chance(4) ? 3'600'000 : 400;
      node.set_clock_offset(static_cast<std::int64_t>(random_.below(2 * span)) -
                            static_cast<std::int64_t>(span));
      return;
    }
    default:
      if (node.running()) node.shut_down();
      return;
  }
}

}  // namespace sim
