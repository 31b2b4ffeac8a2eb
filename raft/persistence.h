// Which log writes are outstanding and what each of them makes durable (DESIGN section 6, rules 1
// and 2). Pure.
#pragma once

#include <deque>
#include <optional>

#include "raft/core.h"

namespace raft {

/// Knows durability by ordinals alone; an index is durable because the request that wrote it is.
/// Invariants (each CHECKed):
/// - ordinals are strictly increasing; none is completed that was not asked for;
/// - truncation lowers what outstanding requests will make durable, so that an older completion
/// says
///   nothing of an index that was overwritten meanwhile.
class Persistence {
 public:
  Persistence(Opening opening, Ordinal recovered, HardState hard_state, Index last);

  // What the step in progress wants written; one request a step.
  void write_hard_state(const HardState& hard_state);
  void truncate(Index from);
  /// The ordinal after which the quarantine is over.
  Ordinal end_quarantine(const HardState& hard_state);
  void append(EntryPtr entry);
  /// The log begins anew after this entry, which the state holds durably: so it is durable at once,
  /// whatever becomes of this write and of those before it (section 6, rule 3).
  void restart(LogStart start);
  /// Ends the step: the request, if anything is to be written. `last`: the end of the log now.
  std::optional<PersistRequest> take(Term term, Index last);

  /// Everything up to `ordinal` is durable. Returns false if that was known.
  bool complete(Ordinal ordinal);

  bool pending() const { return !outstanding_.empty(); }
  Ordinal durable_ordinal() const { return durable_ordinal_; }
  Ordinal asked_ordinal() const { return asked_ordinal_; }
  Index durable_index() const { return durable_index_; }
  const HardState& durable_hard_state() const { return durable_hard_state_; }
  /// What must be durable before anything may rest on the newest term and vote.
  Ordinal hard_state_ordinal() const { return hard_state_ordinal_; }
  bool hard_state_durable() const { return hard_state_ordinal_ <= durable_ordinal_; }
  /// The ordinal after which `index` is durable; zero if it is. Requires: index was taken or
  /// durable.
  Ordinal covering(Index index) const;

 private:
  struct Outstanding {
    Ordinal ordinal;
    Index last;  // durable up to here once this is complete; lowered by truncate()
    std::optional<HardState> hard_state;
  };
  PersistRequest& request();

  const std::uint64_t epoch_;
  Ordinal durable_ordinal_;
  Ordinal asked_ordinal_;
  Ordinal hard_state_ordinal_;
  Index durable_index_;
  HardState durable_hard_state_;
  std::deque<Outstanding> outstanding_;
  std::optional<PersistRequest> request_;  // of the step in progress
};

}  // namespace raft
