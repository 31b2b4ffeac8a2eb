#include "tests/sim/rules.h"

#include <algorithm>
#include <string>

namespace sim {
namespace {

std::string show(std::size_t node) {
  return "node " + std::to_string(node);
}

/// Whether the same directories vote. A voter of a cluster's first configuration is bound later.
bool same_voters(const std::vector<raft::Member>& a, const std::vector<raft::Member>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& one, const auto& other) {
    const bool bound = one.incarnation && other.incarnation;
    return one.id == other.id && (!bound || one.incarnation == other.incarnation);
  });
}

bool may_follow(const raft::Configuration& before, const raft::Configuration& next) {
  if (before.joint()) return !next.joint() && same_voters(before.voters, next.voters);
  if (!next.joint()) return same_voters(before.voters, next.voters);
  return same_voters(before.voters, next.outgoing);
}

}  // namespace

void Rules::opened(std::size_t number, base::Ordinal recovered) {
  const base::Incarnation incarnation = nodes_[number].incarnation;
  nodes_[number] = Node();
  nodes_[number].incarnation = incarnation;
  for (Node& other : nodes_) {
    const auto durable = other.durable.find(number);
    if (durable == other.durable.end()) continue;
    if (durable->second > recovered) other.remembers_more.insert(number);
  }
}

void Rules::replaced(std::size_t number) {
  nodes_[number].incarnation = base::Incarnation();
  for (Node& other : nodes_) {
    other.durable.erase(number);
    other.remembers_more.erase(number);
  }
}

// ---- What it says ----

void Rules::sent(std::size_t number, const raft::Message& message) {
  Node& node = nodes_[number];
  node.incarnation = message.incarnation;
  if (const auto* asks = std::get_if<raft::RequestVote>(&message.body)) {
    if (!asks->pre_vote) vote(number, message, {message.from, message.opening});
  } else if (const auto* votes = std::get_if<raft::RequestVoteReply>(&message.body)) {
    if (votes->granted && !votes->pre_vote) {
      vote(number, message, {message.to, message.to_opening});
    }
  } else if (const auto* reply = std::get_if<raft::AppendEntriesReply>(&message.body)) {
    if (reply->success) acknowledge(node, message.term, reply->match);
  } else if (const auto* installed = std::get_if<raft::InstallSnapshotReply>(&message.body)) {
    if (installed->installed) acknowledge(node, message.term, installed->index);
  }
}

void Rules::heard(std::size_t number, const raft::Message& message) {
  const std::size_t peer = message.from.value - 1;
  if (message.incarnation != nodes_[peer].incarnation) return;  // of a directory before
  base::Ordinal& durable = nodes_[number].durable[peer];
  durable = std::max(durable, message.durable);
}

void Rules::vote(std::size_t number, const raft::Message& message, const Ballot& ballot) {
  auto& given = votes_[{message.from, message.incarnation}];
  const auto [at, first] = given.try_emplace(message.term, ballot);
  if (first || at->second == ballot) return;
  const bool another = at->second.candidate != ballot.candidate;
  journal_.violation("one vote a term: " + show(number) + " votes twice in term " +
                     std::to_string(message.term.value) +
                     (another ? ", for two candidates" : ", for two openings of one candidate"));
}

void Rules::acknowledge(Node& node, base::Term term, base::Index index) {
  if (term > node.acknowledged.term) node.acknowledged = {term, base::Index()};
  if (term == node.acknowledged.term) {
    node.acknowledged.index = std::max(node.acknowledged.index, index);
  }
}

// ---- What it writes ----

void Rules::persisted(std::size_t number, const raft::PersistRequest& request) {
  Node& node = nodes_[number];
  if (request.restart) node.configurations.clear();
  if (request.truncate_from) {
    node.configurations.erase(node.configurations.lower_bound(*request.truncate_from),
                              node.configurations.end());
  }
  for (const auto& entry : request.entries) {
    if (entry->kind == raft::EntryKind::kConfiguration) append(number, *entry);
  }
  if (!request.end_quarantine) return;
  for (Node& other : nodes_) other.remembers_more.erase(number);
  const auto& given = votes_[{base::MemberId(number + 1), node.incarnation}];
  if (!given.empty() && given.rbegin()->first > request.term) {
    journal_.violation(show(number) + " ends its quarantine in term " +
                       std::to_string(request.term.value) + ", but has voted in term " +
                       std::to_string(given.rbegin()->first.value));
  }
}

void Rules::append(std::size_t number, const raft::Entry& entry) {
  Node& node = nodes_[number];
  const auto next = raft::decode_configuration(entry.payload);
  if (!next) return journal_.violation("a configuration that cannot be read");
  if (!node.configurations.empty()) {
    const auto& [index, before] = *node.configurations.rbegin();
    if (!may_follow(before, *next)) {
      journal_.violation("joint consensus: on " + show(number) + " the voters of index " +
                         std::to_string(entry.index.value) +
                         " follow at once on others, of index " + std::to_string(index.value));
    }
  }
  node.configurations.insert_or_assign(entry.index, *next);
}

void Rules::observed(std::size_t number, const raft::CoreSummary& summary) {
  const raft::CoreSummary before = std::exchange(nodes_[number].before, summary);
  const bool led = before.role == raft::Role::kLeader && summary.role == raft::Role::kLeader &&
                   before.term == summary.term;
  if (!led || summary.configuration_index == before.configuration_index) return;
  if (before.configuration_index > summary.commit) {
    journal_.violation("one change at a time: " + show(number) + " begins one at index " +
                       std::to_string(summary.configuration_index.value) +
                       ", the one before, at index " +
                       std::to_string(before.configuration_index.value) + ", is not committed");
  }
}

}  // namespace sim
