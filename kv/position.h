// Where a state stands in the log and in its own history. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "kv/types.h"

namespace kv {

/// Where the state stands. Stored in one row of kMeta in the same batch as the state itself.
struct Position {
  Index applied;
  Term term;
  base::ChainHash hash;
  base::Ordinal log_ordinal;  // the log's durable ordinal when it was applied: a claim
  Revision revision;
  HybridTime time;
  std::uint64_t generation = 0;
  std::uint64_t digest = 0;   // running hash of each entry's index and effects
  std::string configuration;  // of the last entry that set one; empty if none has
  Revision compacted;         // what was superseded at it is no longer kept
  HybridTime compacted_time;  // the stamp of that revision
  Retention retention;
  bool operator==(const Position&) const = default;
};

}  // namespace kv
