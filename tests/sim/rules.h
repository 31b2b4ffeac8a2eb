// What the protocol asks of every member's words and records, whether or not anything comes of it:
// a rule that is broken shows here long before something is lost. Simulator thread.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "raft/configuration.h"
#include "raft/core.h"
#include "tests/sim/journal.h"

namespace sim {

/// Rules, each a violation when broken:
/// - a directory gives one vote a term, to one opening of one candidate (Raft paper section 5.2;
///   DESIGN section 5.2);
/// - a quarantine ends in no earlier term than a vote that was given before (DESIGN section 6, rule
///   4);
/// - voters change only through a joint configuration of both sets (Raft paper section 6);
/// - a leader begins a change only when the one before is committed (thesis section 4.1).
class Rules {
 public:
  Rules(Journal& journal, std::size_t nodes) : journal_(journal), nodes_(nodes) {}

  void opened(std::size_t node, base::Ordinal recovered);
  void replaced(std::size_t node);
  void sent(std::size_t node, const raft::Message& message);
  void heard(std::size_t node, const raft::Message& message);
  void persisted(std::size_t node, const raft::PersistRequest& request);
  /// At the end of each of its turns.
  void observed(std::size_t node, const raft::CoreSummary& summary);
  /// What this process of `node` acknowledged in `term`, the newest in which it did so. Else zero.
  base::Index acknowledged(std::size_t node, base::Term term) const {
    const Acknowledged& what = nodes_[node].acknowledged;
    return what.term == term ? what.index : base::Index();
  }
  /// Whether this process of `node` has heard from an earlier one of `peer` that more was durable
  /// there than the present one recovered (DESIGN section 5.3).
  bool remembers_more(std::size_t node, std::size_t peer) const {
    return nodes_[node].remembers_more.contains(peer);
  }

 private:
  struct Ballot {
    base::MemberId candidate;
    base::Opening opening;
    bool operator==(const Ballot&) const = default;
  };
  struct Acknowledged {
    base::Term term;
    base::Index index;
  };
  struct Node {
    base::Incarnation incarnation;
    Acknowledged acknowledged;  // by this opening, in the newest term that it did so in
    std::map<base::Index, raft::Configuration> configurations;  // that this opening appended
    raft::CoreSummary before;
    std::map<std::size_t, base::Ordinal> durable;  // that it has heard of
    std::set<std::size_t> remembers_more;
  };
  void vote(std::size_t node, const raft::Message& message, const Ballot& ballot);
  void acknowledge(Node& node, base::Term term, base::Index index);
  void append(std::size_t node, const raft::Entry& entry);

  Journal& journal_;
  std::vector<Node> nodes_;
  /// What each directory gave.
  std::map<std::pair<base::MemberId, base::Incarnation>, std::map<base::Term, Ballot>> votes_;
};

}  // namespace sim
