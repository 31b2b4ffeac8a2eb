// Whether this member's history goes on from what a client has seen (the "lineage"): a
// restored backup, a rolled-back disk or a cloned directory does not, and must not answer as if
// nothing had happened. Loop thread.
#include <string>
#include <utility>

#include "server/replica_impl.h"

namespace server {

using base::Code;

namespace {

std::string show(const Seen& seen) {
  return "entry " + std::to_string(seen.applied.value) + " of generation " +
         std::to_string(seen.generation);
}

}  // namespace

/// Why what is applied here contradicts it; empty: it does not, as far as is known. The chain hash
/// of an entry that was cut away cannot be compared.
std::string Replica::Impl::contradiction(const Seen& seen) const {
  const bool holds_nothing = !position_.applied;
  if (!seen.applied || holds_nothing) return "";
  if (seen.generation != position_.generation) {
    return "this member's history is of generation " + std::to_string(position_.generation) +
           ", and this client has seen " + show(seen);
  }
  if (seen.applied > position_.applied || knows(seen) != Known::kAnother) return "";
  return "here another entry stands at the place of " + show(seen) + ", which this client has seen";
}

/// Of an index that this member may have.
Replica::Impl::Known Replica::Impl::knows(const Seen& seen) const {
  if (seen.applied == position_.applied) {
    return seen.hash == position_.hash ? Known::kSame : Known::kAnother;
  }
  const auto meta = core_.meta_at(seen.applied);
  if (!meta) return Known::kNothing;
  return meta->hash == seen.hash ? Known::kSame : Known::kAnother;
}

bool Replica::Impl::goes_on_from(Request request, const Seen& seen, bool anywhere) {
  if (!seen.applied) return true;
  merge_time(seen.time);
  const std::string why = contradiction(seen);
  if (!why.empty()) {
    refuse(request, {Code::kOtherHistory, why});
    return false;
  }
  // A state that is only late says so by what it answers; a follower's reads ask the leader.
  const bool leads = core_.summary().role == raft::Role::kLeader;
  if (anywhere || !leads || seen.applied <= position_.applied) return true;
  if (knows(seen) == Known::kSame) return true;
  // The client knows more than this leader, who is deposed, or has lost what was acknowledged.
  Pending* pending = take_in(request, Kind::kDoubt, 0);
  if (pending != nullptr) {
    pending->seen = seen;
    queued_reads_.push_back(request);
  }
  return false;
}

/// Everything that was ever acknowledged is at or below a read index that was confirmed.
bool Replica::Impl::lacks(const Seen& seen, base::Index read_index) const {
  return seen.applied && seen.generation == position_.generation && seen.applied > read_index;
}

/// Of a request that was held back by goes_on_from(), now that this leader is known to lead.
void Replica::Impl::end_doubt(Request request, base::Index read_index) {
  const Seen seen = pending_.at(request).seen;
  if (lacks(seen, read_index) || knows(seen) == Known::kAnother) {
    return fail(request, Code::kOtherHistory, lacking(seen, read_index), self_);
  }
  fail(request, Code::kUnavailable, "it was about to become known: try again", self_);
}

std::string Replica::Impl::lacking(const Seen& seen, base::Index read_index) const {
  return "all that this cluster has acknowledged ends at entry " +
         std::to_string(read_index.value) + ", and this client has seen " + show(seen);
}

}  // namespace server
