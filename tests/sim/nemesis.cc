#include "tests/sim/nemesis.h"

#include <string>
#include <utility>

namespace sim {
namespace {

constexpr Range kShort{30 * kMillisecond, 400 * kMillisecond};
constexpr Range kLong{100 * kMillisecond, 2500 * kMillisecond};
constexpr Time kHunt = 4 * kSecond;

}  // namespace

Nemesis::Nemesis(EventQueue& queue, Journal& journal, Checks& checks, const Options& options,
                 Cluster& cluster, std::uint64_t seed)
    : queue_(queue),
      journal_(journal),
      options_(options),
      cluster_(cluster),
      operator_(cluster, checks),
      losses_(queue, journal, checks, cluster, operator_),
      planned_(plan_faults(options, seed)),
      random_(seed) {}

void Nemesis::begin() {
  end_ = queue_.now() + options_.fault_time;
  queue_.at(end_, [this] {
    cluster_.heal();
    journal_.line("every fault is healed");
  });
  for (const PlannedFault& planned : planned_) {
    queue_.after(planned.after, [this, &planned] { inject(planned); });
  }
  if (options_.is_live(Fault::kReplace) || options_.is_live(Fault::kRollBack)) mend_losses();
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

void Nemesis::inject(const PlannedFault& planned) {
  const std::string name(name_of(planned.fault));
  if (losses_.waits_for_word())
    return journal_.count("fault left out while a roll-back is unknown");
  journal_.count("fault " + name);
  journal_.count("fault");
  if (journal_.wants_lines()) {
    journal_.line("fault " + std::to_string(planned.number) + " " + name);
  }
  journal_.mix({6, planned.number, static_cast<std::uint64_t>(planned.fault)});
  random_ = base::Random(planned.seed);
  dispatch(planned.fault);
}

void Nemesis::dispatch(Fault fault) {
  switch (fault) {
    case Fault::kLoss:
    case Fault::kDelay:
    case Fault::kReset:
    case Fault::kCutOneWay:
    case Fault::kPartition:
    case Fault::kIsolateLeader:
    case Fault::kSwizzle:
      return inject_network(fault);
    case Fault::kCrashOne:
    case Fault::kCrashSome:
    case Fault::kCrashAll:
      return inject_crash(fault);
    case Fault::kLoseData:
    case Fault::kLoseState:
    case Fault::kRollBack:
    case Fault::kReplace:
    case Fault::kLoseVote:
      return inject_loss(fault);
    case Fault::kMembers:
      return change_members();
    case Fault::kMoveLeader:
      return operator_.move_leader(random_);
    case Fault::kHangTruncations:
      return hang_truncations();
    case Fault::kLateAnswers:
      return answer_late();
    case Fault::kRivals:
      return set_rivals();
    case Fault::kNewLeaders:
      return hunt_new_leaders(queue_.now() + kHunt, base::Term(), base::Random(random_.next()));
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
      delay();
      return heal_later(kLong, [this, &network] { network.set_delay(options_.link_delay); });
    case Fault::kReset:
      return network.reset(a, b);
    case Fault::kCutOneWay:
      network.cut(a, b, random_.chance(2));
      return heal_later(kLong, [&network] { network.heal(); });
    case Fault::kPartition:
      return partition();
    case Fault::kSwizzle:
      return swizzle();
    default:
      return isolate(victim());
  }
}

/// Now and then longer than an election: what was said before it comes after it. On both lanes, or
/// on one, so that words overtake entries or the other way round.
void Nemesis::delay() {
  const Range slow{kMillisecond,
                   random_.between(10, random_.chance(4) ? 2000 : 250) * kMillisecond};
  const std::uint64_t lanes = random_.below(3);
  if (lanes != 0) cluster_.network().set_delay(raft::Lane::kLiveness, slow);
  if (lanes != 1) cluster_.network().set_delay(raft::Lane::kBulk, slow);
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

/// It goes on believing that it leads, by answers from before another was elected.
void Nemesis::answer_late() {
  const std::size_t target = victim();
  const Time late = random_.between(200, 700) * kMillisecond;
  const Time silent = random_.below(100 * kMillisecond);
  for (std::size_t peer = 0; peer < cluster_.size(); ++peer) {
    if (peer == target) continue;
    cluster_.network().delay(peer, target, late);
    heal_later({silent, silent},
               [this, target, peer] { cluster_.network().cut(target, peer, false); });
  }
  heal_later(kLong, [this] { cluster_.network().heal(); });
}

/// FoundationDB's swizzled clogging: which links are whole at a time is never the same set twice.
void Nemesis::swizzle() {
  constexpr Time kSpan = 1500 * kMillisecond;
  const bool holds = random_.chance(2);
  for (std::size_t from = 0; from < cluster_.size(); ++from) {
    for (std::size_t to = 0; to < cluster_.size(); ++to) {
      if (from == to || random_.chance(3)) continue;
      const Time begin = random_.below(kSpan);
      const Time length = random_.between(10, 800) * kMillisecond;
      heal_later({begin, begin}, [this, from, to, holds] {
        if (!losses_.waits_for_word()) cluster_.network().cut(from, to, holds);
      });
      heal_later({begin + length, begin + length},
                 [this, from, to] { cluster_.network().mend(from, to); });
    }
  }
}

/// Raft paper, figure 8: an entry that few have is carried from leader to leader, none of which
/// lives long enough to spread it. Most fall before their first entry is on a majority.
void Nemesis::hunt_new_leaders(Time until, base::Term seen, base::Random random) {
  constexpr Time kLook = 500;
  if (queue_.now() >= std::min(until, end_)) return;
  const auto leader = cluster_.leader();
  const base::Term term = leader ? cluster_.node(*leader).summary().term : seen;
  if (term > seen) {
    seen = term;
    const Time lives = random.below(random.chance(3) ? 40 * kMillisecond : 4 * kMillisecond);
    queue_.after(lives, [this, target = *leader, own = base::Random(random.next())]() mutable {
      if (queue_.now() >= end_ || losses_.waits_for_word()) return;
      random_ = own;
      journal_.count("new leader felled");
      if (random_.chance(2)) return cluster_.crash(target, Crash::kKill, kShort.draw(random_));
      for (std::size_t peer = 0; peer < cluster_.size(); ++peer) {
        if (peer == target) continue;
        cluster_.network().cut(target, peer, false);
        heal_later(kShort, [this, target, peer] { cluster_.network().mend(target, peer); });
      }
    });
  }
  queue_.after(kLook, [this, until, seen, random] { hunt_new_leaders(until, seen, random); });
}

/// Two parts that do not hear each other, and one voter that both need, which forgets whatever it
/// has not written: a vote must outlive the process.
void Nemesis::set_rivals() {
  constexpr Time kRivalry = 2 * kSecond;
  const std::size_t voter = victim();
  const auto part_of = [voter](std::size_t i) { return (i < voter ? i : i + 1) % 2; };
  for (std::size_t a = 0; a < cluster_.size(); ++a) {
    for (std::size_t b = 0; b < cluster_.size(); ++b) {
      if (a == voter || b == voter || part_of(a) == part_of(b)) continue;
      cluster_.network().cut(a, b, false);
      heal_later({kRivalry, kRivalry}, [this, a, b] { cluster_.network().mend(a, b); });
    }
  }
  cluster_.crash(voter, Crash::kKill, kShort.draw(random_));
  fell_voter(voter, queue_.now() + kRivalry, base::Term(), base::Random(random_.next()));
}

void Nemesis::fell_voter(std::size_t voter, Time until, base::Term seen, base::Random random) {
  constexpr Time kLook = 500;
  if (queue_.now() >= std::min(until, end_)) return;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (!cluster_.node(i).running() || losses_.waits_for_word()) continue;
    const raft::CoreSummary summary = cluster_.node(i).summary();
    if (summary.role != raft::Role::kCandidate || summary.term <= seen) continue;
    seen = summary.term;
    const Time down = random.between(1, 40) * kMillisecond;
    queue_.after(random.below(10 * kMillisecond), [this, voter, down] {
      if (queue_.now() >= end_ || losses_.waits_for_word()) return;
      journal_.count("voter felled");
      cluster_.crash(voter, Crash::kKill, down);
    });
  }
  queue_.after(kLook, [=, this] { fell_voter(voter, until, seen, random); });
}

// ---- Crashes ----

void Nemesis::inject_crash(Fault fault) {
  if (fault == Fault::kCrashOne) return crash(victim());
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (fault == Fault::kCrashAll || random_.chance(2)) crash(i);
  }
}

void Nemesis::crash(std::size_t target) {
  const Crash how = random_.chance(2) ? Crash::kKill : Crash::kPowerCut;
  cluster_.crash(target, how, (random_.chance(3) ? kLong : kShort).draw(random_));
}

/// What the others commit meanwhile is applied by whoever hangs, ahead of its own log, which still
/// holds the entries that were to go.
void Nemesis::hang_truncations() {
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    cluster_.node(i).disk().hangs_at_truncations = true;
    heal_later(kLong, [this, i, down = kShort.draw(random_)] {
      Node& node = cluster_.node(i);
      if (node.log_hangs() && !losses_.waits_for_word()) {
        journal_.count("crash within a truncation");
        cluster_.crash(i, Crash::kPowerCut, down);
      }
      cluster_.heal(i);
    });
  }
}

void Nemesis::inject_loss(Fault fault) {
  const std::size_t target = victim();
  switch (fault) {
    case Fault::kLoseData:
      return losses_.lose_data(target, random_);
    case Fault::kLoseState:
      return losses_.lose_state(target, random_);
    case Fault::kReplace:
      return losses_.replace(target, random_);
    case Fault::kLoseVote:
      return losses_.lose_vote(base::Random(random_.next()), end_);
    default:
      cluster_.node(target).copy_disks();
      return heal_later(kLong, [this, target, own = base::Random(random_.next())]() mutable {
        losses_.roll_back(target, own);
      });
  }
}

// ---- The membership ----

/// Only those that are there from the beginning come and go; every change is the leader's to make.
void Nemesis::change_members() {
  if (random_.chance(2) && !operator_.restore_members()) return;
  // Two voters of which one lost its log are no majority, by rule 4: nobody could go on.
  if (!losses_.nobody_counts_for_nothing()) return;
  // A change that only its leader has is overwritten by the next.
  const auto leader = cluster_.leader();
  if (leader && random_.chance(3)) isolate(*leader);
  operator_.remove_member(random_);
}

void Nemesis::mend_losses() {
  constexpr Time kLooks = 500 * kMillisecond;
  losses_.mend();
  queue_.after(kLooks, [this] {
    if (queue_.now() < end_) mend_losses();
  });
}

bool Nemesis::restore_members() {
  losses_.mend();
  return operator_.restore_members();
}

// ---- One member ----

void Nemesis::inject_slowness(Fault fault, std::size_t target) {
  Node& node = cluster_.node(target);
  const auto heal = [this, target] { cluster_.heal(target); };
  switch (fault) {
    case Fault::kHangLog:
      node.disk().hangs = true;
      // As often as not it ends with the process: what was applied meanwhile may be ahead of the
      // log.
      if (random_.chance(2)) return heal_later(kLong, heal);
      return heal_later(kLong, [this, target, own = base::Random(random_.next())]() mutable {
        cluster_.heal(target);
        if (losses_.waits_for_word()) return;
        random_ = own;
        crash(target);
      });
    case Fault::kSlowLog:
      node.disk().sync_delay = {5 * kMillisecond, random_.between(20, 400) * kMillisecond};
      return heal_later(kLong, heal);
    case Fault::kSlowApply:
      node.engine().delay = {kMillisecond, random_.between(5, 150) * kMillisecond};
      return heal_later(kLong, heal);
    case Fault::kHangApply:
      node.engine().hangs = true;
      return heal_later(kLong, heal);
    case Fault::kFullLog:
      node.disk().full = true;
      return heal_later(kLong, heal);
    case Fault::kClockDrift:
      node.set_clock_rate(static_cast<std::int64_t>(random_.below(400'000)) - 200'000);
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
