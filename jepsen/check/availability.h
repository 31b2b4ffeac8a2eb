// How long nobody's write went through, around each fault. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jepsen/check/finding.h"
#include "jepsen/history/history.h"

namespace jepsen {

/// Notes of the nemesis of one `number`:
///   begin  {fault number targets bound_ms}   bound_ms: how long it may keep writes away; 0: as
///   long
///                                            as it lasts
///   proof  {number text}                     seen at the victim: it took effect
///   end    {number}
///   skipped {fault text}                     it could not be injected
struct Episode {
  std::string fault, targets;
  std::uint64_t begin_ns = 0, end_ns = 0;
  bool ended = false;  // it was taken back; false: the run died meanwhile
  std::uint64_t bound_ms = 0;
  std::vector<std::string> proofs;
  std::uint64_t writes = 0;       // that went through while it lasted
  std::uint64_t longest_ms = 0;   // without one, of those gaps that end or begin while it lasts
  std::uint64_t recovery_ms = 0;  // from its end to the next write
};

std::vector<Episode> episodes_of(const History& history);
/// Every fault was proven; none of those with a bound kept writes away for longer. One that the run
/// did not outlive is kUnknown. kEmpty: there
/// was no fault, or nobody wrote. `scale` stretches the bounds.
Finding check_availability(const History& history, const std::vector<Episode>& episodes,
                           std::uint32_t scale);

}  // namespace jepsen
