// The faults that can be injected into this process, by name, for whoever runs it with
// --allow-faults: what they are called, how strong they may be, when they end. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fault_switch.h"
#include "base/status.h"
#include "storage/faults.h"

namespace server {

/// As somebody wrote it: "delay" and "100ms".
using FaultParameter = std::pair<std::string, std::string>;

/// One fault as it is now.
struct FaultState {
  std::string_view name;
  std::string_view what;  // what it does, for people
  std::string parameter;  // "delay=100ms" with the present or the default strength; may be empty
  bool on = false;
  std::uint64_t left_ms = 0;  // FaultSwitch::kForever: until it is cleared
  std::uint64_t hits = 0;     // calls that it has caught since the process began
};

/// Invariant: what list() names can be set and cleared, and nothing else.
class FaultPlane {
 public:
  FaultPlane();
  FaultPlane(const FaultPlane&) = delete;
  FaultPlane& operator=(const FaultPlane&) = delete;

  /// On from now on, for `for_ms` (FaultSwitch::kForever: until it is cleared). A parameter that is
  /// not given has its default. Errors: kInvalidArgument, naming what is wrong and what would do.
  base::Status set(std::string_view name, const std::vector<FaultParameter>& parameters,
                   std::uint64_t for_ms);
  /// Empty: every fault. Errors: kInvalidArgument (no such fault).
  base::Status clear(std::string_view name);
  std::vector<FaultState> list() const;

  storage::StorageFaults& storage() { return storage_; }

 private:
  /// What one fault is. `parameter` is empty if it has no strength.
  struct Kind {
    std::string_view name;
    std::string_view what;
    base::FaultSwitch* switched;
    std::string_view parameter = {};
    std::uint64_t low_ms = 0, default_ms = 0, high_ms = 0;
  };
  const Kind* find(std::string_view name) const;
  base::Status unknown(std::string_view name) const;

  storage::StorageFaults storage_;
  const std::vector<Kind> kinds_;
};

}  // namespace server
