// Linearizable reads without log entries (thesis section 6.4; DESIGN section 6, rule 7). Pure.
#include "base/check.h"
#include "raft/impl.h"

namespace raft {

/// Until an entry of its own term is committed, a leader does not know what is.
bool Core::Impl::can_read() const {
  return leader() != nullptr && commit_ >= leader()->first_index;
}

/// Takes every waiting read into a new round whose first heartbeats leave now.
void Core::Impl::open_round() {
  Leader& lead = *leader();
  if (!can_read() || !lead.reads.should_open()) return;
  lead.reads.open(RoundToken{term(), options_.opening.epoch, ++round_counter_}, commit_);
  send_heartbeats();
  close_round();  // at once where this member alone is a quorum
}

void Core::Impl::close_round() {
  Leader& lead = *leader();
  const ReadIndex::Round* round = lead.reads.round();
  if (round == nullptr) return;
  std::size_t confirmed = quarantined_ ? 0 : 1;
  for (const MemberId peer : round->confirmed) confirmed += peer_counts(peer) ? 1 : 0;
  if (confirmed < configuration().quorum()) return;
  const ReadIndex::Round closed = lead.reads.close();
  for (const std::uint64_t id : closed.ids) {
    output_.reads.push_back({id, base::Code::kOk, closed.index});
  }
}

}  // namespace raft
