#include "jepsen/check/search.h"

#include <algorithm>

#include "base/check.h"
#include "base/random.h"

namespace jepsen {
namespace {

constexpr std::uint32_t kEnd = 0;  // sentinel: begin and end of the ring
constexpr std::uint32_t kNever = UINT32_MAX;

struct Hash {
  std::uint64_t low = 0, high = 0;
  bool operator==(const Hash&) const = default;
  void toggle(const Hash& other) { low ^= other.low, high ^= other.high; }
};

/// A set of hashes with open addressing.
class Hashes {
 public:
  Hashes() : slots_(1 << 10) {}
  std::size_t size() const { return size_; }
  /// Whether it was new.
  bool insert(const Hash& hash) {
    if (size_ * 2 > slots_.size()) grow();
    return place(hash);
  }

 private:
  bool place(const Hash& hash) {
    std::size_t at = hash.low & (slots_.size() - 1);
    while (slots_[at] != Hash{}) {
      if (slots_[at] == hash) return false;
      at = (at + 1) & (slots_.size() - 1);
    }
    slots_[at] = hash;
    ++size_;
    return true;
  }
  void grow() {
    std::vector<Hash> old(slots_.size() * 2);
    old.swap(slots_);
    size_ = 0;
    for (const Hash& hash : old)
      if (hash != Hash{}) place(hash);
  }
  std::vector<Hash> slots_;
  std::size_t size_ = 0;
};

/// The begins and ends in the order of time, as a doubly linked list from which calls are lifted
/// out while they are taken as done.
class Search {
 public:
  Search(const std::vector<Call>& calls, Model& model, const SearchBounds& bounds)
      : model_(model), bounds_(bounds), state_(model.initial()) {
    base::Random random(0x5ea4c4);
    for (std::size_t i = 0; i < calls.size(); ++i) keys_.push_back({random.next(), random.next()});
    build(calls);
  }

  SearchResult run();

 private:
  struct Node {
    std::uint32_t call = 0;
    bool is_return = false;
    std::uint32_t match = kEnd;  // of a call: its return's node, kEnd if open
    std::uint32_t before = kEnd, after = kEnd;
  };
  struct Step {
    std::uint32_t node, state;  // the state before it
    bool forced;                // nothing else needs to be tried in its place
  };

  void build(const std::vector<Call>& calls);
  void unlink(std::uint32_t node);
  void relink(std::uint32_t node);
  void lift(std::uint32_t node, std::uint32_t state, bool forced);
  bool first_visit(std::uint32_t call, std::uint32_t state);
  bool take_reads();
  std::uint32_t back();
  void remember();
  bool out_of_bounds();

  Model& model_;
  const SearchBounds& bounds_;
  std::vector<Hash> keys_;  // one a call
  std::vector<Node> nodes_;
  std::vector<Step> steps_;
  Hash done_;
  Hashes visited_;
  std::uint32_t state_;
  std::size_t returns_left_ = 0;
  std::uint64_t turns_ = 0;
  SearchResult result_;
};

void Search::build(const std::vector<Call>& calls) {
  struct Point {
    std::uint32_t at;
    bool is_return;
    std::uint32_t call;
  };
  std::vector<Point> points;
  for (std::uint32_t i = 0; i < calls.size(); ++i) {
    points.push_back({calls[i].invoked, false, i});
    if (calls[i].returned != kNever) points.push_back({calls[i].returned, true, i});
  }
  // At the same place begins come first: the calls may overlap.
  std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) {
    return a.at != b.at ? a.at < b.at : a.is_return < b.is_return;
  });
  nodes_.resize(points.size() + 1);
  std::vector<std::uint32_t> call_node(calls.size());
  for (std::uint32_t i = 0; i < points.size(); ++i) {
    const std::uint32_t at = i + 1;
    nodes_[at] = {points[i].call, points[i].is_return, kEnd, i,
                  at == points.size() ? kEnd : at + 1};
    if (points[i].is_return) {
      nodes_[call_node[points[i].call]].match = at;
      ++returns_left_;
    } else {
      call_node[points[i].call] = at;
    }
  }
  nodes_[kEnd].before = static_cast<std::uint32_t>(points.size());
  nodes_[kEnd].after = points.empty() ? kEnd : 1;
}

void Search::unlink(std::uint32_t node) {
  nodes_[nodes_[node].before].after = nodes_[node].after;
  nodes_[nodes_[node].after].before = nodes_[node].before;
}

void Search::relink(std::uint32_t node) {
  nodes_[nodes_[node].before].after = node;
  nodes_[nodes_[node].after].before = node;
}

bool Search::first_visit(std::uint32_t call, std::uint32_t state) {
  Hash hash = done_;
  hash.toggle(keys_[call]);
  // SplitMix64's mixing, so that states and sets of calls are not confused.
  base::Random low(state + 1), high(~static_cast<std::uint64_t>(state));
  hash.toggle({low.next(), high.next()});
  return visited_.insert(hash);
}

void Search::lift(std::uint32_t node, std::uint32_t state, bool forced) {
  steps_.push_back({node, state_, forced});
  state_ = state;
  done_.toggle(keys_[nodes_[node].call]);
  unlink(node);
  if (nodes_[node].match == kEnd) return;
  unlink(nodes_[node].match);
  --returns_left_;
}

bool Search::take_reads() {
  bool any = false;
  for (std::uint32_t at = nodes_[kEnd].after; at != kEnd && !nodes_[at].is_return;) {
    const std::uint32_t next = nodes_[at].after;
    if (nodes_[at].match != kEnd && model_.only_reads(nodes_[at].call) &&
        model_.step(state_, nodes_[at].call)) {
      const std::uint32_t match = nodes_[at].match;
      lift(at, state_, true);
      any = true;
      at = next == match ? nodes_[match].after : next;
      continue;
    }
    at = next;
  }
  return any;
}

/// Undoes the newest choice; where to go on looking. kEnd: there is none left.
std::uint32_t Search::back() {
  while (!steps_.empty()) {
    const Step step = steps_.back();
    steps_.pop_back();
    const Node& node = nodes_[step.node];
    state_ = step.state;
    done_.toggle(keys_[node.call]);
    if (node.match != kEnd) {
      relink(node.match);
      ++returns_left_;
    }
    relink(step.node);
    if (!step.forced) return node.after;
  }
  return kEnd;
}

/// Keeps the longest order, and what stands in its way.
void Search::remember() {
  if (steps_.size() < result_.order.size() && !result_.order.empty()) return;
  result_.order.clear();
  for (const Step& step : steps_) result_.order.push_back(nodes_[step.node].call);
  for (std::uint32_t at = nodes_[kEnd].after; at != kEnd; at = nodes_[at].after) {
    if (!nodes_[at].is_return) continue;
    result_.stuck = nodes_[at].call;
    return;
  }
}

bool Search::out_of_bounds() {
  constexpr std::uint64_t kBetween = 1 << 14;
  if (visited_.size() > bounds_.states_max) return true;
  return ++turns_ % kBetween == 0 && bounds_.expired && bounds_.expired();
}

SearchResult Search::run() {
  (void)take_reads();
  std::uint32_t at = nodes_[kEnd].after;
  while (returns_left_ > 0) {
    if (out_of_bounds()) {
      result_.answer = SearchResult::Answer::kUndecided;
      result_.states = visited_.size();
      return result_;
    }
    CHECK(at != kEnd, "a return stands before the end");
    const Node& node = nodes_[at];
    if (!node.is_return) {
      const auto after = model_.step(state_, node.call);
      if (!after || !first_visit(node.call, *after)) {
        at = node.after;
        continue;
      }
      lift(at, *after, false);
      (void)take_reads();
      at = nodes_[kEnd].after;
      continue;
    }
    remember();
    at = back();
    if (at == kEnd && steps_.empty()) {
      result_.answer = SearchResult::Answer::kNo;
      result_.states = visited_.size();
      return result_;
    }
  }
  result_.order.clear();
  for (const Step& step : steps_) result_.order.push_back(nodes_[step.node].call);
  result_.states = visited_.size();
  return result_;
}

}  // namespace

SearchResult search(const std::vector<Call>& calls, Model& model, const SearchBounds& bounds) {
  return Search(calls, model, bounds).run();
}

}  // namespace jepsen
