#include "raft/stall.h"

namespace raft {

std::string Stall::reason(std::uint32_t stall_ticks) const {
  if (log.ticks() >= stall_ticks) {
    return "log sync pending for " + std::to_string(log.ticks()) + " ticks without a completion";
  }
  if (apply.ticks() >= stall_ticks) {
    return "apply pending for " + std::to_string(apply.ticks()) + " ticks without a completion";
  }
  if (!fit) return unfit_reason.empty() ? "unfit by its own assessment" : unfit_reason;
  return "";
}

}  // namespace raft
