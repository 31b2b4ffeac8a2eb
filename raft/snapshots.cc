// Snapshots on both sides (Raft paper section 7; DESIGN section 5.16): a leader sends one to a
// follower that lacks what was cut from the log, or whose log begins above its state. Chunks pass
// through; what is in them is not this folder's affair. Pure.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/impl.h"
#include "raft/names.h"

namespace raft {
namespace {

/// A chunk without an answer is sent again after T; a transfer without one is given up after 20 T.
constexpr std::uint32_t kPatienceTimeouts = 20;
/// So long at most does the log wait for who has installed one, and for who takes in nothing.
constexpr std::uint32_t kCatchUpTimeouts = 100, kStuckTimeouts = 4;

}  // namespace

// ---- The leader's side ----

void Core::Impl::begin_snapshot(MemberId peer) {
  Leader& lead = *leader();
  const auto [at, added] = lead.transfers.try_emplace(peer);
  if (!added) return;
  at->second.id = ++transfer_counter_;
  at->second.reading = true;
  at->second.floor = applied_;
  output_.snapshot_reads.push_back({peer, Index(), 0});
}

/// To a follower whose log begins above its state, which has applied this much. One snapshot may
/// not reach up to its log: the own state lagged when it was opened.
void Core::Impl::offer_snapshot(MemberId peer, Index applied) {
  const auto found = leader()->transfers.find(peer);
  if (found != leader()->transfers.end() && found->second.index && applied >= found->second.index) {
    end_snapshot(peer, "it needs a later one");
  }
  if (applied_ > applied) begin_snapshot(peer);
}

void Core::Impl::end_snapshot(MemberId peer, const std::string& why) {
  Leader& lead = *leader();
  const auto found = lead.transfers.find(peer);
  if (found == lead.transfers.end()) return;
  trace(TraceKind::kSnapshotDropped, found->second.index, peer, why);
  lead.transfers.erase(found);
  output_.snapshot_drops.push_back(peer);
  Progress& progress = lead.progress.at(peer);
  if (progress.state() == Progress::State::kSnapshot) progress.probe_from(log_.last().next());
}

void Core::Impl::read_chunk(MemberId peer, SnapshotTransfer& transfer) {
  transfer.reading = true;
  output_.snapshot_reads.push_back({peer, transfer.index, transfer.chunk});
}

void Core::Impl::on(const SnapshotRead& read) {
  Leader* lead = leader();
  if (failed_ || lead == nullptr) return;
  const auto found = lead->transfers.find(read.peer);
  if (found == lead->transfers.end() || !found->second.reading) return;
  SnapshotTransfer& transfer = found->second;
  const bool asked =
      read.chunk == transfer.chunk && (!transfer.index || transfer.index == read.snapshot.index);
  if (read.data != nullptr && !asked) return;
  transfer.reading = false;
  if (read.data == nullptr) return end_snapshot(read.peer, "it cannot be read");
  if (!transfer.index) {
    transfer.index = read.snapshot.index;
    trace(TraceKind::kSnapshotSending, transfer.index, read.peer);
  }
  transfer.unanswered_ticks = 0;
  transfer.sent_chunks = std::max(transfer.sent_chunks, read.chunk + 1);
  if (read.done) transfer.all_chunks = read.chunk + 1;
  send(read.peer, InstallSnapshot{transfer.id, read.snapshot, read.chunk, read.data, read.done});
}

void Core::Impl::on_message(const Message& message, const InstallSnapshotReply& body) {
  Leader* lead = leader();
  if (lead == nullptr) return;
  const auto found = lead->transfers.find(message.from);
  if (found == lead->transfers.end() || found->second.id != body.transfer) return;
  if (!body.index || body.index != found->second.index) return;  // no honest follower says so
  SnapshotTransfer& transfer = found->second;
  transfer.silent_ticks = 0;
  if (body.installed) {
    Progress& progress = lead->progress.at(message.from);
    trace(TraceKind::kSnapshotSent, transfer.index, message.from);
    lead->transfers.erase(found);
    lead->catching_up[message.from] = kCatchUpTimeouts * options_.election_ticks;
    output_.snapshot_drops.push_back(message.from);
    if (progress.acknowledged(body.index)) {
      trace(TraceKind::kPeerReplicating, progress.next(), message.from);
    }
    advance_commit();
    if (leader() != nullptr) replicate(message.from);
    return;
  }
  // What it waits for is on its way, or it has everything and must only install it; what is lost is
  // sent again by the clock.
  const bool all = transfer.all_chunks != 0 && body.next_chunk == transfer.all_chunks;
  if (transfer.reading || body.next_chunk == transfer.chunk || all) return;
  // Back as well as forth: it may have begun anew, and an older answer may come late.
  if (body.next_chunk > transfer.sent_chunks) return;  // no honest follower says so
  transfer.chunk = body.next_chunk;
  read_chunk(message.from, transfer);
}

void Core::Impl::tick_snapshots() {
  Leader& lead = *leader();
  std::vector<MemberId> ended;
  for (auto& [id, transfer] : lead.transfers) {
    if (++transfer.silent_ticks >= kPatienceTimeouts * options_.election_ticks) {
      ended.push_back(id);
      continue;
    }
    // Installing takes its time, and the last chunk is no small question.
    const bool last = transfer.chunk + 1 == transfer.all_chunks;
    const std::uint32_t patience = options_.election_ticks * (last ? 4 : 1);
    if (!transfer.reading && ++transfer.unanswered_ticks >= patience) {
      transfer.unanswered_ticks = 0;
      if (!peer_is_silent(id)) read_chunk(id, transfer);
    }
  }
  for (const MemberId id : ended) {
    end_snapshot(id, "no answer for " + milliseconds(kPatienceTimeouts * options_.election_ticks));
  }
  for (auto at = lead.catching_up.begin(); at != lead.catching_up.end();) {
    const bool goes_on = is_catching_up(at->first) && --at->second > 0;
    at = goes_on ? std::next(at) : lead.catching_up.erase(at);
  }
}

bool Core::Impl::is_catching_up(MemberId id) const {
  const auto found = leader()->progress.find(id);
  return found != leader()->progress.end() && found->second.match() < commit_ &&
         found->second.stuck_ticks() < kStuckTimeouts * options_.election_ticks;
}

// ---- The follower's side ----

void Core::Impl::on_message(const Message& message, const InstallSnapshot& body) {
  if (!adopt_leader(message)) return;
  if (Follower* self = follower(); self != nullptr && !self->withdrawn) {
    self->silent_ticks = 0;
    reset_election_timer();
  }
  const SnapshotMeta& meta = body.snapshot;
  const bool known = log_complete_ && meta.index >= log_.first() && log_.knows(meta.index);
  if (!meta.index || meta.term > message.term || !decode_configuration(meta.configuration) ||
      (known && meta.index <= commit_ && log_.hash_at(meta.index) != meta.hash)) {
    trace(TraceKind::kDiverged, meta.index, message.from, "a snapshot that cannot be");
    return;
  }
  // What it holds is here already (section 7: the entries that follow it are kept).
  if (known && log_.hash_at(meta.index) == meta.hash) commit_to(meta.index);
  if (log_complete_ && meta.index <= commit_) return answer_installed(message, body);
  take_chunk(message, body);
}

/// Everything that it holds is in the own log or below it: an acknowledgement like any other.
void Core::Impl::answer_installed(const Message& message, const InstallSnapshot& body) {
  const Index index = body.snapshot.index;
  note_match(index);
  reply(message, InstallSnapshotReply{body.transfer, index, 0, true, report()}, false, index);
}

void Core::Impl::take_chunk(const Message& message, const InstallSnapshot& body) {
  const bool same = incoming_ && incoming_->from == message.from &&
                    incoming_->opening == message.opening && incoming_->transfer == body.transfer &&
                    incoming_->meta == body.snapshot;
  if (!same) {
    // The state is about to be replaced: nothing else may begin before that has ended.
    if (incoming_ && incoming_->installing) return;
    if (incoming_) trace(TraceKind::kSnapshotDropped, incoming_->meta.index, incoming_->from);
    incoming_ =
        IncomingSnapshot{message.from, message.opening, body.transfer, message.term, body.snapshot};
    trace(TraceKind::kSnapshotReceiving, body.snapshot.index, message.from);
  }
  if (incoming_->storing) return;
  if (incoming_->complete || body.chunk != incoming_->next_chunk) return answer_incoming();
  incoming_->storing = true;
  incoming_->last = body.done;
  incoming_->id = ++store_counter_;
  output_.snapshot_stores.push_back(
      {incoming_->id, body.snapshot, body.chunk, body.data, body.done});
}

/// Tells the sender what is waited for.
void Core::Impl::answer_incoming() {
  const InstallSnapshotReply answer{incoming_->transfer, incoming_->meta.index,
                                    incoming_->next_chunk, false, report()};
  send(incoming_->from, answer).message.to_opening = incoming_->opening;
}

void Core::Impl::on(const SnapshotStored& stored) {
  if (failed_ || !incoming_ || !incoming_->storing || incoming_->id != stored.id) return;
  incoming_->storing = false;
  if (!stored.ok) {
    // Its sender begins anew once it gives up, and another leader at once.
    trace(TraceKind::kSnapshotDropped, incoming_->meta.index, incoming_->from,
          "it cannot be stored");
    incoming_.reset();
    return;
  }
  ++incoming_->next_chunk;
  incoming_->complete = incoming_->last;
  answer_incoming();
}

/// Nothing, snapshots included, is applied in a term that is not durable (DESIGN section 5.15).
void Core::Impl::hand_to_install() {
  if (!incoming_ || !incoming_->complete || incoming_->installing) return;
  if (!persistence_.hard_state_durable()) return;
  if (incoming_->meta.index <= apply_asked_) {
    trace(TraceKind::kSnapshotDropped, incoming_->meta.index, incoming_->from,
          "the state is further along");
    incoming_.reset();
    return;
  }
  incoming_->installing = true;
  output_.install_snapshot = incoming_->meta;
}

void Core::Impl::on(const SnapshotInstalled& installed) {
  CHECK(incoming_ && incoming_->installing && incoming_->meta == installed.snapshot,
        "a snapshot was installed that nobody asked for");
  if (failed_) return;
  const IncomingSnapshot incoming = *std::exchange(incoming_, std::nullopt);
  const SnapshotMeta& meta = incoming.meta;
  CHECK(applied_ == apply_asked_ && meta.index > applied_, "apply serves in order");
  const bool kept = meta.index.next() >= log_.first() && meta.index <= log_.last() &&
                    log_.hash_at(meta.index) == meta.hash;
  if (!kept && meta.index.next() >= log_.first()) restart_log(meta);
  applied_ = apply_asked_ = meta.index;
  commit_ = std::max(commit_, meta.index);
  log_complete_ = applied_.next() >= log_.first();
  recount_unapplied();
  std::erase_if(configurations_, [&](const auto& each) { return each.index <= meta.index; });
  configurations_.insert(configurations_.begin(),
                         {meta.index, decode_configuration(meta.configuration).value()});
  configuration_changed();
  trace(TraceKind::kSnapshotInstalled, meta.index, incoming.from);
  if (!log_complete_) return;
  if (term() == incoming.term) note_match(meta.index);
  // Only to who sent it, and only if it still leads.
  if (term() != incoming.term || known_leader() != incoming.from) return;
  Outgoing& out =
      send(incoming.from, InstallSnapshotReply{incoming.transfer, meta.index, 0, true, report()});
  out.message.to_opening = incoming.opening;
  out.on_index = meta.index;
}

/// What the log holds is not what was committed, or ends below it (section 7: it is discarded).
void Core::Impl::restart_log(const SnapshotMeta& meta) {
  CHECK(leader() == nullptr && commit_ <= meta.index, "nothing committed is discarded");
  trace(TraceKind::kTruncated, log_.first(), MemberId(), "a snapshot takes the log's place");
  log_.restart(meta.index, meta.term, meta.hash, meta.time);
  persistence_.restart({meta.index, meta.term, meta.hash});
  while (configurations_.size() > 1) configurations_.pop_back();
}

void Core::Impl::recount_unapplied() {
  unapplied_bytes_ = applying_bytes_ = 0;
  if (!log_complete_) return;
  for (Index i = applied_.next(); i <= commit_; i = i.next()) unapplied_bytes_ += log_.size_at(i);
}

}  // namespace raft
