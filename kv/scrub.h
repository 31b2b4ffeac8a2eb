// Digests of what a state says, a range of it at a time, taken from a frozen state: members that
// applied the same entries have the same ones, whatever their disks have tidied up. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "kv/state_machine.h"

namespace kv {

/// Keys by the upper half of their first byte; then history, versions, sessions, leases.
inline constexpr std::size_t kScrubRanges = 20;
using ScrubDigests = std::array<std::uint64_t, kScrubRanges>;
/// What people call a range: "keys 60..6f", "sessions".
std::string name_of_scrub_range(std::size_t range);

/// Reads one frozen state to its end, in slices.
/// Invariant: what was compacted is left out, since members remove it when they come to it; so is
/// the position but for the running digest, since it holds claims about the own log.
class ScrubReading {
 public:
  explicit ScrubReading(StateSnapshot frozen) : frozen_(std::move(frozen)) {}

  /// Reads on, about `slice_bytes` of rows. True: there is more. Errors: kIo, kCorrupt;
  /// kUnavailable: another state was installed meanwhile.
  base::Result<bool> advance(std::size_t slice_bytes);
  /// The entry after which the state was frozen.
  Index index() const { return frozen_.position.applied; }
  /// Requires: advance() has returned false.
  const ScrubDigests& digests() const { return digests_; }

 private:
  void add(const EngineRow& row);

  StateSnapshot frozen_;
  EngineCursor cursor_;
  ScrubDigests digests_{};
};

}  // namespace kv
