// What a leader knows of one follower's log, and how much it may send (Raft paper section 5.3;
// thesis section 10.2 for pipelining). Pure; time is ticks.
#pragma once

#include <cstdint>
#include <deque>

#include "raft/entry.h"

namespace raft {

/// kProbe: one AppendEntries at a time until the follower's log is found to agree.
/// kReplicate: pipelined, bounded in messages and in bytes.
/// kSnapshot: what it needs next was cut; nothing is sent until it has a snapshot.
/// Messages may be lost at any time: a watchdog in ticks falls back to probing.
/// Invariants (each CHECKed): match < next; windows are counted exactly.
class Progress {
 public:
  enum class State : std::uint8_t { kProbe, kReplicate, kSnapshot };

  explicit Progress(Index next) : next_(next) {}

  State state() const { return state_; }
  Index match() const { return match_; }
  Index next() const { return next_; }
  std::uint32_t supported_ticks() const { return supported_ticks_; }
  std::uint32_t stuck_ticks() const { return stuck_ticks_; }

  /// Whether a message may leave now.
  bool may_send(std::size_t window_messages, std::size_t window_bytes) const;
  /// An AppendEntries left; `last` is the previous index plus the entries.
  void sent(Index last, std::size_t bytes);
  /// The follower has everything up to `match`, durably. Returns whether it went from probe to
  /// replicate.
  bool acknowledged(Index match);
  /// The follower refused `previous` and suggests `hint`. Returns false for an old answer.
  /// `wait`: stay in probe and wait for the watchdog instead of trying again at once.
  bool rejected(Index previous, Index hint, bool wait);
  /// Back to probing just after match: the link changed or the watchdog fired.
  void probe();
  /// Probing anew, with this next if what is acknowledged ends below.
  void probe_from(Index next);
  /// The connection came or went: what is in flight may be lost. What probing has found out so far,
  /// or where a new leader begins, stays.
  void relink();
  /// What it needs is not in the log any more.
  void await_snapshot();
  /// A new opening of the follower: nothing is known of it any more.
  void reset(Index next);
  /// It answered a heartbeat of this term and supports this leader.
  void supported() { supported_ticks_ = 0; }

  /// One tick. `behind`: there are entries that it has not acknowledged. `busy`: it says itself
  /// that its log write is pending, so that repeating what it has would not help. Returns true if
  /// an answer is outstanding and nothing came for `watchdog_ticks`: it is probing again.
  bool tick(bool behind, bool busy, std::uint32_t watchdog_ticks);

  // Loads from the log: one outstanding a follower.
  bool may_load() const { return load_wait_ticks_ == 0; }
  void load_asked(std::uint32_t patience_ticks) { load_wait_ticks_ = patience_ticks; }
  /// The load ended; the next may be asked for after `pause_ticks`.
  void load_ended(std::uint32_t pause_ticks) { load_wait_ticks_ = pause_ticks; }

 private:
  struct InFlight {
    Index last;
    std::size_t bytes = 0;
  };
  bool waiting() const { return state_ == State::kProbe ? probe_sent_ : !in_flight_.empty(); }
  void forget_flight();

  State state_ = State::kProbe;
  Index match_;  // raised by acknowledged(), zeroed by reset()
  Index next_;
  bool probe_sent_ = false;
  std::deque<InFlight> in_flight_;
  std::size_t in_flight_bytes_ = 0;
  std::uint32_t silent_ticks_ = 0;     // waiting for an answer and none came
  std::uint32_t stuck_ticks_ = 0;      // behind, and nothing was acknowledged or refused
  std::uint32_t supported_ticks_ = 0;  // since its last support
  std::uint32_t load_wait_ticks_ = 0;  // until the next load may be asked for
};

}  // namespace raft
