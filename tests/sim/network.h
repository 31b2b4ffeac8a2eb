// The links between members: for each pair two connections (liveness and bulk), each first in,
// first out while it stands, as TCP gives them. Simulator thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "base/random.h"
#include "raft/message.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/journal.h"
#include "tests/sim/options.h"

namespace sim {

/// What the network tells members of. Members are numbers from 0.
struct NetworkPorts {
  std::function<void(std::size_t to, raft::Message message)> deliver;
  std::function<void(std::size_t to, std::size_t from, const std::string& rows)> deliver_rows;
  std::function<void(std::size_t node, std::size_t peer)> link_up;
  std::function<void(std::size_t node, std::size_t peer)> link_down;
  std::function<std::size_t(base::MemberId)> number_of;
};

/// Invariants:
/// - while a pair's connections stand, what is delivered on a lane keeps its order;
/// - a message overtakes another, or comes twice, only where its connection broke in between;
/// - a cut is silent: nobody is told, and what was sent may come late once it heals.
class Network {
 public:
  Network(EventQueue& queue, Journal& journal, const Options& options, std::uint64_t seed,
          NetworkPorts ports);

  void send(raft::Message message);
  /// What observers tell each other, on the liveness lane; none is held in a cut, or comes late
  /// after a connection broke.
  void send_rows(std::size_t from, std::size_t to, std::string rows);

  /// A node's process began: its connections come up one by one.
  void start(std::size_t node);
  /// It ended. `silent`: as a machine without power, its peers are not told.
  void stop(std::size_t node, bool silent);

  // Faults.
  void set_loss(std::uint64_t one_in) { loss_one_in_ = one_in; }  // 0: none
  void set_delay(Range delay) { delay_ = {delay, delay}; }
  void set_delay(raft::Lane lane, Range delay) { delay_[static_cast<std::size_t>(lane)] = delay; }
  /// What is sent on this link takes so much longer, 0 for no longer.
  void delay(std::size_t from, std::size_t to, Time more) { link(from, to).more_delay = more; }
  /// What TCP makes of lost packets, as in net/pacer.cc: so many of a hundred messages stall for
  /// 200 ms, doubled if lost again, or until a later one arrives; what is behind them waits. 0:
  /// none.
  void lose_packets(std::size_t from, std::size_t to, std::uint64_t percent) {
    link(from, to).loss_percent = percent;
  }
  /// So much passes, 0 for no bound.
  void narrow(std::size_t from, std::size_t to, std::uint64_t bytes_per_second) {
    link(from, to).bytes_per_second = bytes_per_second;
  }
  /// What is larger than a packet never arrives, nor what comes after it on its connection, which
  /// is given up two seconds later.
  void drop_large(std::size_t from, std::size_t to) { link(from, to).drops_large = true; }
  /// Bits flip: each message is refused, or breaks the connections.
  void corrupt(std::size_t from, std::size_t to) { link(from, to).corrupts = true; }
  /// The connections between two nodes break and come back soon.
  void reset(std::size_t a, std::size_t b);
  /// What is sent meanwhile waits for the end of the cut (`holds`), or vanishes.
  void cut(std::size_t from, std::size_t to, bool holds);
  /// Ends a cut. What waited for that is delivered now.
  void mend(std::size_t from, std::size_t to);
  /// Every fault of one link.
  void heal(std::size_t from, std::size_t to);
  /// Every fault.
  void heal();

 private:
  static constexpr std::size_t kHeldMessages = 2000;
  using Delivery = std::function<void()>;
  struct Pair {
    bool up = false;
    std::uint64_t connection = 0;  // raised whenever the connections break
  };
  struct Link {
    bool cut = false;
    bool holds = false;
    Time more_delay = 0;
    std::uint64_t loss_percent = 0;
    std::uint64_t bytes_per_second = 0;
    bool drops_large = false;
    bool corrupts = false;
    // Of each lane:
    std::array<Time, 2> deaf_until{};
    std::array<std::uint64_t, 2> stream{};  // raised where a connection is given up
    std::array<std::uint64_t, 2> stall{};   // counts those of lost packets
    std::array<std::vector<std::pair<std::size_t, Delivery>>, 2> stalled{};  // bytes, and what then
    std::array<bool, 2> stalls{};
    std::vector<raft::Message> held;
    std::array<Time, 2> last_delivery{};  // of each lane
  };
  struct Ends {
    std::size_t from;
    std::size_t to;
  };

  Pair& pair(std::size_t a, std::size_t b) {
    return pairs_[a < b ? a * nodes_ + b : b * nodes_ + a];
  }
  Link& link(std::size_t from, std::size_t to) { return links_[from * nodes_ + to]; }
  bool swallowed(Ends ends, raft::Lane lane, std::size_t bytes);
  Time arrival(Ends ends, raft::Lane lane, std::size_t bytes);
  void put_on_the_wire(Ends ends, raft::Lane lane, std::size_t bytes, Delivery delivery);
  bool arrives(const Link& on) { return random_.below(100) >= on.loss_percent; }
  void stall(Ends ends, raft::Lane lane);
  void recover(Ends ends, raft::Lane lane);
  void transmit(Ends ends, raft::Message message);
  /// Another one once the connection that carries the lane has broken.
  std::uint64_t stream_of(Ends ends, raft::Lane lane) {
    const Link& on = link(ends.from, ends.to);
    return pair(ends.from, ends.to).connection + on.stream[static_cast<std::size_t>(lane)];
  }
  void arrive(Ends ends, std::uint64_t stream, const raft::Message& message);
  void straggle(Ends ends, const raft::Message& message);
  void disconnect(std::size_t a, std::size_t b, bool tell_a, bool tell_b);
  void connect_later(std::size_t a, std::size_t b);

  EventQueue& queue_;
  Journal& journal_;
  base::Random random_;
  const std::size_t nodes_;
  const NetworkPorts ports_;
  const Range calm_delay_;
  std::array<Range, 2> delay_;  // of each lane
  std::uint64_t loss_one_in_ = 0;
  std::vector<bool> running_;
  std::vector<Pair> pairs_;
  std::vector<Link> links_;
};

}  // namespace sim
