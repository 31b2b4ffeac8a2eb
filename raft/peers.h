// What is known of the other members apart from their logs: openings, ordinals, reports (DESIGN
// sections 5.2 and 5.3; section 6, rule 5). Pure.
#pragma once

#include <cstdint>

#include "raft/message.h"

namespace raft {

/// One peer. Outlives roles: what was heard as a follower counts for a leader.
struct Peer {
  bool heard = false;              // anything at all, from `opening`
  std::uint32_t silent_ticks = 0;  // since then
  Incarnation incarnation;         // of the newest opening
  Opening opening;                 // the newest; zero epoch: none yet
  Ordinal recovered;               // that it stated for this opening
  Ordinal durable;                 // the highest that it stated in this opening
  Ordinal durable_before;          // the highest that it stated in earlier epochs
  bool quarantined = false;  // it said so in this opening; sticky until it recovers another ordinal
  bool refused = false;      // it was rolled back; until it speaks as someone else
  Opening traced_refusal;    // the opening of which a refusal was traced last
  ProgressReport progress;   // the newest

  /// Whether it may count for commits, votes, rounds and check-quorum.
  bool counts() const { return heard && !quarantined && !refused; }
};

/// What Peer::judge found.
enum class Verdict : std::uint8_t {
  kAccept,
  kNewOpening,  // accept, and forget what was believed of it
  kRolledBack,  // refuse: DESIGN section 5.3
  kLate,        // from before the end of its quarantine, overtaken: drop
  kStale,       // of an opening that has ended: refuse; the newer opening is not concerned
};

/// The report in a message, or null.
const ProgressReport* report_of(const Message& message);
bool is_reply(const Message& message);

/// Compares the envelope with what is remembered of the sender. Changes nothing.
Verdict judge(const Peer& peer, const Message& message);
/// Takes the envelope in. Requires: the verdict was kAccept or kNewOpening.
void remember(Peer& peer, const Message& message);

}  // namespace raft
