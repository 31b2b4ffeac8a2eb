#include "tests/sim/checks.h"

#include <algorithm>

#include "base/check.h"

namespace sim {
namespace {

std::string show(std::size_t node) {
  return "node " + std::to_string(node);
}

}  // namespace

void Checks::Synced::truncate_from(base::Index index) {
  while (!entries.empty() && before + entries.size() >= index) entries.pop_back();
  configurations.erase(configurations.lower_bound(index), configurations.end());
}

bool Checks::Synced::holds(base::Index index, base::ChainHash hash) const {
  if (index <= before) return true;
  const std::uint64_t at = index - before;
  return at <= entries.size() && entries[at - 1].hash == hash;
}

std::optional<base::ChainHash> Checks::Synced::hash_at(base::Index index) const {
  if (index <= before || index > before + entries.size()) return std::nullopt;
  return entries[index - before - 1].hash;
}

void Checks::opened(std::size_t number, const raft::Recovered& recovered) {
  rules_.opened(number, recovered.ordinal);
  Node& node = nodes_[number];
  node.synced = {recovered.first.previous(), recovered.previous_term, {}, {}};
  for (const auto& meta : recovered.metas) node.synced.entries.push_back({meta.term, meta.hash});
  node.commit = node.applied = base::Index();
  if (recovered.quarantined) journal_.count("opened in quarantine");
  node.quarantined = recovered.quarantined;
  if (look_into_disks_) check_opening(number, recovered);
}

void Checks::check_opening(std::size_t number, const raft::Recovered& recovered) {
  const Node& node = nodes_[number];
  if (recovered.quarantined && !node.lost_data) {
    journal_.violation("false alarm: " + show(number) +
                       " opens in quarantine: " + recovered.quarantine_reason);
  }
  const bool fell = recovered.ordinal < node.ordinal;
  const bool must_notice =
      node.lost_data ? node.notice == Notice::kSurely || (fell && node.notice != Notice::kPerhaps)
                     : fell;
  if (!recovered.quarantined && must_notice) {
    journal_.violation("unnoticed: " + show(number) + " lost synced data and opens without a word");
  }
  if (!node.lost_data && recovered.hard_state.term < node.term) {
    journal_.violation(show(number) + " opens in term " +
                       std::to_string(recovered.hard_state.term.value) + ", but sent messages in " +
                       std::to_string(node.term.value));
  }
}

void Checks::data_lost(std::size_t number, Notice notice) {
  Node& node = nodes_[number];
  if (!node.lost_data) node.before_loss = node.synced;
  node.lost_data = node.quarantined = true;
  node.lost_epoch = node.ordinal.epoch;
  node.notice = notice;
}

void Checks::replaced(std::size_t number, base::Incarnation incarnation) {
  Node& node = nodes_[number];
  Synced before = std::move(node.synced);
  node = Node();
  node.incarnation = incarnation;
  node.before_replacement = std::move(before);
  rules_.replaced(number);
}

void Checks::ended(std::size_t number) {
  nodes_[number].commit = nodes_[number].applied = base::Index();
  nodes_[number].leads_term = base::Term();
}

/// The last votes of an election may come when a later term has a leader already, who commits what
/// this one need not have.
void Checks::check_leader(std::size_t number, const raft::TraceEvent& event) {
  const auto [at, first] = leaders_.try_emplace(event.term, Leader{number, ledger_.last()});
  if (!first) {
    journal_.violation("two leaders in term " + std::to_string(event.term.value) + ": " +
                       show(at->second.node) + " and " + show(number));
  }
  base::Index committed = ledger_.last();
  for (auto later = std::next(at); later != leaders_.end(); ++later) {
    committed = std::min(committed, later->second.committed);
  }
  if (committed < ledger_.last()) journal_.count("leader elected late");
  if (event.index < committed) {
    journal_.violation("leader completeness: " + show(number) + " leads with a log up to " +
                       std::to_string(event.index.value) + ", committed is " +
                       std::to_string(committed.value));
  }
}

/// Check-quorum takes two election timeouts, and a clock may be a fifth too slow.
void Checks::check_stale_leader(std::size_t number, base::Term term, Time now) {
  constexpr Time kEnough = 1500 * kMillisecond;
  if (term > newest_term_) {
    newest_term_ = term;
    newest_since_ = now;
  } else if (term < newest_term_ && now > newest_since_ + kEnough) {
    journal_.violation(show(number) + " still leads in term " + std::to_string(term.value) +
                       ", long after somebody did in term " + std::to_string(newest_term_.value));
  }
}

void Checks::sent(std::size_t number, const raft::Message& message) {
  if (look_into_disks_) rules_.sent(number, message);
}

void Checks::heard(std::size_t number, const raft::Message& message) {
  if (look_into_disks_) rules_.heard(number, message);
}

void Checks::traced(std::size_t number, const raft::TraceEvent& event) {
  Node& node = nodes_[number];
  if (event.kind == raft::TraceKind::kBecameLeader) {
    check_leader(number, event);
    if (node.quarantined) journal_.violation(show(number) + " leads in quarantine");
  }
  if (event.kind == raft::TraceKind::kQuarantined) {
    // What it said a moment ago is still on its way, and was true.
    if (!node.quarantined) node.before_quarantine = node.synced;
    node.quarantined = true;
    const bool knows_all = !node.lost_data && node.ordinal.epoch > node.lost_epoch;
    if (knows_all && look_into_disks_) {
      journal_.violation("false alarm: " + show(number) + ": " + raft::to_string(event));
    }
  }
  if (event.kind == raft::TraceKind::kQuarantineEnded && look_into_disks_) {
    check_matched(number, event);
  }
  if (event.kind == raft::TraceKind::kDiverged) {
    journal_.violation("diverged: " + show(number) + ": " + raft::to_string(event));
  }
}

void Checks::observed(std::size_t number, const raft::CoreSummary& summary, Time now) {
  if (summary.role == raft::Role::kLeader) check_stale_leader(number, summary.term, now);
  if (look_into_disks_) rules_.observed(number, summary);
  Node& node = nodes_[number];
  node.leads_term = summary.role == raft::Role::kLeader ? summary.term : base::Term();
  const bool falls = summary.commit < node.commit || summary.applied < node.applied ||
                     summary.applied > summary.commit;
  if (falls) {
    journal_.violation(show(number) +
                       ": commit or applied index falls: " + std::to_string(summary.commit.value) +
                       ", " + std::to_string(summary.applied.value));
  }
  node.commit = summary.commit;
  node.applied = summary.applied;
  // Only what is durable may have been shown to anybody.
  node.term = std::max(node.term, summary.durable_term);
  if (summary.durable_term < node.term && !node.lost_data && look_into_disks_) {
    journal_.violation(show(number) + ": the term falls");
  }
}

void Checks::synced(std::size_t number, const std::vector<raft::PersistRequest>& requests) {
  Synced& log = nodes_[number].synced;
  for (const auto& request : requests) {
    nodes_[number].ordinal = std::max(nodes_[number].ordinal, request.ordinal);
    if (request.restart) {
      if (request.restart->index > ledger_.last()) {
        journal_.violation(show(number) + " begins its log anew above what is committed");
      }
      journal_.count("log restarted");
      log = {request.restart->index, request.restart->term, {}, {}};
    }
    const base::Index acknowledged = rules_.acknowledged(number, request.term);
    const auto held = log.hash_at(acknowledged);
    if (request.truncate_from) {
      if (*request.truncate_from <= log.before) {
        journal_.violation(show(number) + " truncates below what it had cut");
        return;
      }
      const std::size_t configurations = log.configurations.size();
      log.truncate_from(*request.truncate_from);
      if (log.configurations.size() < configurations) journal_.count("configuration truncated");
    }
    for (const auto& entry : request.entries) {
      CHECK(entry->index == (log.before + log.entries.size()).next(), "a log without a gap");
      log.entries.push_back({entry->term, entry->hash});
      if (entry->kind == raft::EntryKind::kConfiguration) log.configurations.insert(entry->index);
    }
    if (held && !log.holds(acknowledged, *held)) {
      journal_.violation(show(number) + " truncates what it acknowledged in its own term " +
                         std::to_string(request.term.value));
    }
    if (look_into_disks_) rules_.persisted(number, request);
    if (request.end_quarantine) {
      if (look_into_disks_) check_repaired(number);
      Node& node = nodes_[number];
      node.repaired_term = request.term;
      node.quarantined = node.lost_data = false;
      node.before_loss = node.before_quarantine = {};
      // Nobody holds the ordinals of its earlier life against it from here on.
      node.ordinal = request.ordinal;
    }
  }
}

/// Only the leader of this very term could have ended it (DESIGN section 6, rule 4).
void Checks::check_matched(std::size_t number, const raft::TraceEvent& event) const {
  // In a later term its log may have gone on to be another leader's.
  if (event.term != nodes_[number].repaired_term) return;
  const Synced& own = nodes_[number].synced;
  for (const Node& leader : nodes_) {
    if (leader.leads_term != event.term) continue;
    const Synced& other = leader.synced;
    const base::Index last = std::min(event.index, other.before + other.entries.size());
    for (base::Index at = std::max(own.before, other.before).next(); at <= last; at = at.next()) {
      if (own.holds(at, other.entries[at - other.before - 1].hash)) continue;
      return journal_.violation("quarantine: " + show(number) + " leaves it with another index " +
                                std::to_string(at.value) + " than its leader");
    }
  }
}

/// It may have acknowledged all that it held (DESIGN section 6, rule 4).
void Checks::check_repaired(std::size_t number) const {
  const Node& node = nodes_[number];
  for (base::Index at = node.synced.before.next(); at <= ledger_.last(); at = at.next()) {
    const base::ChainHash hash = ledger_.hash_at(at);
    if (node.synced.holds(at, hash) || !node.before_loss.holds(at, hash)) continue;
    return journal_.violation("quarantine: " + show(number) + " leaves it without index " +
                              std::to_string(at.value) + ", which it had, and which is committed");
  }
}

void Checks::cut(std::size_t number, base::Index through) {
  Synced& log = nodes_[number].synced;
  while (log.before < through && !log.entries.empty()) {
    log.before = log.before.next();
    log.before_term = log.entries.front().term;
    log.entries.pop_front();
  }
  if (through > ledger_.last()) journal_.violation(show(number) + " cuts what is not committed");
}

void Checks::committed(std::size_t number, const std::vector<raft::EntryPtr>& entries,
                       const raft::Configuration& configuration) {
  for (const auto& entry : entries) {
    if (!ledger_.commit(number, entry) || !look_into_disks_) continue;
    check_majority(number, *entry, configuration);
    check_elections(*entry, configuration);
  }
}

/// On the disk that the voter had when it said so.
bool Checks::was_synced(const raft::Member& voter, const raft::Entry& entry,
                        std::size_t leader) const {
  const Node& node = nodes_.at(voter.id.value - 1);
  const bool replaced = node.incarnation && voter.incarnation != node.incarnation;
  if (replaced) return node.before_replacement.holds(entry.index, entry.hash);
  if (node.lost_data && node.before_loss.holds(entry.index, entry.hash)) return true;
  const bool known = node.lost_data && rules_.remembers_more(leader, voter.id.value - 1);
  if (known) return false;
  const Synced& held = node.quarantined ? node.before_quarantine : node.synced;
  return held.holds(entry.index, entry.hash);
}

/// Who commits first leads, so its configuration is the one that decided, or the last part of it.
void Checks::check_majority(std::size_t leader, const raft::Entry& entry,
                            const raft::Configuration& configuration) {
  // Counted here, and not by raft::Configuration, which may be what is wrong.
  const auto by_majority = [&](const std::vector<raft::Member>& voters) {
    const auto synced = std::count_if(voters.begin(), voters.end(), [&](const raft::Member& voter) {
      return was_synced(voter, entry, leader);
    });
    return 2 * static_cast<std::size_t>(synced) > voters.size();
  };
  const bool joint = !configuration.outgoing.empty();
  if (!by_majority(configuration.voters) || (joint && !by_majority(configuration.outgoing))) {
    journal_.violation("index " + std::to_string(entry.index.value) +
                       " is committed, but not synced on a majority");
  }
}

bool Checks::takes_part(const raft::Member& voter) const {
  const Node& node = nodes_.at(voter.id.value - 1);
  const bool replaced = node.incarnation && voter.incarnation != node.incarnation;
  return !replaced && !node.quarantined && !node.lost_data;
}

/// Leader completeness, before an election that breaks it comes about (Raft paper, figure 8). Votes
/// rest on logs that are at least what is synced, so that whoever is refused by those is refused.
void Checks::check_elections(const raft::Entry& entry, const raft::Configuration& configuration) {
  const auto log_of = [&](const raft::Member& voter) -> const Synced& {
    return nodes_.at(voter.id.value - 1).synced;
  };
  for (const raft::Member& candidate : configuration.voters) {
    const Synced& own = log_of(candidate);
    if (!takes_part(candidate) || own.holds(entry.index, entry.hash)) continue;
    const auto elects = [&](const std::vector<raft::Member>& voters) {
      const auto votes =
          std::count_if(voters.begin(), voters.end(), [&](const raft::Member& voter) {
            return takes_part(voter) && log_of(voter).last() <= own.last();
          });
      return 2 * static_cast<std::size_t>(votes) > voters.size();
    };
    const bool joint = !configuration.outgoing.empty();
    if (!elects(configuration.voters) || (joint && !elects(configuration.outgoing))) continue;
    journal_.violation("index " + std::to_string(entry.index.value) + " is committed, but " +
                       show(candidate.id.value - 1) + " could be elected without it");
  }
}

void Checks::applied(std::size_t number, const kv::Position& position) {
  ledger_.stand(number, position);
}

void Checks::read(std::size_t number, base::Index applied, base::Index committed) {
  if (applied >= committed) return;
  journal_.violation("not linearizable: " + show(number) + " reads at index " +
                     std::to_string(applied.value) + ", when it was asked index " +
                     std::to_string(committed.value) + " was committed");
}

void Checks::acknowledged(base::SessionId session, std::uint64_t sequence, kv::Reply reply) {
  const std::string what = "acknowledged: session " + std::to_string(session.value) + " sequence " +
                           std::to_string(sequence);
  const ModelOutcome* known = ledger_.outcome(session, sequence);
  if (known == nullptr) return journal_.violation(what + ", but it was never committed");
  const auto sealed = [](const kv::Reply& one) { return one.code == base::Code::kSealed; };
  if (sealed(known->reply) != sealed(reply)) {
    return journal_.violation(
        what + (sealed(reply) ? " never to happen, and it did" : " although it was sealed"));
  }
  reply.detail.clear();
  reply.repeated = false;
  if (reply == known->reply) return;
  journal_.violation(what + " as " + std::string(base::traits(reply.code).name) + " at revision " +
                     std::to_string(reply.result.revision.value) + ", the model says " +
                     std::string(base::traits(known->reply.code).name) + " at " +
                     std::to_string(known->reply.result.revision.value) +
                     (reply.code == known->reply.code ? " or other results" : ""));
}

}  // namespace sim
