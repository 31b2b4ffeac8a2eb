#include "jepsen/check/graph.h"

#include <algorithm>
#include <deque>

namespace jepsen {
namespace {

constexpr std::uint32_t kNone = UINT32_MAX;

bool has(Edges edges, Edge edge) {
  return (edges & static_cast<Edges>(edge)) != 0;
}

}  // namespace

/// Tarjan's strongly connected components (1972), without recursion: the number of each node's.
std::vector<std::uint32_t> Graph::components(Edges allowed) const {
  std::vector<std::uint32_t> component(size(), kNone), index(size(), kNone), low(size(), 0);
  std::vector<std::uint32_t> stack;
  std::vector<std::pair<std::uint32_t, std::size_t>> calls;  // node, next arrow
  std::uint32_t next = 0, components = 0;
  for (std::uint32_t root = 0; root < size(); ++root) {
    if (index[root] != kNone) continue;
    calls.emplace_back(root, 0);
    while (!calls.empty()) {
      auto& [node, arrow] = calls.back();
      if (arrow == 0) {
        index[node] = low[node] = next++;
        stack.push_back(node);
      }
      bool went_down = false;
      while (arrow < after_[node].size()) {
        const Arrow& to = after_[node][arrow++];
        if (!has(allowed, to.edge)) continue;
        if (index[to.to] == kNone) {
          calls.emplace_back(to.to, 0);
          went_down = true;
          break;
        }
        if (component[to.to] == kNone) low[node] = std::min(low[node], index[to.to]);
      }
      if (went_down) continue;
      const std::uint32_t done = node;
      if (low[done] == index[done]) {
        for (std::uint32_t member = kNone; member != done;) {
          member = stack.back();
          stack.pop_back();
          component[member] = components;
        }
        ++components;
      }
      calls.pop_back();
      if (!calls.empty()) low[calls.back().first] = std::min(low[calls.back().first], low[done]);
    }
  }
  return component;
}

/// The shortest, inside the component of `from`.
std::vector<Graph::Step> Graph::path(std::uint32_t from, std::uint32_t to, Edges allowed,
                                     const std::vector<std::uint32_t>& component) const {
  std::vector<Step> came(size(), {kNone, Edge::kTime});
  std::deque<std::uint32_t> queue = {from};
  while (!queue.empty()) {
    const std::uint32_t node = queue.front();
    queue.pop_front();
    for (const Arrow& arrow : after_[node]) {
      if (!has(allowed, arrow.edge) || component[arrow.to] != component[from]) continue;
      if (came[arrow.to].node != kNone) continue;
      came[arrow.to] = {node, arrow.edge};
      if (arrow.to != to) {
        queue.push_back(arrow.to);
        continue;
      }
      std::vector<Step> steps;
      for (std::uint32_t at = to; at != from || steps.empty(); at = came[at].node)
        steps.push_back(came[at]);
      std::reverse(steps.begin(), steps.end());
      return steps;
    }
  }
  return {};
}

std::vector<Graph::Step> Graph::cycle(Edges allowed) const {
  const auto component = components(allowed);
  std::vector<Step> best;
  constexpr int kTries = 64;
  int tries = 0;
  for (std::uint32_t node = 0; node < size() && tries < kTries; ++node) {
    const bool inside =
        std::any_of(after_[node].begin(), after_[node].end(), [&](const Arrow& arrow) {
          return has(allowed, arrow.edge) && component[arrow.to] == component[node];
        });
    if (!inside) continue;
    ++tries;
    auto found = path(node, node, allowed, component);
    if (!found.empty() && (best.empty() || found.size() < best.size())) best = std::move(found);
  }
  return best;
}

std::vector<Graph::Step> Graph::cycle_with_one(Edges allowed, Edge once) const {
  const auto component = components(allowed | static_cast<Edges>(once));
  std::vector<Step> best;
  constexpr int kTries = 64;
  int tries = 0;
  for (std::uint32_t node = 0; node < size() && tries < kTries; ++node) {
    for (const Arrow& arrow : after_[node]) {
      if (arrow.edge != once || component[arrow.to] != component[node] || ++tries > kTries)
        continue;
      auto rest = path(arrow.to, node, allowed, component);
      if (rest.empty() || (!best.empty() && rest.size() + 1 >= best.size())) continue;
      best = {{node, once}};
      best.insert(best.end(), rest.begin(), rest.end());
    }
  }
  return best;
}

}  // namespace jepsen
