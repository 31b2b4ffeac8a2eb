#include "tests/sim/cluster.h"

namespace sim {
namespace {

constexpr Range kSupervisor{20 * kMillisecond, 300 * kMillisecond};

}  // namespace

Cluster::Cluster(EventQueue& queue, Journal& journal, Checks& checks, const Options& options,
                 std::uint64_t seed)
    : queue_(queue),
      options_(options),
      random_(seed),
      network_(queue, journal, options, random_.next(),
               {.deliver = [this](std::size_t to,
                                  raft::Message message) { node(to).receive(std::move(message)); },
                .deliver_rows =
                    [this](std::size_t to, std::size_t from, const std::string& rows) {
                      node(to).receive_rows(Node::id_of(from), rows);
                    },
                .link_up = [this](std::size_t at,
                                  std::size_t peer) { node(at).link_up(Node::id_of(peer)); },
                .link_down = [this](std::size_t at,
                                    std::size_t peer) { node(at).link_down(Node::id_of(peer)); },
                .number_of = [](base::MemberId id) { return id.value - 1; }}) {
  raft::Configuration configuration;
  for (std::size_t i = 0; i < options.nodes; ++i) {
    configuration.voters.push_back({Node::id_of(i), {}});
  }
  for (std::size_t i = 0; i < options.nodes; ++i) {
    NodeSurroundings surroundings;
    surroundings.queue = &queue;
    surroundings.journal = &journal;
    surroundings.checks = &checks;
    surroundings.send = [this](raft::Message message) { network_.send(std::move(message)); };
    surroundings.send_rows = [this, i](base::MemberId to, const std::string& rows) {
      network_.send_rows(i, to.value - 1, rows);
    };
    surroundings.noted = [this](std::size_t number, std::string_view what) {
      if (noted_) noted_(number, what);
    };
    surroundings.ended = [this](std::size_t number) { ended(number); };
    nodes_.push_back(
        std::make_unique<Node>(i, options, configuration, random_.next(), std::move(surroundings)));
  }
}

std::optional<std::size_t> Cluster::leader() const {
  std::optional<std::size_t> leader;
  base::Term term;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (!nodes_[i]->leads()) continue;
    const base::Term other = nodes_[i]->summary().term;
    if (leader && other < term) continue;
    leader = i;
    term = other;
  }
  return leader;
}

void Cluster::start(std::size_t number) {
  if (node(number).running()) return;
  node(number).start();
  if (node(number).running()) network_.start(number);
}

void Cluster::crash(std::size_t number, Crash how, Time down) {
  if (node(number).running()) {
    node(number).crash(how);
    network_.stop(number, how == Crash::kPowerCut);
  }
  restart_after(number, down);
}

void Cluster::ended(std::size_t number) {
  network_.stop(number, false);
  restart_after(number, kSupervisor.draw(random_));
}

void Cluster::restart_after(std::size_t number, Time down) {
  queue_.after(down, [this, number] { start(number); });
}

void Cluster::heal(std::size_t number) {
  Node& healed = node(number);
  healed.disk().sync_delay = options_.sync_delay;
  healed.disk().hangs = false;
  healed.disk().hangs_at_truncations = false;
  healed.disk().full = false;
  healed.set_clock_rate(0);
  healed.set_full(false);
  healed.engine().delay = options_.apply_delay;
  healed.engine().hangs = false;
  healed.wake();
  healed.resume();
}

void Cluster::heal() {
  network_.heal();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    start(i);
    heal(i);
  }
}

}  // namespace sim
