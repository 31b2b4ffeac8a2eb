// Nodes and the network between them, and who brings ended processes back. Simulator thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/workload.h"

namespace sim {

class Cluster {
 public:
  Cluster(EventQueue& queue, Journal& journal, Checks& checks, const Options& options,
          std::uint64_t seed);

  Nodes& nodes() { return nodes_; }
  Node& node(std::size_t number) { return *nodes_[number]; }
  const Node& node(std::size_t number) const { return *nodes_[number]; }
  std::size_t size() const { return nodes_.size(); }
  Network& network() { return network_; }

  /// Told what members trace, and "verdict" where one stands.
  void listen(std::function<void(std::size_t number, std::string_view what)> noted) {
    noted_ = std::move(noted);
  }

  /// Who leads in the highest term.
  std::optional<std::size_t> leader() const;

  void start(std::size_t number);
  /// Comes back after `down`, unless it was started meanwhile.
  void crash(std::size_t number, Crash how, Time down);
  /// The node becomes as it was made: disks healthy, not paused, running.
  void heal(std::size_t number);
  /// Every node and every link.
  void heal();

 private:
  void ended(std::size_t number);
  void restart_after(std::size_t number, Time down);

  EventQueue& queue_;
  const Options& options_;
  base::Random random_;
  Nodes nodes_;
  Network network_;
  std::function<void(std::size_t number, std::string_view what)> noted_;
};

}  // namespace sim
