// One member put together: data directory, state machine, replica, doors and the objects behind the
// threads. Makes no thread: main.cc, or a test, runs each of roles() on one.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "server/config.h"
#include "server/fault_plane.h"
#include "server/log_sink.h"

namespace server {

/// Invariants:
/// - every role runs on a thread of its own, from start to the end of shut_down();
/// - an orderly end hands leadership on, answers what it can, and leaves log and state synced.
class Node {
 public:
  struct Role {
    std::string name;  // at most 15 bytes, for the thread
    std::function<void()> run;
  };
  /// How the watchdog ends the process; tests put something else here.
  using End = std::function<void(const std::string& text)>;

  /// Opens the data directory, brings log and state together. Blocks; before any thread runs.
  /// `config`, `lines` and `faults` outlive the node. Errors: as DataDirectory::open,
  /// StateMachine::open and reconcile; each says what to do.
  static base::Result<std::unique_ptr<Node>> open(const Config& config, LogSink& lines,
                                                  FaultPlane& faults, End end);
  ~Node();

  std::vector<Role> roles();
  /// After the roles were started: waits until this member listens. Errors: kInvalidArgument, kIo,
  /// naming the address.
  base::Status wait_until_listening();
  std::uint16_t client_port() const;
  std::uint16_t http_port() const;

  /// Refuses new requests and hands leadership on; returns when nothing is pending, after
  /// `timeout_ms` at the latest. False after a time-out.
  bool drain(std::uint32_t timeout_ms);
  /// Tells the loops to end, then the workers to finish what they have, then the watchdog. The
  /// roles' run() return soon after; that of a hung disk does not.
  void stop();
  /// Whether every role's run() has returned, waiting at most `timeout_ms`.
  bool wait_until_stopped(std::uint32_t timeout_ms);

 private:
  class Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace server
