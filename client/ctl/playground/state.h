// What a playground is and where it lives: a folder a tag, with a JSON file that its supervisor
// keeps up to date.
//
//   <state root>/<tag>/lock          held as long as the supervisor lives
//   <state root>/<tag>/state.json    this
//   <state root>/<tag>/control.sock  the supervisor listens
//   <data>/n1, n2, …                 the nodes' data; <data> is <state root>/<tag>/data, or --data
//   <data>/logs/n1.log, …            and supervisor.log
//   <data>/cluster.json              token and ports, for the next `up` on the same data
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "client/ctl/playground/process.h"

namespace client::ctl::playground {

/// One node as the supervisor knows it.
struct Node {
  std::string name;
  std::uint16_t client_port = 0, peer_port = 0, http_port = 0;
  ProcessId process;  // none while it does not run
  std::string state =
      "down";  // running, paused, stopping, down (asked for), crashed (restarts soon)
  std::uint32_t restarts = 0;  // of its own, after it ended itself
  std::string last_exit;       // "exit code 1", "signal 9 (Killed)"; empty if it never ended
  std::string endpoint() const { return "127.0.0.1:" + std::to_string(client_port); }
  std::string http() const { return "http://127.0.0.1:" + std::to_string(http_port); }
};

struct State {
  std::string tag;
  std::string token;
  std::string directory;  // <state root>/<tag>
  std::string data;
  bool keep_data = false;
  std::string server;  // path of holdfastd
  std::vector<std::string> server_flags;
  ProcessId supervisor;
  std::vector<Node> nodes;

  std::string state_path() const { return directory + "/state.json"; }
  std::string socket_path() const { return directory + "/control.sock"; }
  std::string log_path(const std::string& name) const { return data + "/logs/" + name + ".log"; }
  const Node* find(const std::string& name) const;
  std::vector<std::string> endpoints() const;
  std::vector<std::string> names() const;
};

/// $XDG_STATE_HOME/holdfast/playground/<tag>, or the same under ~/.local/state. Errors:
/// kInvalidArgument if the tag is not of letters, digits, '-', '_' and '.', or there is no home.
base::Result<std::string> directory_of(const std::string& tag);

std::string to_json(const State& state);
/// Errors: kCorrupt.
base::Result<State> from_json(const std::string& text);

/// Atomic: a reader sees the old file or the new one. Errors: kIo.
base::Status write_file(const std::string& path, const std::string& text);
/// Errors: kIo (missing too), naming the path.
base::Result<std::string> read_file(const std::string& path);
/// The state in a directory. Errors: kIo, kCorrupt.
base::Result<State> load(const std::string& directory);

/// The lock of a directory: held by `up` and then, inherited, by the supervisor.
class Lock {
 public:
  /// Creates the directory. Nothing if somebody else holds it. Errors: kIo.
  static base::Result<std::optional<Lock>> take(const std::string& directory);
  Lock(Lock&& other) noexcept;
  Lock& operator=(Lock&&) = delete;
  ~Lock();
  int descriptor() const { return fd_; }
  /// Lets a process that is spawned next hold it too.
  void inherit() const;

 private:
  explicit Lock(int fd) : fd_(fd) {}
  int fd_;
};
/// Whether a supervisor (or an `up` on its way) holds the directory.
bool is_locked(const std::string& directory);

}  // namespace client::ctl::playground
