// Proof of progress on this member: work that is pending and does not complete (DESIGN promise 5,
// failures.md section 4). Pure; time is ticks.
#pragma once

#include <cstdint>
#include <string>

namespace raft {

/// Ticks since work is pending and nothing has completed; 0 while nothing is pending.
class PendingAge {
 public:
  void tick(bool pending) { ticks_ = pending ? ticks_ + 1 : 0; }
  void completed() { ticks_ = 0; }
  std::uint32_t ticks() const { return ticks_; }

 private:
  std::uint32_t ticks_ = 0;
};

/// The member's verdict on itself. Old but moving is slow, not stalled: any completion of the kind
/// that stalled ends the stall.
struct Stall {
  PendingAge log;
  PendingAge apply;
  bool fit = true;           // by SelfAssessment
  std::string unfit_reason;  // likewise
  bool slow = false;         // likewise; no stall
  std::string barred;        // likewise: why it must not lead, though it is well

  /// Why this member is stalled, in plain words; empty if it is not.
  std::string reason(std::uint32_t stall_ticks, std::uint32_t tick_ms) const;
};

}  // namespace raft
