// What was decided here in the last hour, and on what evidence: changes of role, stalls, verdicts,
// faults. For `holdfast why`, /health and whoever comes after an incident. Any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

namespace server {

/// Invariant: `detail` never holds payload bytes.
struct JournalEvent {
  std::uint64_t wall_ms = 0;  // by this member's clock
  std::string what;           // kebab-case, stable: "stepped-down", "verdict", "fault-set"
  std::uint64_t term = 0;
  std::string peer;    // a member's name; may be empty
  std::string detail;  // why, in plain words
};

/// Invariant: at most kMost events, none older than kKeptMs when it was added. The oldest verdicts
/// make room, then the oldest of the others.
class Journal {
 public:
  static constexpr std::size_t kMost = 1024;
  static constexpr std::uint64_t kKeptMs = 3'600'000;

  /// Copies nothing and waits for no disk; the lock is held for moments.
  void add(JournalEvent event);
  /// Oldest first.
  std::vector<JournalEvent> read() const;

 private:
  mutable std::mutex mutex_;
  std::deque<JournalEvent> events_;  // guarded
};

}  // namespace server
