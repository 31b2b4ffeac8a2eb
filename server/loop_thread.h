// The loop thread: peer links, ticks, Replica and core (DESIGN section 4). Touches no disk and
// waits for nobody.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <vector>

#include "base/mailbox.h"
#include "net/loop.h"
#include "net/peer/links.h"
#include "server/apply_thread.h"
#include "server/disk_thread.h"
#include "server/doorbell.h"
#include "server/events.h"
#include "server/journal.h"
#include "server/log_sink.h"
#include "server/log_thread.h"
#include "server/observer.h"
#include "server/probe.h"
#include "server/process_faults.h"
#include "server/readiness.h"
#include "server/replica.h"
#include "server/space_probe.h"
#include "server/stamps.h"
#include "server/status_board.h"
#include "server/timelines.h"
#include "storage/log_store.h"

namespace server {

/// Everything that the replica starts from.
struct LoopOptions {
  ReplicaOptions replica;
  raft::Options core;
  raft::Recovered recovered;
  kv::Position position;
  net::peer::LinksOptions links;
  ObserverOptions observer;
};

/// What the loop speaks to. All outlive it.
struct LoopPeers {
  storage::LogStore* log_store = nullptr;  // only what any thread may call
  LogThread* log = nullptr;
  DiskThread* disk = nullptr;
  ApplyThread* apply = nullptr;
  StatusBoard* board = nullptr;
  Stamps* stamps = nullptr;
  LogSink* lines = nullptr;
  Journal* journal = nullptr;
  ReadinessOptions readiness;
  ProcessFaults* faults = nullptr;
  const SpaceProbe* space = nullptr;
  const ProbeBoard* probes = nullptr;
  ProbeOptions probe;
  std::string member_directory;
  const AppendTimes* append_times = nullptr;  // of the log thread
  Timelines* timelines = nullptr;
  /// The answers of one turn; called on the loop thread, must not block.
  std::function<void(std::vector<ClientAnswer>)> answer;
};

/// Invariants:
/// - time is moved on before anything else in each turn, so that a loop that slept steps down
/// before
///   it answers;
/// - a turn ends with pump() and with its answers on their way.
class LoopThread {
 public:
  static constexpr std::size_t kRequestBytes = 32 << 20;
  static constexpr std::size_t kLeaseRequestBytes = 4 << 20;

  LoopThread(LoopOptions options, LoopPeers peers);
  ~LoopThread();

  // Any thread.
  void post(std::vector<LoopEvent> events);
  /// False: too much is queued, nothing was taken in.
  bool try_request(std::vector<ClientRequest>&& requests, std::size_t size_bytes);
  /// The same for questions about leases, which have a lane of their own.
  bool try_lease_request(std::vector<ClientRequest>&& requests, std::size_t size_bytes);
  void stop() { doorbell_.stop(); }
  /// Ready once run() listens and ticks, or could not.
  std::future<base::Status> started() { return started_.get_future(); }
  /// After started().
  std::uint16_t peer_port() const { return peer_port_; }

  /// The thread's life, until stop().
  void run();

 private:
  class Turn;  // what lives on the loop's thread while run() does
  void drain();

  LoopOptions options_;
  const LoopPeers peers_;
  std::promise<base::Status> started_;
  std::uint16_t peer_port_ = 0;
  Turn* turn_ = nullptr;  // loop thread
  Doorbell doorbell_;
  base::Mailbox<std::vector<LoopEvent>> events_;
  base::Mailbox<std::vector<ClientRequest>> requests_;
  base::Mailbox<std::vector<ClientRequest>> lease_requests_;
};

}  // namespace server
