// Faults after which a member's directory no longer holds what was synced to it, and how many of
// them the promises allow at a time. Simulator thread.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/random.h"
#include "tests/sim/cluster.h"
#include "tests/sim/operator.h"

namespace sim {

/// Each fault does nothing where the promises do not cover it.
class Losses {
 public:
  Losses(EventQueue& queue, Journal& journal, Checks& checks, Cluster& cluster, Operator& asks)
      : queue_(queue), journal_(journal), checks_(checks), cluster_(cluster), operator_(asks) {}

  /// Synced log data is lost or altered while the node is killed.
  void lose_data(std::size_t target, base::Random& random);
  /// The next candidate's voter loses what it synced last, and the leader, who has not heard of
  /// that term, makes it whole again. Not after `end`.
  void lose_vote(base::Random random, Time end);
  void lose_state(std::size_t target, base::Random& random);
  /// The directory is gone; a new one is there, under the same member id. An operator must replace
  /// the member.
  void replace(std::size_t target, base::Random& random);
  /// Puts back the copy of the directory that Node::copy_disks() has made, if there is one.
  void roll_back(std::size_t target, base::Random& random);
  /// A member that was told of its roll-back is refused under its old identity: it gets a new
  /// directory. And every replacement that was not heard is asked for again.
  void mend();

  /// No member lost its log, none has a directory that the leader does not know yet.
  bool nobody_counts_for_nothing() const;
  /// A member that was rolled back has not been told yet. Only whoever heard it before can tell it;
  /// nothing else may happen meanwhile (reference recovery.md, "Undetectable alone").
  bool waits_for_word() const;

 private:
  bool nothing_is_lost() const;
  std::vector<base::Incarnation> directories() const;
  /// Nobody's log or state is lost, and everybody votes with the directory that he has. With two
  /// losses at a time nobody might be left who could lead, or send a snapshot.
  bool everybody_is_whole() const;
  bool everybody_holds_everything() const;
  void await_candidate(std::size_t leader, Time until, base::Random random);
  void lose_vote_for(std::size_t candidate, std::size_t leader, base::Random random);
  void isolate(std::size_t target, Time span);
  void leave_alone(std::size_t leader, std::size_t target);
  void renew(std::size_t target, Time down, base::Incarnation incarnation);

  EventQueue& queue_;
  Journal& journal_;
  Checks& checks_;
  Cluster& cluster_;
  Operator& operator_;
  base::Index configuration_;                   // committed last when lose_vote() began
  std::vector<base::Incarnation> directories_;  // likewise
  std::optional<std::size_t> rolled_back_;
  base::Random new_ids_{0};  // of directories for members that were rolled back
  Time wait_until_ = 0;
};

}  // namespace sim
