#include "tests/sim/linearizability.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/hash.h"

namespace sim {
namespace {

/// What a call makes of a state; nullopt: it cannot have happened there.
std::optional<std::uint32_t> effect(const RegisterCall& call, std::uint32_t state) {
  switch (call.kind) {
    case RegisterCall::Kind::kRead:
      return call.value == state ? std::optional(state) : std::nullopt;
    case RegisterCall::Kind::kWrite:
      if (call.previous && *call.previous != state) return std::nullopt;
      return call.value;
    case RegisterCall::Kind::kCas:
      if (call.expected == state) return call.value;
      return call.returned == kOpen ? std::optional(state) : std::nullopt;
    case RegisterCall::Kind::kFailedCas:
      return call.expected != state && call.value == state ? std::optional(state) : std::nullopt;
  }
  return std::nullopt;
}

/// The calls and returns of a history in the order of time, as a doubly linked list from which
/// calls are lifted out while they are taken as done.
class Search {
 public:
  explicit Search(std::vector<RegisterCall> calls) : calls_(std::move(calls)) { build(); }

  Linearizable run(std::size_t max_states);

 private:
  static constexpr std::size_t kEnd = 0;  // sentinel: begin and end of the ring
  struct Node {
    std::size_t call = 0;
    bool is_return = false;
    std::size_t match = kEnd;  // of a call: its return's node, kEnd if open
    std::size_t before = kEnd;
    std::size_t after = kEnd;
  };
  struct Step {
    std::size_t node;
    std::uint32_t state;  // before it
  };

  void build();
  void unlink(std::size_t node);
  void relink(std::size_t node);
  bool first_visit(std::uint32_t state);
  bool take(std::size_t node, std::uint32_t state);

  std::vector<RegisterCall> calls_;
  std::vector<Node> nodes_;
  std::vector<Step> steps_;
  std::string done_;  // a bit a call, then the state
  std::unordered_set<std::string> visited_;
  std::uint32_t state_ = 0;
  std::size_t returns_left_ = 0;
};

void Search::build() {
  struct Point {
    Time at;
    bool is_return;
    std::size_t call;
  };
  std::vector<Point> points;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    points.push_back({calls_[i].invoked, false, i});
    if (calls_[i].returned != kOpen) points.push_back({calls_[i].returned, true, i});
  }
  // On equal times calls come first: they may overlap.
  std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return a.at != b.at ? a.at < b.at : a.is_return < b.is_return;
  });
  nodes_.resize(points.size() + 1);
  std::vector<std::size_t> call_node(calls_.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    const std::size_t at = i + 1;
    nodes_[at] = {points[i].call, points[i].is_return, kEnd, i,
                  at == points.size() ? kEnd : at + 1};
    if (points[i].is_return) {
      nodes_[call_node[points[i].call]].match = at;
      ++returns_left_;
    } else {
      call_node[points[i].call] = at;
    }
  }
  nodes_[kEnd].before = points.size();
  nodes_[kEnd].after = points.empty() ? kEnd : 1;
  done_.assign(calls_.size() / 8 + 1, '\0');
}

void Search::unlink(std::size_t node) {
  nodes_[nodes_[node].before].after = nodes_[node].after;
  nodes_[nodes_[node].after].before = nodes_[node].before;
}

void Search::relink(std::size_t node) {
  nodes_[nodes_[node].before].after = node;
  nodes_[nodes_[node].after].before = node;
}

bool Search::first_visit(std::uint32_t state) {
  std::string key = done_;
  key.append(reinterpret_cast<const char*>(&state), sizeof state);
  return visited_.insert(std::move(key)).second;
}

/// Takes a call as the next to have happened, if it can be and this was not tried before.
bool Search::take(std::size_t node, std::uint32_t state) {
  const std::size_t call = nodes_[node].call;
  done_[call / 8] ^= static_cast<char>(1 << call % 8);
  if (!first_visit(state)) {
    done_[call / 8] ^= static_cast<char>(1 << call % 8);
    return false;
  }
  steps_.push_back({node, state_});
  state_ = state;
  unlink(node);
  if (nodes_[node].match != kEnd) {
    unlink(nodes_[node].match);
    --returns_left_;
  }
  return true;
}

Linearizable Search::run(std::size_t max_states) {
  std::size_t at = nodes_[kEnd].after;
  while (returns_left_ > 0) {
    if (visited_.size() > max_states) return Linearizable::kUndecided;
    CHECK(at != kEnd, "a return stands before the end");
    if (!nodes_[at].is_return) {
      const auto after = effect(calls_[nodes_[at].call], state_);
      at = after && take(at, *after) ? nodes_[kEnd].after : nodes_[at].after;
      continue;
    }
    // A call returned that could not be taken: the newest choice was wrong.
    if (steps_.empty()) return Linearizable::kNo;
    const Step step = steps_.back();
    steps_.pop_back();
    const Node& node = nodes_[step.node];
    state_ = step.state;
    done_[node.call / 8] ^= static_cast<char>(1 << node.call % 8);
    if (node.match != kEnd) {
      relink(node.match);
      ++returns_left_;
    }
    relink(step.node);
    at = node.after;
  }
  return Linearizable::kYes;
}

/// Numbers for the values of one key, in the order in which they are met.
class Numbers {
 public:
  std::uint32_t of(const std::optional<std::string>& value) {
    if (!value) return 0;
    return numbers_.emplace(*value, static_cast<std::uint32_t>(numbers_.size() + 1)).first->second;
  }

 private:
  std::map<std::string, std::uint32_t> numbers_;
};

const Seen* seen_of(const Operation& operation, const std::string& key) {
  for (const Seen& seen : operation.seen) {
    if (seen.key == key) return &seen;
  }
  return nullptr;
}

/// Of its own, not a range of them.
bool has_key(const Operation& operation) {
  return operation.verb != Verb::kRange && operation.verb != Verb::kPastRange &&
         operation.verb != Verb::kCompact;
}

bool touches(const Operation& operation, const std::string& key) {
  if (!operation.is_current() || operation.verb == Verb::kCompact) return false;
  if (operation.verb != Verb::kRange) return operation.key == key;
  return operation.key <= key && key < operation.end;
}

}  // namespace

Linearizable check_register(std::vector<RegisterCall> calls, std::size_t max_states) {
  return Search(std::move(calls)).run(max_states);
}

std::vector<RegisterCall> calls_on(const History& history, const std::string& key,
                                   const std::vector<bool>& happened) {
  std::vector<std::size_t> all(history.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return calls_on(history, key, happened, all);
}

std::map<std::string, std::vector<std::size_t>> places_of_keys(const History& history) {
  std::map<std::string, std::vector<std::size_t>> places;
  for (const Operation& operation : history) {
    if (has_key(operation)) places[operation.key];
  }
  for (std::size_t i = 0; i < history.size(); ++i) {
    const Operation& operation = history[i];
    if (operation.verb == Verb::kPastRange || operation.verb == Verb::kCompact) continue;
    if (has_key(operation)) {
      places[operation.key].push_back(i);
      continue;
    }
    auto at = places.lower_bound(operation.key);
    for (; at != places.end() && at->first < operation.end; ++at) at->second.push_back(i);
  }
  return places;
}

std::vector<RegisterCall> calls_on(const History& history, const std::string& key,
                                   const std::vector<bool>& happened,
                                   const std::vector<std::size_t>& places) {
  using Kind = RegisterCall::Kind;
  CHECK(happened.size() == history.size());
  Numbers numbers;
  std::vector<RegisterCall> calls;
  for (const std::size_t i : places) {
    const Operation& operation = history[i];
    if (!touches(operation, key)) continue;
    if (operation.open() && (!operation.writes() || !happened[i])) continue;
    const Seen* seen = seen_of(operation, key);
    const std::uint32_t saw = numbers.of(seen ? seen->value : std::nullopt);
    RegisterCall call{Kind::kRead, 0, saw, {}, operation.invoked, operation.returned, i};
    if (operation.verb == Verb::kPut || operation.verb == Verb::kDelete) {
      call.kind = Kind::kWrite;
      call.value = operation.verb == Verb::kPut ? numbers.of(operation.value) : 0;
      if (!operation.open() && operation.asked_previous) call.previous = saw;
    } else if (operation.verb == Verb::kCas) {
      call.expected = numbers.of(operation.expected);
      call.kind = operation.open() || operation.wrote ? Kind::kCas : Kind::kFailedCas;
      if (call.kind == Kind::kCas) call.value = numbers.of(operation.value);
    }
    calls.push_back(call);
  }
  return calls;
}

}  // namespace sim
