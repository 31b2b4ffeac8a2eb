#include "tests/sim/revision_check.h"

#include <algorithm>
#include <map>

#include "base/check.h"

namespace sim {
namespace {

using base::Revision;

struct Version {
  std::string value;
  Revision modified;
};
using State = std::map<std::string, Version>;

struct Placed {
  const Operation* operation;
  Revision revision;
  bool wrote;
};

std::string pair_of(const char* what, const Operation& a, const Operation& b) {
  return std::string(what) + ": " + to_string(a) + " | " + to_string(b);
}

class Sweep {
 public:
  Sweep(const History& history, const Resolved& resolved) { place(history, resolved); }

  std::optional<std::string> run();

 private:
  void place(const History& history, const Resolved& resolved);
  std::optional<std::string> check_time(const Placed& placed);
  std::optional<std::string> write(const Placed& placed);
  std::optional<std::string> check_seen(const Operation& operation) const;
  std::optional<std::string> check_previous(const Operation& operation) const;

  std::vector<Placed> order_;
  State state_;
  const Operation* latest_invoked_ = nullptr;  // of those that stand before
};

void Sweep::place(const History& history, const Resolved& resolved) {
  CHECK(resolved.size() == history.size());
  for (std::size_t i = 0; i < history.size(); ++i) {
    const Operation& operation = history[i];
    if (operation.verb == Verb::kPastRange) {
      if (!operation.open() && !operation.refused)
        order_.push_back({&operation, operation.at, false});
    } else if (!operation.open()) {
      order_.push_back({&operation, operation.revision, operation.wrote});
    } else if (resolved[i]) {
      order_.push_back({&operation, resolved[i], true});
    }
  }
  // A write before the reads of what it left; otherwise as they returned.
  std::stable_sort(order_.begin(), order_.end(), [](const Placed& a, const Placed& b) {
    if (a.revision != b.revision) return a.revision < b.revision;
    if (a.wrote != b.wrote) return a.wrote;
    return a.operation->returned < b.operation->returned;
  });
}

std::optional<std::string> Sweep::run() {
  Revision last_written;
  for (const Placed& placed : order_) {
    if (auto wrong = check_time(placed)) return wrong;
    if (placed.wrote) {
      if (placed.revision == last_written) {
        return "two writes at one revision, the second is " + to_string(*placed.operation);
      }
      last_written = placed.revision;
      if (auto wrong = write(placed)) return wrong;
    } else if (auto wrong = check_seen(*placed.operation)) {
      return wrong;
    }
  }
  return std::nullopt;
}

std::optional<std::string> Sweep::check_time(const Placed& placed) {
  const Operation& operation = *placed.operation;
  if (!operation.is_current()) return std::nullopt;
  // Reads of one revision stand as they returned, so among them this is never so.
  if (latest_invoked_ != nullptr && operation.returned < latest_invoked_->invoked) {
    return pair_of("an operation returned before one that stands before it began", operation,
                   *latest_invoked_);
  }
  if (latest_invoked_ == nullptr || operation.invoked > latest_invoked_->invoked) {
    latest_invoked_ = &operation;
  }
  return std::nullopt;
}

std::optional<std::string> Sweep::write(const Placed& placed) {
  const Operation& operation = *placed.operation;
  if (!operation.open()) {
    if (auto wrong = check_previous(operation)) return wrong;
  }
  if (operation.verb == Verb::kCas) {
    const auto at = state_.find(operation.key);
    const bool holds = operation.expected
                           ? at != state_.end() && at->second.value == operation.expected
                           : at == state_.end();
    if (!holds) return "a compare that did not hold succeeded: " + to_string(operation);
  }
  if (operation.verb == Verb::kDelete) {
    if (state_.erase(operation.key) == 0) {
      return "a delete of nothing took a revision: " + to_string(operation);
    }
    return std::nullopt;
  }
  state_[operation.key] = {operation.value, placed.revision};
  return std::nullopt;
}

std::optional<std::string> Sweep::check_previous(const Operation& operation) const {
  if (!operation.asked_previous) return std::nullopt;
  return check_seen(operation);
}

std::optional<std::string> Sweep::check_seen(const Operation& operation) const {
  for (const Seen& seen : operation.seen) {
    const auto at = state_.find(seen.key);
    const bool right = seen.value ? at != state_.end() && at->second.value == seen.value &&
                                        at->second.modified == seen.modified
                                  : at == state_.end();
    if (!right) {
      return "what was seen is not what was written: " + to_string(operation) + "; " + seen.key +
             " was " +
             (at == state_.end()
                  ? std::string("absent")
                  : at->second.value + "@" + std::to_string(at->second.modified.value));
    }
  }
  if (operation.verb == Verb::kCas && !operation.wrote) {
    const auto at = state_.find(operation.key);
    const bool held = operation.expected
                          ? at != state_.end() && at->second.value == operation.expected
                          : at == state_.end();
    if (held) return "a compare that held failed: " + to_string(operation);
  }
  return std::nullopt;
}

/// Headers show states of one log: a later revision has a later time.
std::optional<std::string> check_times(const History& history) {
  std::vector<const Operation*> order;
  for (const Operation& operation : history) {
    if (!operation.open()) order.push_back(&operation);
  }
  std::stable_sort(order.begin(), order.end(), [](const Operation* a, const Operation* b) {
    return a->shown != b->shown ? a->shown < b->shown : a->time < b->time;
  });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (order[i - 1]->shown < order[i]->shown && order[i - 1]->time >= order[i]->time) {
      return pair_of("hybrid times do not grow with revisions", *order[i - 1], *order[i]);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> check_revisions(const History& history, const Resolved& resolved) {
  if (auto wrong = Sweep(history, resolved).run()) return wrong;
  return check_times(history);
}

}  // namespace sim
