#include "server/node.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "server/apply_thread.h"
#include "server/clock.h"
#include "server/disk_thread.h"
#include "server/door_thread.h"
#include "server/log_thread.h"
#include "server/loop_thread.h"
#include "server/watchdog.h"
#include "storage/data_directory.h"

namespace server {
namespace {

using base::Result;
using base::Status;

net::peer::LinksOptions links_options(const Config& config, std::uint64_t seed) {
  net::peer::LinksOptions options;
  options.cluster = config.cluster;
  options.self = config.self;
  options.listen = config.listen_peer;
  options.seed = seed;
  options.silent_ms *= config.time_scale;
  for (const auto& member : config.members) {
    if (member.id != config.self) options.peers.push_back({member.id, member.peer});
  }
  return options;
}

LoopOptions loop_options(const Config& config, const storage::LogStore& log,
                         raft::Recovered recovered, kv::Position position, FaultPlane& faults) {
  LoopOptions options;
  options.replica.cluster = config.cluster;
  options.replica.tick_ms = config.tick_ms();
  options.replica.log_bytes = config.log_bytes_max;
  options.replica.scrub_every_ms = config.scrub_ms;
  options.core = core_options(config, log.opening(), log.identity().incarnation);
  options.recovered = std::move(recovered);
  options.position = std::move(position);
  options.links = links_options(config, options.core.seed);
  options.observer.self = config.self;
  options.observer.epoch = log.opening().epoch;
  options.observer.tick_ms = config.tick_ms();
  options.observer.time_scale = config.time_scale;
  if (config.allow_faults) options.links.faults = &faults.links();
  return options;
}

/// What is known before the loop has turned once: somebody may ask the door earlier.
NodeStatus status_at_opening(const raft::Recovered& recovered, const kv::Position& position) {
  NodeStatus status;
  status.replica.core.term = recovered.hard_state.term;
  status.replica.core.quarantined = recovered.quarantined;
  status.replica.core.quarantine_reason = recovered.quarantine_reason;
  status.replica.position = position;
  return status;
}

ReadinessOptions readiness_options(const Config& config) {
  ReadinessOptions options;
  options.tick_ms = config.tick_ms();
  options.election_ticks = config.election_ms / 10;
  options.stuck_ms *= config.time_scale;
  options.dead_ms *= config.time_scale;
  return options;
}

WatchdogOptions watchdog_options(const Config& config, Node::End end) {
  WatchdogOptions options;
  options.stuck_ms *= config.time_scale;
  options.end = std::move(end);
  return options;
}

}  // namespace

/// The objects in the order in which they need each other; destroyed the other way round.
class Node::Impl {
 public:
  Impl(const Config& config, LogSink& lines, End end, FaultPlane& faults,
       std::unique_ptr<storage::DataDirectory> directory, std::unique_ptr<kv::StateMachine> machine,
       raft::Recovered recovered);

  std::vector<Role> roles();
  Status wait_until_listening();
  bool drain(std::uint32_t timeout_ms);
  void stop();
  bool wait_until_stopped(std::uint32_t timeout_ms);

  const DoorThread& door() const { return door_; }

 private:
  NodeView view();
  LoopPeers loop_peers();
  ProbeOptions probe_options() const;
  Role role(std::string name, std::function<void()> run);
  template <class Done>
  bool poll_until(std::uint32_t timeout_ms, Done done);

  const Config& config_;
  LogSink& lines_;
  FaultPlane& faults_;
  std::unique_ptr<storage::DataDirectory> directory_;
  const kv::Position position_;  // at the opening
  Stamps stamps_;
  StatusBoard board_;
  AppendTimes append_times_;
  Journal journal_;
  Timelines timelines_;
  SpaceProbe space_;
  ProbeBoard probes_;
  Watchdog watchdog_;
  LogThread log_;
  ApplyThread apply_;
  DiskThread disk_;
  LoopThread loop_;
  DoorThread door_;
  std::future<Status> loop_started_;
  std::future<Status> door_started_;
  std::mutex mutex_;
  std::condition_variable role_ended_;
  std::size_t running_ = 0;  // guarded by mutex_
};

Node::Impl::Impl(const Config& config, LogSink& lines, End end, FaultPlane& faults,
                 std::unique_ptr<storage::DataDirectory> directory,
                 std::unique_ptr<kv::StateMachine> machine, raft::Recovered recovered)
    : config_(config),
      lines_(lines),
      faults_(faults),
      directory_(std::move(directory)),
      position_(machine->position()),
      board_(status_at_opening(recovered, position_)),
      space_(config.data_dir, faults.process()),
      watchdog_(watchdog_options(config, std::move(end)), stamps_),
      log_(
          directory_->log(), [this](auto events) { loop_.post(std::move(events)); },
          [this](const Status& status) { watchdog_.fatal(status); }, stamps_.log, append_times_,
          faults.process()),
      apply_(
          std::move(machine), [this](auto events) { loop_.post(std::move(events)); },
          [this](const Status& status) { watchdog_.fatal(status); }, stamps_.apply,
          faults.process()),
      disk_(
          directory_->log(), [this] { return apply_.begin_install(); },
          [this](auto events) { loop_.post(std::move(events)); },
          [this](const Status& status) { watchdog_.fatal(status); }, stamps_.disk, lines, space_),
      loop_(loop_options(config, directory_->log(), std::move(recovered), position_, faults_),
            loop_peers()),
      door_(
          DoorOptions(), view(), stamps_.door,
          [this](std::vector<ClientRequest>&& requests, std::size_t size_bytes) {
            return loop_.try_request(std::move(requests), size_bytes);
          },
          [this](std::vector<ClientRequest>&& requests, std::size_t size_bytes) {
            return loop_.try_lease_request(std::move(requests), size_bytes);
          }),
      loop_started_(loop_.started()),
      door_started_(door_.started()) {
  apply_.scrub_with([this](kv::StateSnapshot frozen) { disk_.scrub(std::move(frozen)); });
}

ProbeOptions Node::Impl::probe_options() const {
  ProbeOptions options;
  options.every_ms = config_.probe_ms;
  options.timeout_ms *= config_.time_scale;
  return options;
}

NodeView Node::Impl::view() {
  NodeView view;
  view.config = &config_;
  view.board = &board_;
  view.stamps = &stamps_;
  view.log = &directory_->log();
  view.lines = &lines_;
  view.journal = &journal_;
  view.space = &space_;
  view.probes = &probes_;
  view.probe = probe_options();
  view.faults = &faults_;
  view.append_times = &append_times_;
  view.timelines = &timelines_;
  view.sessions = [this] { return apply_.sessions(); };
  view.apply = &apply_;
  view.disk = &disk_;
  view.readiness = readiness_options(config_);
  return view;
}

LoopPeers Node::Impl::loop_peers() {
  LoopPeers peers;
  peers.log_store = &directory_->log();
  peers.log = &log_;
  peers.disk = &disk_;
  peers.apply = &apply_;
  peers.board = &board_;
  peers.stamps = &stamps_;
  peers.lines = &lines_;
  peers.journal = &journal_;
  peers.faults = &faults_.process();
  peers.space = &space_;
  peers.probes = &probes_;
  peers.probe = probe_options();
  peers.member_directory = config_.data_dir + "/member";
  peers.readiness = readiness_options(config_);
  peers.append_times = &append_times_;
  peers.timelines = &timelines_;
  peers.answer = [this](std::vector<ClientAnswer> answers) { door_.answer(std::move(answers)); };
  return peers;
}

Node::Role Node::Impl::role(std::string name, std::function<void()> run) {
  std::lock_guard lock(mutex_);
  ++running_;
  return {std::move(name), [this, run = std::move(run)] {
            run();
            std::lock_guard ended(mutex_);
            --running_;
            role_ended_.notify_all();
          }};
}

std::vector<Node::Role> Node::Impl::roles() {
  return {role("loop", [this] { loop_.run(); }), role("door", [this] { door_.run(); }),
          role("log", [this] { log_.run(); }),   role("apply", [this] { apply_.run(); }),
          role("disk", [this] { disk_.run(); }), role("watchdog", [this] { watchdog_.run(); })};
}

Status Node::Impl::wait_until_listening() {
  Status status = loop_started_.get();
  const Status door = door_started_.get();
  if (status.is_ok()) status = door;
  return status;
}

/// For the few moments of a shutdown: asks every 5 ms.
template <class Done>
bool Node::Impl::poll_until(std::uint32_t timeout_ms, Done done) {
  const std::uint64_t end_ms = boot_ms() + timeout_ms;
  std::unique_lock lock(mutex_);
  while (!done()) {
    if (boot_ms() >= end_ms) return false;
    role_ended_.wait_for(lock, std::chrono::milliseconds(5));
  }
  return true;
}

bool Node::Impl::drain(std::uint32_t timeout_ms) {
  std::vector<LoopEvent> events;
  events.emplace_back(DrainEvent{});
  loop_.post(std::move(events));
  return poll_until(timeout_ms, [this] {
    const auto status = board_.read();
    return status->replica.draining && status->replica.pending_requests == 0 &&
           status->replica.core.role != raft::Role::kLeader;
  });
}

void Node::Impl::stop() {
  door_.stop();
  loop_.stop();
  log_.stop();
  apply_.stop();
  disk_.stop();
  watchdog_.stop();
}

bool Node::Impl::wait_until_stopped(std::uint32_t timeout_ms) {
  return poll_until(timeout_ms, [this] { return running_ == 0; });
}

Result<std::unique_ptr<Node>> Node::open(const Config& config, LogSink& lines, FaultPlane& faults,
                                         End end) {
  storage::DataDirectoryOptions options;
  options.path = config.data_dir;
  options.cluster = config.cluster;
  options.member = config.self;
  options.faults = config.allow_faults ? &faults.storage() : nullptr;
  auto directory = storage::DataDirectory::open(options);
  if (!directory) return directory.status();
  auto machine = kv::StateMachine::open(directory.value()->take_engine());
  if (!machine) return machine.status();
  auto recovered = storage::reconcile(
      directory.value()->log(), machine.value()->position(),
      config.join ? raft::Configuration() : initial_configuration(config.members));
  if (!recovered) return recovered.status();
  lines.write(recovered->quarantined ? LogLevel::kError : LogLevel::kInfo, "data directory opened",
              {{"path", config.data_dir},
               {"epoch", directory.value()->log().opening().epoch},
               {"term", recovered->hard_state.term.value},
               {"applied", recovered->applied.value},
               {"generation", machine.value()->position().generation},
               {"entries", std::uint64_t{recovered->metas.size()}},
               {"quarantined", recovered->quarantined},
               {"reason", recovered->quarantine_reason}});
  return std::unique_ptr<Node>(new Node(
      std::make_unique<Impl>(config, lines, std::move(end), faults, std::move(directory).value(),
                             std::move(machine).value(), std::move(recovered).value())));
}

Node::Node(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Node::~Node() = default;
std::vector<Node::Role> Node::roles() {
  return impl_->roles();
}
Status Node::wait_until_listening() {
  return impl_->wait_until_listening();
}
std::uint16_t Node::client_port() const {
  return impl_->door().client_port();
}
std::uint16_t Node::http_port() const {
  return impl_->door().http_port();
}
bool Node::drain(std::uint32_t timeout_ms) {
  return impl_->drain(timeout_ms);
}
void Node::stop() {
  impl_->stop();
}
bool Node::wait_until_stopped(std::uint32_t timeout_ms) {
  return impl_->wait_until_stopped(timeout_ms);
}

}  // namespace server
