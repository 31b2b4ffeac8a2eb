// The leader's side of replication (Raft paper sections 5.3 and 5.4.2) and its heartbeats. Pure.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/impl.h"

namespace raft {

void Core::Impl::tick_leader() {
  Leader& lead = *leader();
  const std::uint32_t watchdog_ticks = std::max(options_.election_ticks / 2, 1u);
  for (const MemberId id : configuration().ids()) {
    if (id == options_.self) continue;
    Progress& progress = lead.progress.at(id);
    const bool was_pipelined = progress.state() == Progress::State::kReplicate;
    const bool behind = progress.match() < log_.last();
    const bool busy = peers_.at(id).progress.log_pending_ticks >= watchdog_ticks &&
                      peers_.at(id).silent_ticks < watchdog_ticks;
    if (progress.tick(behind, busy, watchdog_ticks) && was_pipelined) {
      trace(TraceKind::kPeerProbing, progress.next(), id, "no answer");
    }
    replicate(id);
  }
  if (!has_quorum()) {
    // Its votes are small and its log is likely the longest: it would win again, and fail again.
    stands_back_ = true;
    become_follower(term(), MemberId(),
                    "no quorum for " + milliseconds(options_.check_quorum_ticks));
    return;
  }
  tick_snapshots();
  tick_membership();
  if (++lead.heartbeat_ticks >= options_.heartbeat_ticks) send_heartbeats();
  if (lead.leaving) {
    ++lead.leaving_ticks;
    leave_when_caught_up();
  }
}

/// Check-quorum: a voter stands behind this leader if it lately supported it, and if it takes in
/// entries where there are any. The latter finds links that carry small messages only.
bool Core::Impl::has_quorum() const {
  return configuration().decides([&](const Member& voter) {
    if (voter.id == options_.self) return is_voter() && !quarantined_;
    const Progress& progress = leader()->progress.at(voter.id);
    const bool supports = progress.supported_ticks() < options_.check_quorum_ticks;
    const bool takes_entries = progress.stuck_ticks() < 2 * options_.check_quorum_ticks;
    return peer_counts(voter.id) && supports && takes_entries;
  });
}

void Core::Impl::send_heartbeats() {
  Leader& lead = *leader();
  lead.heartbeat_ticks = 0;
  const ReadIndex::Round* round = lead.reads.round();
  const RoundToken token =
      round != nullptr ? round->token : RoundToken{term(), options_.opening.epoch, round_counter_};
  for (const auto& [id, progress] : lead.progress) {
    const Index commit = std::min(commit_, progress.match());
    Outgoing& out = send(id, Heartbeat{commit, token, cut_floor(), report()});
    out.message.to_opening = peers_.at(id).opening;
  }
}

void Core::Impl::on_message(const Message& message, const HeartbeatReply& body) {
  Leader* lead = leader();
  if (lead == nullptr || !body.supports) return;
  lead->progress.at(message.from).supported();
  if (body.progress.needs_snapshot) offer_snapshot(message.from, body.progress.applied);
  replicate(message.from);
  if (!peer_counts(message.from)) return;
  lead->reads.confirm(message.from, body.round);
  close_round();
  open_round();
}

// ---- AppendEntries ----

void Core::Impl::replicate_all() {
  for (const auto& [id, peer] : peers_) replicate(id);
}

/// Sends what the follower's window takes. Nothing to one that has just left the configuration.
void Core::Impl::replicate(MemberId peer) {
  const auto found = leader()->progress.find(peer);
  if (found == leader()->progress.end()) return;
  Progress& progress = found->second;
  while (progress.may_send(options_.window_messages, options_.window_bytes)) {
    const bool nothing_left = progress.next() > log_.last();
    if (progress.state() == Progress::State::kReplicate && nothing_left) return;
    if (!send_append(peer, progress)) return;
  }
}

/// Returns false if the entries must be loaded first, or are gone.
bool Core::Impl::send_append(MemberId peer, Progress& progress) {
  const Index from = progress.next();
  if (from < log_.first()) {
    progress.await_snapshot();
    begin_snapshot(peer);
    return false;
  }
  const bool in_memory = from >= log_.cached_from() && from <= log_.last();
  if (progress.state() == Progress::State::kProbe) {
    // A question to a silent peer, or one below the payloads in memory, goes without entries.
    const bool filled = in_memory && !peer_is_silent(peer);
    send_entries(peer, progress, from,
                 filled ? log_.slice(from, options_.append_bytes) : std::vector<EntryPtr>());
    return true;
  }
  if (in_memory) {
    send_entries(peer, progress, from, log_.slice(from, options_.append_bytes));
    return true;
  }
  if (progress.may_load()) {
    progress.load_asked(options_.stall_ticks);
    output_.loads.push_back({peer, from, log_.cached_from().previous(), options_.append_bytes});
  }
  return false;
}

void Core::Impl::send_entries(MemberId peer, Progress& progress, Index from,
                              std::vector<EntryPtr> entries) {
  std::size_t bytes = 0;
  for (const EntryPtr& entry : entries) bytes += entry->size_bytes();
  AppendEntries body;
  body.previous_index = from.previous();
  body.previous_term = log_.term_at(body.previous_index);
  body.previous_hash = log_.hash_at(body.previous_index);
  body.commit = commit_;
  body.cut_floor = cut_floor();
  progress.sent(body.previous_index + entries.size(), bytes);
  body.entries = std::move(entries);
  send(peer, std::move(body));
}

void Core::Impl::on_message(const Message& message, const AppendEntriesReply& body) {
  Leader* lead = leader();
  if (lead == nullptr) return;
  Progress& progress = lead->progress.at(message.from);
  if (!body.clock) {
    lead->clock_refused.erase(message.from);
  } else if (clock_is_refused(message.from)) {
    return;
  }
  if (body.success) {
    if (body.match > log_.last()) return;  // no honest follower says so
    if (progress.acknowledged(body.match)) {
      trace(TraceKind::kPeerReplicating, progress.next(), message.from);
    }
    advance_commit();
  } else {
    const bool was_pipelined = progress.state() == Progress::State::kReplicate;
    // Where its log ends is known; what it has below the own log's beginning is not to be asked.
    const Index lowest = log_.first().previous();
    const Index hint = body.match > lowest ? std::max(body.hint, lowest) : body.hint;
    const bool current = progress.rejected(body.match, hint, body.diverged || body.clock);
    if (body.diverged && current) {
      trace(TraceKind::kDiverged, body.match, message.from,
            "the follower's entry has another hash");
    } else if (current && was_pipelined) {
      trace(TraceKind::kPeerProbing, progress.next(), message.from, "rejected");
    }
  }
  replicate(message.from);
  leave_when_caught_up();
}

/// Whether so many refuse the own stamps that nothing can be committed: then leadership is gone.
bool Core::Impl::clock_is_refused(MemberId by) {
  Leader& lead = *leader();
  if (lead.clock_refused.insert(by).second) {
    trace(TraceKind::kClockRefused, Index(), by, "it refuses the own stamps");
  }
  const bool enough = configuration().decides(
      [&](const Member& voter) { return !lead.clock_refused.contains(voter.id); });
  if (enough) return false;
  // As without a quorum: its log is likely the longest.
  stands_back_ = true;
  become_follower(term(), MemberId(), "a majority refuses its clock");
  return true;
}

bool Core::Impl::peer_is_silent(MemberId peer) const {
  const Peer& each = peers_.at(peer);
  return each.opening.epoch != 0 && each.silent_ticks > options_.election_ticks;
}

// ---- Own entries and the commit index ----

void Core::Impl::append_own(EntryKind kind, HybridTime at_least, std::string payload) {
  auto entry = std::make_shared<Entry>();
  entry->term = term();
  entry->index = log_.last().next();
  entry->kind = kind;
  entry->time = std::max(at_least, HybridTime(log_.last_time().value + 1));
  entry->payload = std::move(payload);
  entry->hash = chain_hash(log_.last_hash(), *entry);
  leader()->uncommitted_bytes += entry->size_bytes();
  append_entry(std::move(entry));
}

/// Counts the own disk like any other, and only entries of the own term (section 5.4.2).
void Core::Impl::advance_commit() {
  const Index index = configuration().decided([&](const Member& voter) {
    if (voter.id == options_.self) return own_match();
    return peer_counts(voter.id) ? leader()->progress.at(voter.id).match() : Index();
  });
  if (index <= commit_ || log_.term_at(index) != term()) return;
  commit_to(index);
  settle_membership();
  open_round();
}

}  // namespace raft
