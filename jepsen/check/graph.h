// Cycles in the graph of what must come before what (Adya, "Weak consistency", 1999; Alvaro and
// Kingsbury, "Elle", VLDB 2020). Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace jepsen {

/// Why one comes before another.
enum class Edge : std::uint8_t {
  kWriteWrite = 1,  // it wrote what the other overwrote
  kWriteRead = 2,   // it wrote what the other read
  kReadWrite = 4,   // it read what the other overwrote
  kTime = 8,        // it had ended before the other began
};
using Edges = std::uint8_t;

class Graph {
 public:
  explicit Graph(std::size_t nodes) : after_(nodes) {}
  struct Arrow {
    std::uint32_t to;
    Edge edge;
  };
  void add(std::uint32_t from, std::uint32_t to, Edge edge) { after_[from].push_back({to, edge}); }
  std::uint32_t add_node() {
    after_.emplace_back();
    return static_cast<std::uint32_t>(after_.size() - 1);
  }
  std::size_t size() const { return after_.size(); }

  struct Step {
    std::uint32_t node;
    Edge edge;  // to the next one
  };
  /// A cycle over such edges alone, a short one; empty if there is none. `once`: with exactly one
  /// edge of that kind, which need not be among `allowed`.
  std::vector<Step> cycle(Edges allowed) const;
  std::vector<Step> cycle_with_one(Edges allowed, Edge once) const;

 private:
  std::vector<std::uint32_t> components(Edges allowed) const;
  std::vector<Step> path(std::uint32_t from, std::uint32_t to, Edges allowed,
                         const std::vector<std::uint32_t>& component) const;
  std::vector<std::vector<Arrow>> after_;
};

}  // namespace jepsen
