// A cluster of real holdfastd processes of this test, each with its data directory. They die with
// the test. Main thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/ctl/cluster_status.h"
#include "client/ctl/playground/process.h"
#include "tests/cluster/command.h"

namespace cluster {

/// Invariant: only our own children are signalled, by their pid, and never after they were reaped.
class Nodes {
 public:
  /// Starts them all. `flags` go to each. `prepare` sees them before the first is started: their
  /// data directories can be made then.
  explicit Nodes(std::size_t count, std::vector<std::string> flags = {},
                 const std::function<void(Nodes&)>& prepare = {});
  ~Nodes();
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;

  std::size_t size() const { return nodes_.size(); }
  /// Requires: it does not run.
  void start(std::size_t i);
  /// From its next start on it waits to be added: with an empty directory, after a recovery.
  void let_join(std::size_t i) { nodes_[i].joins = true; }
  /// They know each other by a name that must be resolved. For `prepare`.
  void use_names() { peer_host_ = "localhost"; }
  /// One more node, which waits to be added; its index. It runs when this returns.
  std::size_t join();
  /// What `member add` needs.
  std::string peer_address(std::size_t i) const;
  std::string client_address(std::size_t i) const { return endpoint(i); }
  /// SIGKILL, and awaited. Nothing happens to one that does not run.
  void kill(std::size_t i);
  /// SIGTERM. Returns the exit code; -1 if it does not end within timeout_ms, and kills it then.
  int terminate(std::size_t i, std::uint64_t timeout_ms);
  void signal(std::size_t i, int number);
  /// Also notices one that ended itself.
  bool runs(std::size_t i);
  /// Of one that ended; -1 if it runs or never did.
  int exit_code(std::size_t i) const { return nodes_[i].exit_code; }

  /// Until every node that runs answers and names the same leader, which is ready.
  [[nodiscard]] bool wait_ready(std::uint64_t timeout_ms = 30000);
  /// The index of the leader; nothing if none, or a member that answers says nobody.
  std::optional<std::size_t> leader();
  /// What it says of itself; nothing if it does not answer within a second.
  std::optional<client::MemberStatus> status(std::size_t i);
  [[nodiscard]] bool hang_disk(std::size_t i, bool on);

  std::vector<std::string> endpoints() const;
  /// HOLDFAST_ENDPOINTS=…
  std::string environment() const;
  /// `holdfast` with these arguments, pointed at this cluster.
  Ended holdfast(std::vector<std::string> arguments, std::uint64_t timeout_ms = 30000,
                 const std::string& input = "");

  std::uint16_t client_port(std::size_t i) const { return nodes_[i].client_port; }
  std::uint16_t peer_port(std::size_t i) const { return nodes_[i].peer_port; }
  std::uint16_t http_port(std::size_t i) const { return nodes_[i].http_port; }
  /// What `--cluster-token` and `--initial-cluster` are told.
  const std::string& token() const { return token_; }
  std::string initial_cluster() const;
  std::string data_dir(std::size_t i) const;
  std::string log(std::size_t i) const;
  pid_t pid(std::size_t i) const { return nodes_[i].process.pid; }
  const std::string& name(std::size_t i) const { return nodes_[i].name; }
  /// The ends of all logs, for failures.
  std::string last_words(std::size_t lines = 15) const;

 private:
  struct Node {
    std::string name;
    std::uint16_t client_port = 0, peer_port = 0, http_port = 0;
    client::ctl::playground::ProcessId process;  // none while it does not run
    int exit_code = -1;
    bool joins = false;
  };
  std::string log_path(std::size_t i) const;
  std::string endpoint(std::size_t i) const;
  std::vector<std::string> arguments(std::size_t i) const;
  void ended(std::size_t i, int status);

  Scratch scratch_;
  std::string token_;
  std::vector<std::string> flags_;
  std::string peer_host_ = "127.0.0.1";
  std::vector<Node> nodes_;
};

/// The status code and the body of a page of 127.0.0.1; code 0: no answer within 5 s.
struct Page {
  int code = 0;
  std::string body;
};
Page http_get(std::uint16_t port, const std::string& path);

}  // namespace cluster
