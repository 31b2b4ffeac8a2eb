// The person who changes the membership: asks whoever leads, does not wait, and asks again.
// Simulator thread.
#pragma once

#include <cstddef>
#include <optional>

#include "base/random.h"
#include "tests/sim/cluster.h"

namespace sim {

class Operator {
 public:
  Operator(Cluster& cluster, const Checks& checks) : cluster_(cluster), checks_(checks) {}

  /// By what is committed every node votes, each with the directory that it has now, and no change
  /// is under way. False without a leader who knows.
  bool everybody_votes() const;
  /// No member has a configuration in its log that is not committed.
  bool nothing_changes() const;
  /// By what is committed no member is bound to a directory which is gone, and no change is under
  /// way. False without a leader who knows.
  bool knows_every_directory() const;
  /// Asks for one step towards that. Returns whether nothing is left to ask for.
  bool restore_members();
  /// Asks that a voter is removed, if three would be left with it. Draws who.
  void remove_member(base::Random& random);
  void move_leader(base::Random& random);
  /// Asks that a directory which is gone is replaced by the one that the node has now.
  void replace_members();

 private:
  /// The newest configuration, if the leader has it, it is committed, and nobody has one above it
  /// in his log, who might lead next: only then is it sure whom the next leader will need.
  std::optional<raft::Configuration> settled() const;
  /// What is to be asked for so that node `i` votes; false: nothing.
  bool change_for(const raft::Configuration& now, std::size_t i,
                  server::MemberChange& change) const;

  Cluster& cluster_;
  const Checks& checks_;
};

}  // namespace sim
