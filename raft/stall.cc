#include "raft/stall.h"

namespace raft {

namespace {

std::string pending(const char* what, const PendingAge& age, std::uint32_t tick_ms) {
  return std::string(what) + " pending for " +
         std::to_string(std::uint64_t{age.ticks()} * tick_ms) + " ms without a completion";
}

}  // namespace

std::string Stall::reason(std::uint32_t stall_ticks, std::uint32_t tick_ms) const {
  if (log.ticks() >= stall_ticks) return pending("log sync", log, tick_ms);
  if (apply.ticks() >= stall_ticks) return pending("apply", apply, tick_ms);
  if (!fit) return unfit_reason.empty() ? "unfit by its own assessment" : unfit_reason;
  return "";
}

}  // namespace raft
