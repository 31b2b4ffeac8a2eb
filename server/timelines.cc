#include "server/timelines.h"

#include <algorithm>

namespace server {

/// An index that falls is a log that was cut back, or a new leadership: what was above it is void.
void Timelines::Mark::note(std::uint64_t now_us, base::Index index) {
  while (!steps_.empty() && steps_.back().first > index) steps_.pop_back();
  const base::Index known = steps_.empty() ? forgotten_ : steps_.back().first;
  if (index < forgotten_) forgotten_ = index;
  if (index <= known) return;
  // What it had reached before the first look, or before it was forgotten, has no time.
  if (steps_.empty() && !forgotten_) {
    forgotten_ = index;
    return;
  }
  steps_.emplace_back(index, now_us);
  if (steps_.size() <= kKept) return;
  forgotten_ = steps_.front().first;
  steps_.pop_front();
}

std::optional<std::uint64_t> Timelines::Mark::reached_us(base::Index index) const {
  if (index <= forgotten_) return std::nullopt;
  const auto at = std::lower_bound(steps_.begin(), steps_.end(), index,
                                   [](const auto& step, base::Index i) { return step.first < i; });
  if (at == steps_.end()) return std::nullopt;
  return at->second;
}

void Timelines::note(std::uint64_t now_us, const raft::CoreSummary& core, const Matches& matches) {
  std::lock_guard lock(mutex_);
  appended_.note(now_us, core.last);
  durable_.note(now_us, core.durable);
  committed_.note(now_us, core.commit);
  applied_.note(now_us, core.applied);
  if (matches.empty()) return acknowledged_.clear();
  for (const auto& [peer, match] : matches) acknowledged_[peer].note(now_us, match);
}

Timelines::Reached Timelines::reached(base::Index index) const {
  std::lock_guard lock(mutex_);
  Reached reached;
  reached.appended_us = appended_.reached_us(index);
  reached.durable_us = durable_.reached_us(index);
  reached.committed_us = committed_.reached_us(index);
  reached.applied_us = applied_.reached_us(index);
  for (const auto& [peer, mark] : acknowledged_) {
    if (const auto at_us = mark.reached_us(index))
      reached.acknowledged_us.emplace_back(peer, *at_us);
  }
  return reached;
}

}  // namespace server
