// The person who changes the membership: asks whoever leads, does not wait, and asks again.
// Simulator thread.
#pragma once

#include <cstddef>

#include "base/random.h"
#include "tests/sim/cluster.h"

namespace sim {

class Operator {
 public:
  explicit Operator(Cluster& cluster) : cluster_(cluster) {}

  /// As the leader sees it: every node votes, each with the directory that it has now, and no
  /// change is under way. False without a leader.
  bool everybody_votes() const;
  /// No member that is one is bound to a directory which is gone. False without a leader.
  bool knows_every_directory() const;
  /// Asks for one step towards that. Returns whether nothing is left to ask for.
  bool restore_members();
  /// Asks that a voter is removed, if three would be left with it. Draws who.
  void remove_member(base::Random& random);
  void move_leader(base::Random& random);
  /// Asks that a directory which is gone is replaced by the one that the node has now.
  void replace_members();

 private:
  /// What is to be asked for so that node `i` votes; false: nothing.
  bool change_for(const raft::Configuration& now, std::size_t i,
                  server::MemberChange& change) const;

  Cluster& cluster_;
};

}  // namespace sim
