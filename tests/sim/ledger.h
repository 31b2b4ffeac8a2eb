// The committed log as all members together have shown it, and what a plain model makes of it.
// Simulator thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kv/state_machine.h"
#include "kv/types.h"
#include "raft/entry.h"
#include "tests/kv/model.h"
#include "tests/sim/journal.h"

namespace sim {

/// What the model says that one write of a session gave.
struct ModelOutcome {
  kv::Reply reply;  // without detail
  bool wrote = false;
};

/// Invariants, each a violation when broken:
/// - at each index every member commits the same entry (log matching by chain hash);
/// - the chain of hashes is whole, terms do not fall, hybrid times grow;
/// - a value that a client wrote takes effect once;
/// - members at one index have the same digest, revision and hash.
class Ledger {
 public:
  explicit Ledger(Journal& journal) : journal_(journal) {}

  /// A member handed this entry to its state machine. Returns whether it is the first to do so.
  bool commit(std::size_t node, const raft::EntryPtr& entry);
  /// A member's state stands here.
  void stand(std::size_t node, const kv::Position& position);

  base::Index last() const { return base::Index(entries_.size()); }
  /// Of the last entry that set a configuration; zero: none has.
  base::Index last_configuration() const { return last_configuration_; }
  base::ChainHash hash_at(base::Index index) const;
  const ModelOutcome* outcome(base::SessionId session, std::uint64_t sequence) const;
  const kv::Model& model() const { return model_; }
  /// Told of each lease that ends because its time is over, when that is committed.
  void on_lease_ended(std::function<void(base::LeaseId)> told) { lease_ended_ = std::move(told); }

 private:
  struct Digest {
    std::size_t node;
    std::uint64_t digest;
    base::Revision revision;
  };

  void run(const raft::Entry& entry);
  void check_values(std::size_t events_before);

  Journal& journal_;
  std::vector<raft::EntryPtr> entries_;
  base::Index last_configuration_;
  std::vector<base::Revision> revisions_;  // after each entry
  std::map<base::Index, Digest> digests_;
  kv::Model model_{kv::Limits()};
  std::function<void(base::LeaseId)> lease_ended_;
  std::map<std::string, base::Index> written_;  // each value, once
  std::map<std::pair<base::SessionId, std::uint64_t>, ModelOutcome> outcomes_;
};

}  // namespace sim
