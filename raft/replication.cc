// What leader and follower alike do to log, configuration and commit index. Pure.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "raft/impl.h"

namespace raft {

void Core::Impl::append_entry(EntryPtr entry) {
  log_.append(entry);
  if (entry->kind == EntryKind::kConfiguration) {
    std::optional<Configuration> decoded = decode_configuration(entry->payload);
    CHECK(decoded.has_value(), "checked on receipt");
    configurations_.push_back({entry->index, std::move(*decoded)});
    configuration_changed();
  }
  persistence_.append(std::move(entry));
}

/// A configuration is in force from its append and gone with its entry (DESIGN section 6, rule 10).
void Core::Impl::truncate(Index from) {
  CHECK(from > commit_, "committed entries are never truncated");
  trace(TraceKind::kTruncated, from);
  log_.truncate(from);
  persistence_.truncate(from);
  while (configurations_.back().index >= from && configurations_.size() > 1) {
    configurations_.pop_back();
  }
  configuration_changed();
}

void Core::Impl::commit_to(Index index) {
  if (index <= commit_) return;
  CHECK(index <= log_.last(), "what is committed is in the log");
  Leader* lead = leader();
  for (Index i = commit_.next(); i <= index; i = i.next()) {
    if (log_complete_) unapplied_bytes_ += log_.size_at(i);
    if (lead != nullptr) lead->uncommitted_bytes -= log_.size_at(i);
  }
  commit_ = index;
  while (lead != nullptr && !lead->proposals.empty() && lead->proposals.front().index <= commit_) {
    lead->proposals.pop_front();
  }
  trace(TraceKind::kCommitted, commit_);
}

Index Core::Impl::own_match() const {
  return quarantined_ ? Index() : persistence_.durable_index();
}

bool Core::Impl::peer_counts(MemberId peer) const {
  const auto found = peers_.find(peer);
  return found != peers_.end() && found->second.counts();
}

/// What every voter has durable, as far as is known: a voter of which nothing is known has nothing.
Index Core::Impl::cut_floor() const {
  Index floor = std::min(commit_, persistence_.durable_index());
  const Leader* lead = leader();
  if (lead == nullptr) return std::min(floor, told_cut_floor_);
  for (const auto& [id, progress] : lead->progress) {
    floor = std::min(floor, peers_.at(id).refused ? Index() : progress.match());
  }
  return floor;
}

/// Above it the log must not be cut, whoever lacks what: what is not durably committed, what
/// follows a snapshot that is on its way, and what its receiver has not taken in since.
Index Core::Impl::cut_limit() const {
  Index limit = std::min(commit_, persistence_.durable_index());
  const Leader* lead = leader();
  if (lead == nullptr) return limit;
  for (const auto& [id, transfer] : lead->transfers) {
    limit = std::min(limit, transfer.index ? transfer.index : transfer.floor);
  }
  for (const auto& [id, ticks] : lead->catching_up) {
    const auto found = lead->progress.find(id);
    if (found != lead->progress.end()) limit = std::min(limit, found->second.match());
  }
  return limit;
}

ProgressReport Core::Impl::report() const {
  ProgressReport report;
  report.last = log_.last();
  report.durable = persistence_.durable_index();
  report.commit = commit_;
  report.applied = applied_;
  report.log_pending_ticks = stall_.log.ticks();
  report.apply_pending_ticks = stall_.apply.ticks();
  report.stalled = stalled_;
  report.quarantined = quarantined_;
  report.needs_snapshot = !log_complete_;
  report.slow = stall_.slow || !stall_.barred.empty();
  return report;
}

}  // namespace raft
