// Client sessions: each write happens once, however often it is sent (DESIGN section 5.10; Ongaro's
// thesis, section 6.3, with a window of outcomes instead of the last one). Pure; the apply thread
// owns it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "kv/overlay.h"
#include "kv/types.h"

namespace kv {

/// The sessions in memory, each change of which is written through to kSessions. Memory holds which
/// sequences have an outcome; the outcomes themselves are read back only when a write is repeated.
/// Invariants (CHECKed):
/// - at most Limits::sessions sessions, each with outcomes only in
///   [acknowledged_below, acknowledged_below + Limits::session_window);
/// - only opening a session and recording an outcome change one: what load() finds in the rows is
///   exactly what was in memory. A refused or repeated write leaves no trace.
class Sessions {
 public:
  explicit Sessions(const Limits& limits) : limits_(limits) {}

  /// Reads what an engine holds. Errors: kIo, kCorrupt, kNewerFormat.
  base::Status load(Engine& engine);

  /// Opens a session named after the entry at `index`. Ensures: room for it, by evicting those that
  /// were used least recently, by index; returns their ids. Requires: index above all used before.
  std::vector<SessionId> open(Index index, Overlay& overlay);
  /// Returns false if there is no such session.
  bool close(SessionId session, Overlay& overlay);

  /// What answers a write without running it: kUnknownSession, kInvalidArgument (not a valid
  /// Write), kSequenceForgotten, kSequenceTooFar, or the outcome of the same sequence with
  /// `repeated` set. nullopt: run it, then record() its reply. Errors (not deterministic): kIo,
  /// kCorrupt.
  base::Result<std::optional<Reply>> answer(const Write& write, Overlay& overlay);
  /// Keeps the outcome of a write that answer() let pass, and drops those that it acknowledges.
  void record(const Write& write, Index index, const Reply& reply, Overlay& overlay);

  std::uint64_t size() const { return sessions_.size(); }
  /// The newest entry that used a session; 0 if there are none.
  Index newest_use() const {
    return by_last_used_.empty() ? Index() : by_last_used_.rbegin()->first;
  }

 private:
  struct Session {
    std::uint64_t acknowledged_below = 0;
    Index last_used;                    // the entry that opened it or gave its newest outcome
    std::set<std::uint64_t> sequences;  // those with an outcome
  };

  base::Status load_row(std::string_view row_key, std::string_view row);
  void erase(SessionId id, Overlay& overlay);
  base::Result<Reply> recorded(const Write& write, Overlay& overlay);

  const Limits limits_;
  std::unordered_map<SessionId, Session> sessions_;
  std::map<Index, SessionId> by_last_used_;  // one entry uses at most one session
};

}  // namespace kv
