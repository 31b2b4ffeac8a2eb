// What must hold after every event, whoever is broken at the time. Simulator thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/core.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/journal.h"
#include "tests/sim/ledger.h"
#include "tests/sim/rules.h"

namespace sim {

/// Whether a member that lost synced data must say so when it opens.
enum class Notice : std::uint8_t { kPerhaps, kIfOrdinalFell, kSurely };

/// Invariants, each a violation when broken, besides those of Ledger and Rules:
/// - one leader a term; a leader's log reaches to everything committed in earlier terms (leader
///   completeness);
/// - whoever led before knows it soon after another was elected, if it runs (DESIGN promise 5);
/// - within an opening term, commit and applied do not fall; across openings the term does not;
/// - what is committed was synced on a majority of the voters, of each set of them in a joint
///   configuration, each member outside quarantine at the time, and none of which the leader
///   remembers more than it recovered;
/// - nobody whose synced log lacks what is committed could be elected by the synced logs of others;
/// - what a member held when it lost data, and what is committed, is there when its quarantine
///   ends, and up to where its leader said its log is the leader's;
/// - what a member acknowledged in its term it holds as long as it stays in it (figure 2);
/// - what is acknowledged to a client is committed;
/// - a linearizable read sees what was committed when it was asked (thesis section 6.4);
/// - a node whose synced data was lost on purpose opens in quarantine, and nobody else does.
class Checks {
 public:
  /// `look_into_disks`: whether what nodes open with, and commit, is held against what
  /// was synced.
  Checks(Journal& journal, std::size_t nodes, bool look_into_disks = true)
      : journal_(journal),
        ledger_(journal),
        rules_(journal, nodes),
        look_into_disks_(look_into_disks),
        nodes_(nodes) {}

  // What nodes do.
  void opened(std::size_t node, const raft::Recovered& recovered);
  void ended(std::size_t node);
  void data_lost(std::size_t node, Notice notice);
  /// It has an empty directory now, under a new incarnation.
  void replaced(std::size_t node, base::Incarnation incarnation);
  void traced(std::size_t node, const raft::TraceEvent& event);
  void sent(std::size_t node, const raft::Message& message);
  /// Before it acts on it.
  void heard(std::size_t node, const raft::Message& message);
  /// At the end of each of its turns.
  void observed(std::size_t node, const raft::CoreSummary& summary, Time now);
  void synced(std::size_t node, const std::vector<raft::PersistRequest>& requests);
  void cut(std::size_t node, base::Index through);
  /// `configuration`: in force at the node.
  void committed(std::size_t node, const std::vector<raft::EntryPtr>& entries,
                 const raft::Configuration& configuration);
  void applied(std::size_t node, const kv::Position& position);
  /// A node answered a linearizable read from what it had applied. `committed`: ledger().last()
  /// when it was asked.
  void read(std::size_t node, base::Index applied, base::Index committed);

  /// A client was told how its write ended.
  void acknowledged(base::SessionId session, std::uint64_t sequence, kv::Reply reply);

  const Ledger& ledger() const { return ledger_; }
  Ledger& ledger() { return ledger_; }
  bool lost_data(std::size_t node) const { return nodes_[node].lost_data; }

 private:
  /// Which entries are synced on a node.
  struct Synced {
    struct Entry {
      base::Term term;
      base::ChainHash hash;
    };
    base::Index before;  // of the first; what is below was cut, so it was committed
    base::Term before_term;
    std::deque<Entry> entries;
    std::set<base::Index> configurations;  // appended by this process
    void truncate_from(base::Index index);
    /// What votes are given by (Raft paper section 5.4.1).
    std::pair<base::Term, base::Index> last() const {
      return {entries.empty() ? before_term : entries.back().term, before + entries.size()};
    }
    bool holds(base::Index index, base::ChainHash hash) const;
    std::optional<base::ChainHash> hash_at(base::Index index) const;  // none: cut, or not there
  };
  struct Node {
    base::Incarnation incarnation;  // of the directory; zero: its first
    Synced before_replacement;      // what the directory before it held
    bool lost_data = false;
    Notice notice = Notice::kPerhaps;
    bool quarantined = false;
    base::Ordinal ordinal;         // the highest that was synced
    base::Term term;               // as was seen of any opening
    std::uint64_t lost_epoch = 0;  // of openings that others may remember, and it does not
    base::Term leads_term;         // zero: it does not lead
    base::Term repaired_term;      // in which its last quarantine was to end
    base::Index commit, applied;
    Synced synced;
    Synced before_loss;        // what was synced, and perhaps acknowledged, when data was lost
    Synced before_quarantine;  // likewise, when it was told that it had lost data
  };

  void check_matched(std::size_t number, const raft::TraceEvent& event) const;
  void check_repaired(std::size_t number) const;
  void check_opening(std::size_t number, const raft::Recovered& recovered);
  void check_majority(std::size_t leader, const raft::Entry& entry,
                      const raft::Configuration& configuration);
  void check_elections(const raft::Entry& entry, const raft::Configuration& configuration);
  bool takes_part(const raft::Member& voter) const;
  void check_stale_leader(std::size_t number, base::Term term, Time now);
  void check_leader(std::size_t number, const raft::TraceEvent& event);
  bool was_synced(const raft::Member& voter, const raft::Entry& entry, std::size_t leader) const;

  Journal& journal_;
  Ledger ledger_;
  Rules rules_;
  const bool look_into_disks_;
  std::vector<Node> nodes_;
  struct Leader {
    std::size_t node;
    base::Index committed;  // when it began to lead
  };
  std::map<base::Term, Leader> leaders_;
  base::Term newest_term_;  // in which somebody was seen to lead
  Time newest_since_ = 0;
};

}  // namespace sim
