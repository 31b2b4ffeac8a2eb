#include "server/generation_fence.h"

namespace server {

std::string GenerationFence::reason(const raft::Message& message) const {
  const std::uint64_t theirs = message.generation.value_or(0);
  const std::uint64_t ours = own_.value_or(0);
  const std::string what = "its data directory is of generation " + std::to_string(theirs) +
                           ", this one of generation " + std::to_string(ours);
  if (theirs < ours) {
    return what +
           ": the cluster has gone on without it; give it an empty directory, then `member "
           "add` or `member replace`";
  }
  return what +
         ": the cluster has gone on without this member; give this one an empty directory, "
         "then `member add` or `member replace`";
}

}  // namespace server
