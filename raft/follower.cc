// The follower's side of replication (Raft paper section 5.3), and its judgement of the leader
// (DESIGN promise 5; section 6, rule 6). Pure.
#include <algorithm>

#include "raft/impl.h"
#include "raft/names.h"

namespace raft {

/// Recognises the sender as the leader of this term. Returns false if there cannot be one.
bool Core::Impl::adopt_leader(const Message& message) {
  if (leader() != nullptr) {
    trace(TraceKind::kDiverged, Index(), message.from, "two leaders in one term");
    return false;
  }
  const auto* pre = std::get_if<PreCandidate>(&role_);
  if (pre != nullptr && pre->forsaken == message.from) return true;
  no_member_to_.clear();
  gave_way_ticks_.clear();
  if (follower() == nullptr || follower()->leader != message.from) {
    become_follower(term(), message.from, "");
  }
  return true;
}

void Core::Impl::on_message(const Message& message, const Heartbeat& body) {
  const bool lacking = options_.withdraw_support && lacks_progress(body.progress);
  if (auto* pre = std::get_if<PreCandidate>(&role_); pre != nullptr && !lacking) {
    pre->forsaken = MemberId();
  }
  if (!adopt_leader(message)) return;
  if (Follower* self = follower()) {
    if (lacking && !self->withdrawn) {
      trace(TraceKind::kSupportWithdrawn, Index(), message.from,
            body.progress.stalled ? "it says that it is stalled" : "its work does not complete");
    }
    self->withdrawn = lacking;
    if (!lacking) {
      self->silent_ticks = 0;
      reset_election_timer();
    }
  }
  told_cut_floor_ = body.cut_floor;
  note_repair_target(message, body);
  // The commit index is bounded by what an opening of this member is known to match: this one?
  if (message.to_opening == options_.opening) commit_to(std::min(body.commit, log_.last()));
  reply(message, HeartbeatReply{body.round, !lacking, report()});
}

bool Core::Impl::lacks_progress(const ProgressReport& report) const {
  const std::uint32_t limit = options_.stall_ticks + options_.heartbeat_ticks;
  return report.stalled || report.log_pending_ticks > limit || report.apply_pending_ticks > limit;
}

void Core::Impl::on_message(const Message& message, const AppendEntries& body) {
  if (!adopt_leader(message)) return;
  if (Follower* self = follower(); self != nullptr && !self->withdrawn) {
    self->silent_ticks = 0;
    reset_election_timer();
  }
  told_cut_floor_ = body.cut_floor;
  // Only committed entries count, since those drain without any more messages.
  if (unapplied_bytes_ > options_.unapplied_bytes) return;
  if (!sound(message.term, body)) {
    trace(TraceKind::kDiverged, body.previous_index, message.from, "entries that break the chain");
    return;
  }
  if (!agrees(message, body) || refuses_stamps(message, body)) return;
  if (!take_entries(message, body)) return;
  const Index match = body.previous_index + body.entries.size();
  commit_to(std::min(body.commit, match));
  note_match(match);
  AppendEntriesReply answer;
  answer.success = true;
  answer.match = match;
  answer.progress = report();
  reply(message, std::move(answer), false, match);
}

/// Whether the entries follow from one another and could come from a leader of this term or before.
bool Core::Impl::sound(Term latest, const AppendEntries& body) const {
  Index expected = body.previous_index.next();
  Term term_before = body.previous_term;
  ChainHash hash_before = body.previous_hash;
  for (const EntryPtr& entry : body.entries) {
    if (entry == nullptr || entry->index != expected || entry->term < term_before ||
        entry->term > latest || chain_hash(hash_before, *entry) != entry->hash) {
      return false;
    }
    if (entry->kind == EntryKind::kConfiguration && !decode_configuration(entry->payload)) {
      return false;
    }
    expected = expected.next();
    term_before = entry->term;
    hash_before = entry->hash;
  }
  return true;
}

/// The consistency check, with the hash beside the term. Answers where the logs do not agree.
bool Core::Impl::agrees(const Message& message, const AppendEntries& body) {
  const Index previous = body.previous_index;
  if (previous > log_.last()) {
    reject(message, previous, log_.last(), false);
    return false;
  }
  if (!log_.knows(previous)) return true;  // cut away: committed, and so the same everywhere
  if (log_.term_at(previous) == body.previous_term) {
    if (log_.hash_at(previous) == body.previous_hash) return true;
    diverged(message, previous, "equal term and unequal hash");
    return false;
  }
  if (previous <= commit_) {
    diverged(message, previous, "a committed entry has another term");
    return false;
  }
  // The whole term may be wrong; what is committed cannot be.
  const Index hint = std::max(commit_, log_.first_of_term_at(previous).previous());
  reject(message, previous, hint, false);
  return false;
}

/// Rule 8: members refuse a leader's clock, never a committed entry, nor one of an earlier term
/// that another leader took over. A stamp that is only the one before plus one claims nothing.
/// Answers where it refuses.
bool Core::Impl::refuses_stamps(const Message& message, const AppendEntries& body) {
  HybridTime before = log_.last_time();
  for (const EntryPtr& entry : body.entries) {
    const bool claims = entry->time.value > before.value + 1;
    before = std::max(before, entry->time);
    if (!claims || entry->time <= newest_stamp_) continue;
    if (entry->index <= body.commit || entry->term != message.term) continue;
    trace(TraceKind::kClockRefused, entry->index, message.from,
          "its stamp is " +
              std::to_string(entry->time.milliseconds() - newest_stamp_.milliseconds()) +
              " ms later than the members' clocks allow");
    AppendEntriesReply answer;
    answer.match = answer.hint = body.previous_index;
    answer.clock = true;
    answer.progress = report();
    reply(message, std::move(answer));
    return true;
  }
  return false;
}

/// Removes what conflicts and appends what is new. Returns false, having answered, on divergence.
bool Core::Impl::take_entries(const Message& message, const AppendEntries& body) {
  for (const EntryPtr& entry : body.entries) {
    if (entry->index <= log_.last()) {
      if (!log_.knows(entry->index)) continue;
      if (log_.term_at(entry->index) == entry->term) {
        if (log_.hash_at(entry->index) == entry->hash) continue;
        diverged(message, entry->index, "equal term and unequal hash");
        return false;
      }
      if (entry->index <= commit_) {
        diverged(message, entry->index, "a committed entry has another term");
        return false;
      }
      truncate(entry->index);
    }
    append_entry(entry);
  }
  return true;
}

void Core::Impl::reject(const Message& message, Index previous, Index hint, bool has_diverged) {
  AppendEntriesReply answer;
  answer.match = previous;
  answer.hint = hint;
  answer.diverged = has_diverged;
  answer.progress = report();
  reply(message, std::move(answer));
}

void Core::Impl::diverged(const Message& message, Index index, const std::string& why) {
  trace(TraceKind::kDiverged, index, message.from, why);
  reject(message, index, commit_, true);
}

}  // namespace raft
