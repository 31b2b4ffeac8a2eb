// A cluster of real holdfastd processes under test. They die with this process, however it ends,
// and what was injected into them with them. Loop thread, which is the main one; what asks a member
// runs the loop meanwhile, so nothing here may be called inside a handler.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <kj/async.h>

#include "client/client.h"
#include "client/ctl/playground/ports.h"
#include "client/ctl/playground/process.h"
#include "net/loop.h"

namespace jepsen {

struct ClusterOptions {
  std::size_t nodes = 3;
  std::string server;  // holdfastd
  std::string folder;  // data and logs go there
  std::vector<std::string> flags;
  std::uint32_t time_scale = 1;
  client::ctl::playground::PortRange ports;
};

/// Invariant: only own children are signalled, and never after they were reaped.
class Cluster {
 public:
  /// Addresses are known from here on.
  Cluster(net::Loop& loop, ClusterOptions options);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  /// Starts them all. Errors: kUnavailable: no ports; kIo.
  base::Status start_all();
  base::Status start(std::size_t i);
  void signal(std::size_t i, int number);
  /// SIGKILL, and reaped.
  void kill(std::size_t i);
  /// Also notices one that ended by itself, and how.
  bool runs(std::size_t i);
  /// Of one that ended: "signal 9", "exit code 3".
  const std::string& how_it_ended(std::size_t i) const { return nodes_[i].ended; }
  /// "T" while it is stopped, "S", "R"…; empty: there is no such process.
  std::string state(std::size_t i);
  client::ctl::playground::ProcessId process(std::size_t i) const { return nodes_[i].process; }
  void join_at_next_start(std::size_t i) { nodes_[i].joins = true; }

  std::size_t size() const { return nodes_.size(); }
  std::size_t majority() const { return nodes_.size() / 2 + 1; }
  const std::string& name(std::size_t i) const { return nodes_[i].name; }
  /// The index of a name, or of who answers at an address; size() if nobody.
  std::size_t index(const std::string& name) const;
  std::string data_dir(std::size_t i) const;
  std::string log_path(std::size_t i) const;
  std::string client_address(std::size_t i) const;
  std::string peer_address(std::size_t i) const;
  std::vector<std::string> endpoints() const;
  std::uint32_t time_scale() const { return options_.time_scale; }
  net::Loop& loop() { return loop_; }

  using Statuses = std::vector<std::optional<client::MemberStatus>>;
  /// What each says of itself; nothing of those that do not answer in time.
  Statuses statuses(std::uint32_t timeout_ms = 500);
  /// Who leads in the highest term; nothing: nobody says so.
  static std::optional<std::size_t> leader_of(const Statuses& statuses);
  /// What the member finds of itself and the others, as JSON. Errors: as client::health().
  base::Result<std::string> health(std::size_t i);
  /// All faults of the member afterwards. Errors: as client::fault().
  base::Result<std::vector<client::Fault>> fault(std::size_t i, client::FaultChange change);
  /// Until all run, answer and follow one leader, and have applied as much as each other if
  /// `caught_up`. Errors: kUnavailable, saying what is missing.
  base::Status wait_until_well(std::uint64_t timeout_ms, bool caught_up);
  void sleep_ms(std::uint64_t ms);
  std::uint64_t now_ms() const;

 private:
  struct Node {
    std::string name;
    std::uint16_t client_port = 0, peer_port = 0, http_port = 0;
    client::ctl::playground::ProcessId process;
    std::string ended = "was never started";
    bool joins = false;
  };
  std::vector<std::string> arguments(std::size_t i) const;
  void reaped(std::size_t i, int status);
  std::string unsettled();
  std::string missing(const Statuses& statuses, bool caught_up);

  net::Loop& loop_;
  const ClusterOptions options_;
  std::string token_;
  std::vector<Node> nodes_;
  base::Status ports_;  // whether there were any
};

}  // namespace jepsen
