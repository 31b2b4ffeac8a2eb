#include "storage/append_plan.h"

#include <algorithm>

#include "base/check.h"

namespace storage {
namespace {

/// Removes from `plan` and the log what the request truncates.
void truncate(AppendPlan& plan, base::Index from) {
  while (!plan.entries.empty() && plan.entries.back()->index >= from) plan.entries.pop_back();
  if (!plan.restart) plan.truncate_from = std::min(plan.truncate_from.value_or(from), from);
}

}  // namespace

base::Result<AppendPlan> plan_append(std::span<const raft::PersistRequest> requests,
                                     const LogTail& tail, base::Ordinal written,
                                     base::Term fence_term) {
  AppendPlan plan;
  base::Index last = tail.last();
  plan.after.ordinal = written;
  for (const raft::PersistRequest& request : requests) {
    if (request.term < fence_term) {
      return base::Status(base::Code::kInternal,
                          "a log write was queued in term " + std::to_string(request.term.value) +
                              ", but term " + std::to_string(fence_term.value) +
                              " is durable already: another leader's time has begun");
    }
    CHECK(request.ordinal > plan.after.ordinal, "ordinals grow");
    plan.after.ordinal = request.ordinal;
    if (request.hard_state) {
      plan.hard_state = request.hard_state;
      fence_term = std::max(fence_term, request.hard_state->term);
    }
    plan.end_quarantine |= request.end_quarantine;
    if (request.restart) {
      plan.entries.clear();
      plan.truncate_from.reset();
      plan.restart = Marker{request.restart->index, request.restart->term, request.restart->hash};
      last = request.restart->index;
    }
    if (request.truncate_from && *request.truncate_from <= last) {
      const base::Index first = plan.restart ? plan.restart->index.next() : tail.first();
      CHECK(*request.truncate_from >= first, "what was cut away cannot be truncated");
      truncate(plan, *request.truncate_from);
      last = request.truncate_from->previous();
    }
    for (const raft::EntryPtr& entry : request.entries) {
      CHECK(entry->index == last.next(), "entries are contiguous");
      plan.entries.push_back(entry);
      last = entry->index;
    }
  }
  plan.after.last = last;
  if (!plan.entries.empty()) {
    plan.after.term = plan.entries.back()->term;
  } else {
    plan.after.term = plan.restart ? plan.restart->term : tail.term_at(last);
  }
  return plan;
}

std::vector<RowChange> AppendPlan::changes(base::Index last) const {
  std::vector<RowChange> changes;
  if (hard_state) {
    changes.push_back({std::string(kHardStateKey), encode_row(*hard_state), {}});
  }
  if (restart) {
    changes.push_back(
        {entry_key(base::Index()), std::nullopt, entry_key(base::Index(~std::uint64_t{0}))});
    changes.push_back({std::string(kMarkerKey), encode_row(*restart), {}});
  } else if (truncate_from && *truncate_from <= last) {
    changes.push_back({entry_key(*truncate_from), std::nullopt, entry_key(last.next())});
  }
  for (const raft::EntryPtr& entry : entries) {
    changes.push_back({entry_key(entry->index), encode_row(*entry, after.ordinal), {}});
  }
  if (entries.empty()) {
    changes.push_back({std::string(kOrdinalKey), encode_row(after.ordinal), {}});
  }
  return changes;
}

void AppendPlan::make_room(LogTail& tail) const {
  if (restart) {
    tail = LogTail(*restart, {});
  } else if (truncate_from) {
    tail.truncate(*truncate_from);
  }
}

void AppendPlan::apply(LogTail& tail) const {
  make_room(tail);
  for (const raft::EntryPtr& entry : entries) tail.push(*entry);
}

base::Status opened_elsewhere(std::uint64_t own_epoch, std::uint64_t epoch) {
  return {base::Code::kLocked, "this data directory was opened in epoch " +
                                   std::to_string(own_epoch) + ", but it is in epoch " +
                                   std::to_string(epoch) + " now: somebody else opened it"};
}

base::Status not_in_log(base::Index from, base::Index to, const LogTail& tail) {
  return {base::Code::kInvalidArgument,
          "entries " + std::to_string(from.value) + " to " + std::to_string(to.value) +
              " were asked for, but the log holds " + std::to_string(tail.first().value) + " to " +
              std::to_string(tail.last().value)};
}

}  // namespace storage
