// What injected faults have caught at their members since they were set: the proof that they took
// effect. Members count since their process began, so what they had caught before is taken off.
// Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "client/outcome.h"

namespace jepsen {

class Caught {
 public:
  /// All faults of a member, as it told before any was set: one that holds a thread may have caught
  /// it by the time that the member answers.
  void begin(const std::string& member, const std::vector<client::Fault>& faults);
  /// A line for each fault that is on and has caught something since begin().
  std::vector<std::string> proofs(const std::string& member,
                                  const std::vector<client::Fault>& faults) const;

 private:
  std::map<std::string, std::uint64_t> before_;  // by member, fault, peer and direction
};

}  // namespace jepsen
