#include "tests/sim/losses.h"

#include <string>

namespace sim {
namespace {

constexpr Range kDown{30 * kMillisecond, 400 * kMillisecond};
/// Within this a member that was rolled back has heard from the others.
constexpr Time kWord = 1500 * kMillisecond;

}  // namespace

bool Losses::nothing_is_lost() const {
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (cluster_.node(i).lost_state() || cluster_.node(i).lost_data()) return false;
  }
  return true;
}

bool Losses::everybody_is_whole() const {
  // Before its first entry a cluster needs every member.
  return nothing_is_lost() && checks_.ledger().last() && operator_.everybody_votes();
}

bool Losses::nobody_counts_for_nothing() const {
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    if (cluster_.node(i).lost_data()) return false;
  }
  return operator_.knows_every_directory();
}

/// Only a process that was killed is sure to notice: a power cut may take the watermark with it.
void Losses::lose_data(std::size_t target, base::Random& random) {
  if (!cluster_.node(target).running() || !everybody_is_whole()) return;
  cluster_.crash(target, Crash::kKill, kDown.draw(random));
  cluster_.node(target).lose_data(static_cast<Loss>(random.below(kNoticedLosses)));
}

/// One that was replaced meanwhile counts for nothing, and a second loss would be a majority's.
std::vector<base::Incarnation> Losses::directories() const {
  std::vector<base::Incarnation> all;
  for (std::size_t i = 0; i < cluster_.size(); ++i) all.push_back(cluster_.node(i).incarnation());
  return all;
}

void Losses::lose_vote(base::Random random, Time end) {
  constexpr Time kSpan = 700 * kMillisecond;
  if (!everybody_is_whole()) return;
  const std::size_t leader = *cluster_.leader();
  configuration_ = checks_.ledger().last_configuration();
  directories_ = directories();
  isolate(leader, kSpan);
  await_candidate(leader, std::min(queue_.now() + kSpan, end), random);
}

void Losses::await_candidate(std::size_t leader, Time until, base::Random random) {
  constexpr Time kLook = 500;
  if (queue_.now() >= until || !cluster_.node(leader).leads()) return;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    const Node& node = cluster_.node(i);
    if (!node.running() || node.summary().role != raft::Role::kCandidate) continue;
    // One draw after the other: in which order arguments are evaluated is the compiler's to choose.
    const Time later = random.below(8 * kMillisecond);
    const base::Random own(random.next());
    queue_.after(later, [this, i, leader, own] { lose_vote_for(i, leader, own); });
    return;
  }
  queue_.after(kLook, [=, this] { await_candidate(leader, until, random); });
}

void Losses::lose_vote_for(std::size_t candidate, std::size_t leader, base::Random random) {
  constexpr Time kUnheard = 900 * kMillisecond;
  std::size_t voter = random.below(cluster_.size());
  while (voter == candidate || voter == leader) voter = (voter + 1) % cluster_.size();
  const bool as_it_was = nothing_is_lost() && operator_.nothing_changes() &&
                         checks_.ledger().last_configuration() == configuration_ &&
                         directories() == directories_;
  if (!cluster_.node(voter).running() || !as_it_was) return;
  cluster_.crash(voter, Crash::kKill, random.between(1, 30) * kMillisecond);
  if (cluster_.node(voter).lose_data(Loss::kVote)) journal_.count("vote lost");
  for (std::size_t peer = 0; peer < cluster_.size(); ++peer) {
    if (peer == leader) continue;
    cluster_.network().mend(leader, peer);
    cluster_.network().mend(peer, leader);
  }
  isolate(candidate, kUnheard);
}

void Losses::lose_state(std::size_t target, base::Random& random) {
  if (!cluster_.node(target).running() || !everybody_is_whole()) return;
  cluster_.crash(target, Crash::kKill, kDown.draw(random));
  cluster_.node(target).lose_state();
}

void Losses::replace(std::size_t target, base::Random& random) {
  if (!cluster_.node(target).running() || !everybody_is_whole()) return;
  const Time down = kDown.draw(random);
  renew(target, down, base::Incarnation(random.next() | 1));
}

void Losses::renew(std::size_t target, Time down, base::Incarnation incarnation) {
  cluster_.crash(target, Crash::kPowerCut, down);
  cluster_.node(target).replace_disks(incarnation);
  operator_.replace_members();
}

// ---- A directory from the past ----

bool Losses::everybody_holds_everything() const {
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    const Node& node = cluster_.node(i);
    if (!node.running() || node.paused()) return false;
    if (node.summary().durable < checks_.ledger().last()) return false;
  }
  const auto leader = cluster_.leader();
  return leader && cluster_.node(*leader).summary().can_read;
}

void Losses::roll_back(std::size_t target, base::Random& random) {
  if (!everybody_is_whole()) return;
  cluster_.heal();
  if (!everybody_holds_everything()) return journal_.count("roll-back not possible now");
  const std::size_t leader = *cluster_.leader();
  cluster_.crash(target, Crash::kKill, kDown.draw(random));
  if (!cluster_.node(target).roll_back()) return;
  rolled_back_ = target;
  new_ids_ = base::Random(random.next());
  wait_until_ = queue_.now() + kWord;
  if (leader != target && random.chance(2)) leave_alone(leader, target);
}

/// Without this member the leader, who knows better, has no majority. Nobody else has one either.
void Losses::leave_alone(std::size_t leader, std::size_t target) {
  journal_.count("rolled back, and needed for a majority");
  std::size_t others = (cluster_.size() - 1) / 2;
  for (std::size_t away = 0; away < cluster_.size() && others > 0; ++away) {
    if (away == leader || away == target) continue;
    --others;
    isolate(away, kWord);
  }
}

void Losses::isolate(std::size_t target, Time span) {
  Network& network = cluster_.network();
  for (std::size_t peer = 0; peer < cluster_.size(); ++peer) {
    if (peer == target) continue;
    network.cut(target, peer, false);
    network.cut(peer, target, false);
    queue_.after(span, [&network, target, peer] {
      network.mend(target, peer);
      network.mend(peer, target);
    });
  }
}

bool Losses::waits_for_word() const {
  if (!rolled_back_ || queue_.now() >= wait_until_) return false;
  const Node& node = cluster_.node(*rolled_back_);
  return checks_.lost_data(*rolled_back_) && !(node.running() && node.summary().quarantined);
}

void Losses::mend() {
  if (rolled_back_ && queue_.now() >= wait_until_) {
    // It may have been restarted so often that its epoch is new to all: then a leader repairs it.
    if (checks_.lost_data(*rolled_back_)) {
      renew(*rolled_back_, kDown.low, base::Incarnation(new_ids_.next() | 1));
    }
    rolled_back_.reset();
  }
  operator_.replace_members();
}

}  // namespace sim
