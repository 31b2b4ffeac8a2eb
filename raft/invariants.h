// What one step may change, compared before and after (DESIGN section 8). Pure.
#pragma once

#include "raft/core.h"

namespace raft {

/// The few numbers that the invariants at Core speak of. Cheap to take at each step.
struct Watermarks {
  HardState hard_state;
  Index first, last, commit, apply_asked, applied;
  Index cached_from;
  Ordinal durable, asked;
  bool term_durable = false;
  bool log_complete = true;  // false: the log begins above the state, nothing can be applied
};

/// CHECKs that `after` may follow `before` and that `output` keeps the rules of section 6.
void check_step(const Watermarks& before, const Watermarks& after, const Output& output);

}  // namespace raft
