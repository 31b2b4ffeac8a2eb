// ReadIndex: linearizable reads by rounds of heartbeats (thesis section 6.4; DESIGN rule 7). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "raft/message.h"

namespace raft {

/// The reads of one leader.
/// Invariants:
/// - a read belongs to a round that was opened after the read was taken in (CHECKed by order: only
///   open() moves waiting reads into a round, and only while no round is outstanding);
/// - at most one round is outstanding;
/// - a token is used for one round only; the owner's counter grows over all terms of an opening.
class ReadIndex {
 public:
  struct Round {
    RoundToken token;
    Index index;                     // commit index when the round was opened
    std::vector<std::uint64_t> ids;  // the reads that it answers
    std::set<MemberId> confirmed;    // peers that answered this token; changed by confirm, forget
  };

  void wait(const std::vector<std::uint64_t>& ids) {
    waiting_.insert(waiting_.end(), ids.begin(), ids.end());
  }
  bool should_open() const { return !round_ && !waiting_.empty(); }
  /// Moves every waiting read into a new round. Requires: should_open().
  void open(RoundToken token, Index index);
  /// The outstanding round, or null.
  const Round* round() const { return round_ ? &*round_ : nullptr; }
  void confirm(MemberId peer, const RoundToken& token) {
    if (round_ && round_->token == token) round_->confirmed.insert(peer);
  }
  /// A new opening of `peer`: what the earlier one confirmed no longer counts.
  void forget(MemberId peer) {
    if (round_) round_->confirmed.erase(peer);
  }
  /// Ends the outstanding round. Requires: round().
  Round close();
  /// Every read that is not answered yet, in order of arrival; none is left.
  std::vector<std::uint64_t> abandon();

 private:
  std::vector<std::uint64_t> waiting_;
  std::optional<Round> round_;
};

}  // namespace raft
