#include "tests/sim/simulation.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "tests/sim/linearizability.h"
#include "tests/sim/revision_check.h"

namespace sim {
namespace {

constexpr Time kStep = 20 * kMillisecond;
constexpr std::size_t kKeysARead = 500;
/// Between an operator's requests to take members back.
constexpr Time kAsk = 250 * kMillisecond;
constexpr Time kLongestLease = 1500 * kMillisecond;

}  // namespace

Simulation::Simulation(std::uint64_t seed, Options options)
    : options_(options),
      random_(seed),
      journal_(queue_),
      checks_(journal_, options.nodes, options.look_into_disks),
      cluster_(queue_, journal_, checks_, options_, random_.next()),
      workload_{queue_,   journal_,         checks_,
                options_, cluster_.nodes(), base::Random(random_.next())},
      nemesis_(queue_, journal_, checks_, options_, cluster_, random_.next()),
      holders_(workload_, options_.holders),
      watchers_(workload_, options_.watchers) {
  checks_.ledger().on_lease_ended([this](base::LeaseId lease) { holders_.lease_ended(lease); });
  for (std::size_t i = 0; i < options_.clients; ++i) {
    clients_.push_back(std::make_unique<Client>(workload_, i + 1));
  }
}

void Simulation::start() {
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    queue_.at(random_.below(100) * kMillisecond, [this, i] { cluster_.start(i); });
  }
  for (auto& client : clients_) client->begin();
  holders_.begin();
  watchers_.begin();
}

void Simulation::run_until(Time time) {
  while (!journal_.violation() && !queue_.empty() && queue_.next_at() <= time) queue_.run_next();
}

Time Simulation::first_write_after(Time time) const {
  Time first = kOpen;
  for (const Operation& operation : workload_.history) {
    if (operation.writes() && operation.invoked >= time)
      first = std::min(first, operation.returned);
  }
  return first;
}

void Simulation::run() {
  start();
  run_until(kCalm);
  nemesis_.begin();
  run_until(kCalm + options_.fault_time);
  if (journal_.violation()) return;
  const Time healed_at = now();
  while (!journal_.violation() && first_write_after(healed_at) == kOpen &&
         now() < healed_at + options_.write_bound) {
    run_until(std::max(now() + kStep, queue_.next_at()));
  }
  if (first_write_after(healed_at) == kOpen) {
    journal_.violation("liveness: no write commits within the bound after the last fault");
  }
  journal_.count("simulated milliseconds to a write after the last fault",
                 (now() - healed_at) / kMillisecond);
  run_until(now() + kSecond / 2);
  const Time enough = now() + 60 * kSecond;
  while (!journal_.violation() && workload_.history.size() < options_.operations_min &&
         now() < enough) {
    run_until(std::max(now() + kStep, queue_.next_at()));
  }
  finish();
}

bool Simulation::converged() {
  const auto leader = cluster_.leader();
  if (!leader || !cluster_.node(*leader).summary().can_read) return false;
  for (std::size_t i = 0; i < cluster_.size(); ++i) {
    Node& node = cluster_.node(i);
    if (!node.running()) return false;
    if (node.summary().quarantined || node.summary().needs_snapshot) return false;
    const auto status = node.status();
    if (status.position.applied != checks_.ledger().last() ||
        status.core.last != checks_.ledger().last() || status.pending_requests > 0) {
      return false;
    }
  }
  return true;
}

void Simulation::finish() {
  workload_.stopping = true;
  const Time end = now() + options_.converge_bound;
  bool restored = false;
  Time ask_at = now();
  while (!journal_.violation() && !(restored && converged()) && now() < end) {
    if (now() >= ask_at) {
      restored = nemesis_.restore_members();
      ask_at = now() + kAsk;
    }
    run_until(std::max(now() + kStep, queue_.next_at()));
  }
  if (!journal_.violation() && !(restored && converged())) {
    journal_.violation("liveness: the members do not converge within the bound");
  }
  if (!journal_.violation()) let_leases_end();
  if (!journal_.violation()) read_everything();
  if (!journal_.violation()) check_history();
}

/// Nobody renews any more.
void Simulation::let_leases_end() {
  const Time end = now() + kLongestLease + options_.write_bound;
  while (!journal_.violation() && !checks_.ledger().model().leases.empty() && now() < end) {
    run_until(std::max(now() + kStep, queue_.next_at()));
  }
  if (!journal_.violation() && !checks_.ledger().model().leases.empty()) {
    journal_.violation("a lease that nobody renews does not end");
  }
}

void Simulation::read_everything() {
  std::set<std::string> keys;
  for (const Operation& operation : workload_.history) {
    const bool one = operation.verb != Verb::kRange && operation.verb != Verb::kPastRange &&
                     operation.verb != Verb::kCompact;
    if (one) keys.insert(operation.key);
  }
  // A reply has a limit.
  std::vector<std::string> part;
  for (const std::string& key : keys) {
    part.push_back(key);
    if (part.size() < kKeysARead && key != *keys.rbegin()) continue;
    read_part(std::exchange(part, {}));
    if (journal_.violation()) return;
  }
}

void Simulation::read_part(const std::vector<std::string>& keys) {
  Client reader(workload_, 0);
  bool done = false;
  reader.read_everything(keys, [&done] { done = true; });
  const Time end = now() + options_.write_bound;
  while (!journal_.violation() && !done && now() < end) {
    run_until(std::max(now() + kStep, queue_.next_at()));
  }
  if (!done) journal_.violation("liveness: no last read within the bound");
  // Its events must not outlive it.
  const Time rest = now() + kSecond;
  while (!journal_.violation() && now() < rest)
    run_until(std::max(now() + kStep, queue_.next_at()));
}

void Simulation::check_history() {
  const std::size_t size = workload_.history.size();
  Resolved resolved(size);
  std::vector<bool> happened(size, true);
  for (std::size_t i = 0; i < size; ++i) {
    const Operation& operation = workload_.history[i];
    if (!operation.open()) continue;
    journal_.count("operation left open");
    const auto& [session, sequence] = workload_.writes[i];
    const ModelOutcome* outcome = checks_.ledger().outcome(session, sequence);
    happened[i] = operation.writes() && outcome != nullptr;
    if (happened[i] && outcome->wrote) resolved[i] = outcome->reply.result.revision;
  }
  if (size < 20) journal_.violation("an empty history proves nothing");
  if (auto wrong = check_revisions(workload_.history, resolved)) {
    journal_.violation("not linearizable by revisions: " + *wrong);
  }
  check_each_key(happened);
}

void Simulation::check_each_key(const std::vector<bool>& happened) {
  for (const auto& [key, places] : places_of_keys(workload_.history)) {
    const Linearizable verdict = check_register(calls_on(workload_.history, key, happened, places));
    if (verdict == Linearizable::kYes) continue;
    journal_.violation("key " + key +
                       (verdict == Linearizable::kNo ? " is not linearizable by values"
                                                     : ": linearizability is undecided"));
  }
}

}  // namespace sim
