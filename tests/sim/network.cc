#include "tests/sim/network.h"

#include <algorithm>
#include <utility>

namespace sim {
namespace {

constexpr Range kReconnect{2 * kMillisecond, 60 * kMillisecond};
constexpr std::size_t kPacketBytes = 1400;
constexpr Time kRetransmit = 200 * kMillisecond;
/// A connection on which nothing was answered for so long (net/peer/link.h).
constexpr Time kGivenUp = 2 * kSecond;
constexpr Range kStraggle{1 * kMillisecond, 300 * kMillisecond};

}  // namespace

Network::Network(EventQueue& queue, Journal& journal, const Options& options, std::uint64_t seed,
                 NetworkPorts ports)
    : queue_(queue),
      journal_(journal),
      random_(seed),
      nodes_(options.nodes),
      ports_(std::move(ports)),
      calm_delay_(options.link_delay),
      delay_{options.link_delay, options.link_delay},
      running_(options.nodes),
      pairs_(options.nodes * options.nodes),
      links_(options.nodes * options.nodes) {}

// ---- Messages ----

void Network::send(raft::Message message) {
  const Ends ends{ports_.number_of(message.from), ports_.number_of(message.to)};
  if (!pair(ends.from, ends.to).up) return;
  if (loss_one_in_ > 0 && random_.chance(loss_one_in_)) return journal_.count("message lost");
  Link& on = link(ends.from, ends.to);
  if (!on.cut) return transmit(ends, std::move(message));
  if (on.holds && on.held.size() < kHeldMessages) {
    on.held.push_back(std::move(message));
  } else {
    journal_.count("message lost in a cut");
  }
}

void Network::send_rows(std::size_t from, std::size_t to, std::string rows) {
  const Ends ends{from, to};
  if (!pair(from, to).up || link(from, to).cut) return;
  if (loss_one_in_ > 0 && random_.chance(loss_one_in_)) return;
  if (swallowed(ends, raft::Lane::kLiveness, rows.size())) return;
  put_on_the_wire(
      ends, raft::Lane::kLiveness, rows.size(),
      [this, ends, sent = stream_of(ends, raft::Lane::kLiveness), rows = std::move(rows)] {
        const bool whole = stream_of(ends, raft::Lane::kLiveness) == sent;
        if (!whole || link(ends.from, ends.to).cut || !running_[ends.to]) return;
        ports_.deliver_rows(ends.to, ends.from, rows);
      });
}

/// Behind what a lost packet holds up, if there is any.
void Network::put_on_the_wire(Ends ends, raft::Lane lane, std::size_t bytes, Delivery delivery) {
  Link& on = link(ends.from, ends.to);
  const auto number = static_cast<std::size_t>(lane);
  if (on.loss_percent > 0 && !on.stalls[number] && !arrives(on)) stall(ends, lane);
  if (!on.stalls[number]) {
    queue_.at(arrival(ends, lane, bytes), std::move(delivery));
    return;
  }
  const bool later = !on.stalled[number].empty();
  on.stalled[number].emplace_back(bytes, std::move(delivery));
  const bool sees_the_gap = later && arrives(on), again = later && arrives(on);
  if (sees_the_gap && again) recover(ends, lane);
}

void Network::stall(Ends ends, raft::Lane lane) {
  Link& on = link(ends.from, ends.to);
  const auto number = static_cast<std::size_t>(lane);
  on.stalls[number] = true;
  Time waits = kRetransmit;
  for (Time next = 2 * kRetransmit; !arrives(on); next *= 2) waits += next;
  queue_.after(waits, [this, ends, lane, stall = ++on.stall[number]] {
    const Link& now = link(ends.from, ends.to);
    if (now.stall[static_cast<std::size_t>(lane)] == stall) recover(ends, lane);
  });
}

void Network::recover(Ends ends, raft::Lane lane) {
  Link& on = link(ends.from, ends.to);
  const auto number = static_cast<std::size_t>(lane);
  on.stalls[number] = false;
  ++on.stall[number];
  for (auto& [bytes, delivery] : std::exchange(on.stalled[number], {}))
    queue_.at(arrival(ends, lane, bytes), std::move(delivery));
}

/// By a fault of the link.
bool Network::swallowed(Ends ends, raft::Lane lane, std::size_t bytes) {
  Link& on = link(ends.from, ends.to);
  Time& deaf_until = on.deaf_until[static_cast<std::size_t>(lane)];
  if (on.drops_large && bytes > kPacketBytes && deaf_until <= queue_.now()) {
    deaf_until = queue_.now() + kGivenUp;
  }
  if (on.drops_large && deaf_until > queue_.now()) {
    journal_.count("message lost behind a large one");
    return true;
  }
  if (!on.corrupts) return false;
  journal_.count("message corrupted");
  // Later: whoever sends is in a turn of its own.
  if (random_.chance(2)) queue_.after(0, [this, ends] { reset(ends.from, ends.to); });
  return true;
}

Time Network::arrival(Ends ends, raft::Lane lane, std::size_t bytes) {
  Link& on = link(ends.from, ends.to);
  const auto number = static_cast<std::size_t>(lane);
  Time& last = on.last_delivery[number];
  if (last > queue_.now() + kGivenUp) {
    journal_.count("connection given up");
    ++on.stream[number];
    last = queue_.now() + kReconnect.high;
  }
  last = std::max(last, queue_.now() + delay_[number].draw(random_) + on.more_delay);
  if (on.bytes_per_second > 0) last += bytes * kSecond / on.bytes_per_second;
  return last;
}

void Network::transmit(Ends ends, raft::Message message) {
  const std::size_t bytes = raft::size_bytes(message);
  const raft::Lane lane = raft::lane_of(message);
  if (swallowed(ends, lane, bytes)) return;
  put_on_the_wire(ends, lane, bytes,
                  [this, ends, sent = stream_of(ends, lane), message = std::move(message)] {
                    arrive(ends, sent, message);
                  });
}

void Network::arrive(Ends ends, std::uint64_t stream, const raft::Message& message) {
  if (stream_of(ends, raft::lane_of(message)) != stream) return straggle(ends, message);
  Link& on = link(ends.from, ends.to);
  if (on.cut) {
    if (on.holds && on.held.size() < kHeldMessages) on.held.push_back(message);
    return;
  }
  if (running_[ends.to]) ports_.deliver(ends.to, message);
}

/// Of what was on its way when the connection broke some is lost, some still read later, by the
/// process that runs then, and some sent again.
void Network::straggle(Ends ends, const raft::Message& message) {
  if (random_.chance(2)) return journal_.count("message lost in a reset");
  const std::uint64_t copies = random_.chance(4) ? 2 : 1;
  if (copies == 2) journal_.count("message duplicated");
  journal_.count("message overtaken");
  for (std::uint64_t i = 0; i < copies; ++i) {
    queue_.after(kStraggle.draw(random_), [this, ends, message] {
      if (running_[ends.to] && !link(ends.from, ends.to).cut) ports_.deliver(ends.to, message);
    });
  }
}

// ---- Connections ----

void Network::start(std::size_t node) {
  running_[node] = true;
  for (std::size_t peer = 0; peer < nodes_; ++peer) {
    if (peer == node) continue;
    // A peer that was not told learns of the new process from its connection attempt.
    disconnect(node, peer, false, running_[peer]);
    if (running_[peer]) connect_later(node, peer);
  }
}

void Network::stop(std::size_t node, bool silent) {
  running_[node] = false;
  for (std::size_t peer = 0; peer < nodes_; ++peer) {
    if (peer == node || silent) continue;
    const bool heard = !link(node, peer).cut;
    if (heard) disconnect(node, peer, false, running_[peer]);
  }
}

void Network::reset(std::size_t a, std::size_t b) {
  disconnect(a, b, running_[a], running_[b]);
  connect_later(a, b);
}

void Network::disconnect(std::size_t a, std::size_t b, bool tell_a, bool tell_b) {
  Pair& between = pair(a, b);
  if (!between.up) return;
  between.up = false;
  ++between.connection;
  for (Link* on : {&link(a, b), &link(b, a)}) on->held.clear();
  if (tell_a) ports_.link_down(a, b);
  if (tell_b) ports_.link_down(b, a);
}

void Network::connect_later(std::size_t a, std::size_t b) {
  queue_.after(kReconnect.draw(random_), [this, a, b] {
    Pair& between = pair(a, b);
    if (between.up || !running_[a] || !running_[b]) return;
    if (link(a, b).cut || link(b, a).cut) return connect_later(a, b);
    between.up = true;
    ports_.link_up(a, b);
    ports_.link_up(b, a);
  });
}

// ---- Faults ----

void Network::cut(std::size_t from, std::size_t to, bool holds) {
  link(from, to).cut = true;
  link(from, to).holds = holds;
}

void Network::mend(std::size_t from, std::size_t to) {
  Link& on = link(from, to);
  if (!std::exchange(on.cut, false)) return;
  std::vector<raft::Message> held = std::exchange(on.held, {});
  if (!pair(from, to).up) return;
  journal_.count("message held in a cut", held.size());
  for (auto& message : held) transmit({from, to}, std::move(message));
}

void Network::heal(std::size_t from, std::size_t to) {
  Link& on = link(from, to);
  on.more_delay = 0;
  on.loss_percent = 0;
  on.bytes_per_second = 0;
  on.drops_large = false;
  on.corrupts = false;
  for (const raft::Lane lane : {raft::Lane::kLiveness, raft::Lane::kBulk})
    recover({from, to}, lane);
  mend(from, to);
}

void Network::heal() {
  loss_one_in_ = 0;
  set_delay(calm_delay_);
  for (std::size_t from = 0; from < nodes_; ++from) {
    for (std::size_t to = 0; to < nodes_; ++to) heal(from, to);
  }
}

}  // namespace sim
