#include "server/loop_thread.h"

#include <kj/exception.h>

#include <algorithm>
#include <deque>
#include <exception>
#include <map>
#include <utility>

#include "net/names.h"
#include "server/clock.h"
#include "server/event_record.h"
#include "server/generation_fence.h"

namespace server {
namespace {

constexpr std::uint64_t kPublishEveryMs = 100;
/// A chunk of a snapshot is a MiB: 50 MiB a second (reference failures.md section 6).
constexpr std::uint64_t kChunkEveryMs = 20;
/// How long a member that has left is still dialled.
constexpr std::uint64_t kLeavingMs = 10'000;

}  // namespace

/// The ports of the replica, the replica itself and its links.
class LoopThread::Turn : private LogPort,
                         private SnapshotPort,
                         private Transport,
                         private ClientPort,
                         private TraceSink,
                         private ObserverPort {
 public:
  Turn(net::Loop& loop, LoopOptions options, const LoopPeers& peers)
      : peers_(peers),
        clock_(peers.faults),
        generation_(options.position, options.recovered),
        replica_(options.replica, options.core, std::move(options.recovered),
                 std::move(options.position),
                 {.log = this,
                  .apply = peers.apply,
                  .snapshots = this,
                  .transport = this,
                  .clients = this,
                  .trace = this}),
        links_options_(std::move(options.links)),
        observer_(options.observer, *this),
        record_(*peers.lines, *peers.journal),
        loop_(loop),
        tick_ms_(options.replica.tick_ms) {}

  base::Status start() {
    auto links = net::peer::Links::start(
        loop_, links_options_,
        {.message = [this](raft::Message message) { turn([&] { receive(std::move(message)); }); },
         .rows = [this](
                     base::MemberId from,
                     std::string rows) { turn([&] { observer_.receive(from, rows, now_us_); }); },
         .link_up = [this](base::MemberId peer) { turn([&] { replica_.link_up(peer); }); },
         .link_down = [this](base::MemberId peer) { turn([&] { replica_.link_down(peer); }); }});
    if (!links) return links.status();
    links_ = std::move(links).value();
    dial(replica_.status().core.configuration);
    turn([] {});
    loop_.every(tick_ms_, [this] { turn([] {}); });
    return base::Status::ok();
  }
  std::uint16_t port() const { return links_->port(); }

  void take(std::vector<std::vector<LoopEvent>> events,
            std::vector<std::vector<ClientRequest>> requests) {
    turn([&] {
      for (auto& batch : events) {
        for (auto& event : batch) handle(std::move(event));
      }
      for (auto& batch : requests) {
        for (auto& request : batch) handle(std::move(request));
      }
    });
  }

 private:
  /// What is thrown in a turn would vanish in the promise that runs it, and leave a replica that
  /// has done half of a step: a bug like any other.
  template <class Work>
  void turn(Work work) {
    CHECK(!turning_, "a port called back from within a turn");
    try {
      run_turn(std::move(work));
    } catch (const kj::Exception& exception) {
      CHECK(false, exception.getDescription().cStr());
    } catch (const std::exception& exception) {
      CHECK(false, exception.what());
    }
  }

  template <class Work>
  void run_turn(Work work) {
    turning_ = true;
    peers_.faults->stall_loop.hold();
    now_us_ = boot_us();
    const std::uint64_t now = now_us_ / 1000;
    peers_.stamps->loop.at_ms.store(now, std::memory_order_relaxed);
    const std::uint64_t clock_ms = clock_.read(wall_ms(), now);
    const bool due = observer_.advance(now_us_, clock_ms) && links_ != nullptr;
    replica_.advance(now, clock_ms, observer_.clock());
    replica_.keep_room(peers_.space->low() ? peers_.space->reason() : "");
    work();
    replica_.pump();
    read_chunks(now);
    note_timelines();
    if (due || changed_ || now >= next_publish_ms_) {
      next_publish_ms_ = now + kPublishEveryMs;
      publish(due);
      if (!leaving_.empty()) set_peers();
    }
    if (!answers_.empty()) peers_.answer(std::exchange(answers_, {}));
    turning_ = false;
  }

  void note_timelines() {
    const raft::CoreSummary core = replica_.summary();
    Timelines::Matches matches;
    if (core.role == raft::Role::kLeader) {
      for (const auto& peer : dialled_) matches.emplace_back(peer.id, replica_.match(peer.id));
    }
    peers_.timelines->note(now_us_, core, matches);
  }

  void observe(const raft::CoreStatus& core) {
    OwnReading own;
    SyncReading& syncs = own.syncs;
    syncs.done = peers_.append_times->piece.read();
    const std::uint64_t since_ms = peers_.stamps->log.at_ms.load(std::memory_order_relaxed);
    if (since_ms != 0 && now_us_ / 1000 >= since_ms) {
      const std::uint32_t pieces = peers_.append_times->pieces_now.load(std::memory_order_relaxed);
      syncs.pending_us = (now_us_ - since_ms * 1000) / pieces;
    }
    own.full = peers_.space->low();
    own.unserved = probe_complaint(peers_.probes->read(), now_us_ / 1000, peers_.probe);
    observer_.observe(now_us_, wall_ms(), core, std::move(own));
  }

  /// With `observes` the observer looks first; what it changes is published in the next turn.
  void publish(bool observes) {
    changed_ = false;
    NodeStatus status;
    status.replica = replica_.status();
    if (observes) observe(status.replica.core);
    status.observer = observer_.report(now_us_);
    const std::uint64_t now_ms = now_us_ / 1000;
    const bool ready = all_ok(readiness(status.replica, now_ms, now_ms, peers_.readiness));
    unready_since_ms_ = ready ? 0 : unready_since_ms_ == 0 ? now_ms : unready_since_ms_;
    status.unready_since_ms = unready_since_ms_;
    for (const auto& peer : dialled_) {
      status.links.emplace_back(peer.id,
                                links_ ? links_->counters(peer.id) : net::peer::LinkCounters());
    }
    peers_.board->publish(std::move(status));
  }

  void handle(LoopEvent event) {
    if (auto* persisted = std::get_if<PersistedEvent>(&event)) {
      replica_.persisted(persisted->ordinal);
    } else if (auto* failed = std::get_if<PersistFailedEvent>(&event)) {
      peers_.lines->write(LogLevel::kError, "a write of the log has failed",
                          {{"reason", failed->status.to_string()}});
      replica_.persist_failed(failed->status);
      changed_ = true;
    } else if (auto* loaded = std::get_if<LoadedEvent>(&event)) {
      replica_.loaded(loaded->peer, loaded->from, std::move(loaded->entries));
    } else if (auto* cut = std::get_if<CutEvent>(&event)) {
      replica_.log_cut(cut->through);
    } else if (const auto* scrubbed = std::get_if<ScrubbedEvent>(&event)) {
      take_scrub(*scrubbed);
    } else if (auto* applied = std::get_if<AppliedEvent>(&event)) {
      replica_.applied(std::move(applied->entries), std::move(applied->replies),
                       std::move(applied->position));
    } else if (const auto* leases = std::get_if<LeasesChangedEvent>(&event)) {
      replica_.change_leases(leases->changes);
    } else if (auto* read = std::get_if<ReadDoneEvent>(&event)) {
      replica_.read_done(read->request, std::move(read->result), std::move(read->position));
    } else if (auto* chunk = std::get_if<raft::SnapshotRead>(&event)) {
      replica_.snapshot_read(std::move(*chunk));
    } else if (const auto* stored = std::get_if<SnapshotStoredEvent>(&event)) {
      replica_.snapshot_stored(stored->id, stored->ok);
    } else if (auto* installed = std::get_if<SnapshotInstalledEvent>(&event)) {
      replica_.snapshot_installed(std::move(installed->snapshot), std::move(installed->position));
      changed_ = true;
    } else {
      replica_.drain();
      changed_ = true;
    }
  }

  void take_scrub(const ScrubbedEvent& scrubbed) {
    if (scrubbed.status.is_ok()) {
      observer_.scrubbed(scrubbed.index, {scrubbed.digests.begin(), scrubbed.digests.end()});
    } else if (scrubbed.status.code() == base::Code::kCorrupt) {
      discard_state("its state cannot be read whole: " + scrubbed.status.detail());
    } else {
      peers_.lines->write(
          LogLevel::kWarn, "a scrub did not end",
          {{"index", scrubbed.index.value}, {"reason", scrubbed.status.to_string()}});
    }
  }

  void handle(ClientRequest request) {
    if (auto* write = std::get_if<WriteRequest>(&request.body)) {
      return replica_.write(request.id, std::move(write->payload), write->frees, write->session,
                            request.seen);
    }
    if (const auto* change = std::get_if<MemberChange>(&request.body)) {
      return replica_.change_members(request.id, *change);
    }
    if (const auto* move = std::get_if<MoveLeaderRequest>(&request.body)) {
      return replica_.move_leader(request.id, move->to);
    }
    if (auto* leases = std::get_if<LeasesRequest>(&request.body)) {
      return replica_.leases(request.id, std::move(leases->question));
    }
    auto& read = std::get<ReadRequest>(request.body);
    if (read.serializable) {
      replica_.read_serializable(request.id, std::move(read.transaction), read.max_staleness_ms,
                                 request.seen);
    } else {
      replica_.read(request.id, std::move(read.transaction), request.seen);
    }
  }

  // LogPort
  void append(raft::PersistRequest request) override {
    generation_.observe(request);
    peers_.log->append(std::move(request));
  }
  void load(raft::LoadRequest request) override { peers_.disk->load(std::move(request)); }
  void cut(base::Index through, base::Term term, base::ChainHash hash) override {
    peers_.disk->cut(through, term, hash);
  }
  void quarantine(std::string reason) override { peers_.disk->quarantine(std::move(reason)); }
  std::uint64_t size_bytes() const override { return peers_.log_store->size_bytes(); }

  // SnapshotPort
  void read(raft::SnapshotReadRequest request) override {
    if (request.index) return chunks_.push_back(std::move(request));
    peers_.apply->freeze([disk = peers_.disk, peer = request.peer](kv::StateSnapshot frozen) {
      disk->send_snapshot(peer, std::move(frozen));
    });
  }
  /// All transfers together, so that a new member costs those who write little.
  void read_chunks(std::uint64_t now_ms) {
    if (chunks_.empty() || now_ms < next_chunk_ms_) return;
    next_chunk_ms_ = now_ms + kChunkEveryMs;
    peers_.disk->read_snapshot(std::move(chunks_.front()));
    chunks_.pop_front();
  }
  void drop(base::MemberId peer) override { peers_.disk->drop_snapshot(peer); }
  void store(raft::SnapshotStoreRequest request) override {
    peers_.disk->store_snapshot(std::move(request));
  }
  void install(raft::SnapshotMeta snapshot) override {
    peers_.disk->take_snapshot(
        [apply = peers_.apply, snapshot](std::unique_ptr<kv::IncomingEngine> store) {
          apply->install(std::move(store), snapshot);
        });
  }

  // Transport
  void send(raft::Message message) override {
    message.generation = generation_.own();
    links_->send(std::move(message));
  }
  void receive(raft::Message message) {
    if (generation_.admits(message)) return replica_.receive(std::move(message));
    if (!generation_.refused_first(message)) return;
    peers_.lines->write(
        LogLevel::kWarn, "member of another generation refused",
        {{"peer", base::to_hex(message.from.value)}, {"reason", generation_.reason(message)}});
  }
  void members_changed(const raft::Configuration& configuration) override {
    changed_ = true;
    dial(configuration);
  }

  /// Whom the configuration names, where it says; where it does not, or while there is none, where
  /// the flags say.
  void dial(const raft::Configuration& configuration) {
    const std::vector<net::peer::PeerAddress>& flags = links_options_.peers;
    std::vector<net::peer::PeerAddress> before = std::exchange(dialled_, {});
    if (configuration.voters.empty()) dialled_ = flags;
    for (const base::MemberId id : configuration.ids()) {
      names_[id] = configuration.find(id)->name;
      if (id == links_options_.self) continue;
      auto address = net::parse_address(configuration.find(id)->peer_address);
      const auto flag =
          std::find_if(flags.begin(), flags.end(), [&](const auto& each) { return each.id == id; });
      if (address.is_ok()) {
        dialled_.push_back({id, std::move(address).value()});
      } else if (flag != flags.end()) {
        dialled_.push_back(*flag);
      }
    }
    // Who has left is still answered for a while: a leader that goes must learn that it may.
    for (auto& address : before) {
      const bool stays = std::any_of(dialled_.begin(), dialled_.end(),
                                     [&](const auto& each) { return each.id == address.id; });
      if (!stays) leaving_.push_back({std::move(address), boot_ms() + kLeavingMs});
    }
    set_peers();
  }

  void set_peers() {
    std::erase_if(leaving_, [now = boot_ms()](const auto& each) { return each.until_ms <= now; });
    auto peers = dialled_;
    for (const Leaving& each : leaving_) {
      const bool back = std::any_of(dialled_.begin(), dialled_.end(),
                                    [&](const auto& peer) { return peer.id == each.address.id; });
      if (!back) peers.push_back(each.address);
    }
    links_->set_peers(peers);
  }

  // ClientPort
  void finish(std::uint64_t request, RequestOutcome outcome) override {
    answers_.push_back({request, std::move(outcome)});
  }

  // TraceSink
  void trace(const raft::TraceEvent& event) override {
    if (event.kind != raft::TraceKind::kCommitted) changed_ = true;
    record_.trace(event, [this](base::MemberId id) { return name_of(id); });
  }
  std::string name_of(base::MemberId id) const override {
    const auto at = names_.find(id);
    return at == names_.end() || at->second.empty() ? base::to_hex(id.value) : at->second;
  }

  // ObserverPort
  void send_rows(base::MemberId to, const std::string& rows) override {
    links_->send_rows(to, rows);
  }
  void assess(raft::SelfAssessment assessment) override { replica_.assess(std::move(assessment)); }
  void yield_leadership(base::MemberId to, const std::string& reason) override {
    replica_.yield_leadership(to, reason);
  }
  void diverged(const std::string& evidence) override { discard_state(evidence); }
  /// It is not mended where it stands: the disk, or a bug, would have it again.
  void discard_state(const std::string& why) {
    peers_.lines->write(LogLevel::kError, "the own state is not trusted any more",
                        {{"reason", why}});
    peers_.disk->discard_state(peers_.member_directory, why);
  }
  void judged(const health::Verdict& verdict, bool stands) override {
    changed_ = true;
    record_.judged(verdict, stands, [this](base::MemberId id) { return name_of(id); });
  }

  const LoopPeers& peers_;
  bool turning_ = false;
  BentClock clock_;                    // what stamps come from
  std::uint64_t now_us_ = 0;           // when this turn began
  std::vector<ClientAnswer> answers_;  // of this turn
  bool changed_ = false;               // something that status shows at once
  std::uint64_t next_publish_ms_ = 0;
  std::uint64_t unready_since_ms_ = 0;  // 0: it is ready
  GenerationFence generation_;
  Replica replica_;
  const net::peer::LinksOptions links_options_;
  struct Leaving {
    net::peer::PeerAddress address;
    std::uint64_t until_ms = 0;
  };
  std::vector<net::peer::PeerAddress> dialled_;  // the members of the configuration
  std::vector<Leaving> leaving_;
  std::deque<raft::SnapshotReadRequest> chunks_;  // that followers wait for
  std::uint64_t next_chunk_ms_ = 0;
  std::map<base::MemberId, std::string> names_;  // of everybody who ever was a member
  Observer observer_;
  EventRecord record_;
  std::unique_ptr<net::peer::Links> links_;
  net::Loop& loop_;
  const std::uint32_t tick_ms_;
};

LoopThread::LoopThread(LoopOptions options, LoopPeers peers)
    : options_(std::move(options)),
      peers_(std::move(peers)),
      doorbell_([this] { drain(); }),
      events_(SIZE_MAX, [this] { doorbell_.ring(); }),
      requests_(kRequestBytes, [this] { doorbell_.ring(); }),
      lease_requests_(kLeaseRequestBytes, [this] { doorbell_.ring(); }) {}
LoopThread::~LoopThread() = default;

void LoopThread::post(std::vector<LoopEvent> events) {
  events_.push(std::move(events));
}

bool LoopThread::try_request(std::vector<ClientRequest>&& requests, std::size_t size_bytes) {
  return requests_.try_push(std::move(requests), size_bytes);
}

bool LoopThread::try_lease_request(std::vector<ClientRequest>&& requests, std::size_t size_bytes) {
  return lease_requests_.try_push(std::move(requests), size_bytes);
}

void LoopThread::drain() {
  if (turn_ == nullptr) return;
  // What was applied first, then renewals: a lease that is ending is not renewed, and one that is
  // renewed does not wait for writes.
  turn_->take(events_.drain(), lease_requests_.drain());
  if (auto requests = requests_.drain(); !requests.empty()) turn_->take({}, std::move(requests));
}

void LoopThread::run() {
  net::Loop loop;
  loop.names().meet(&peers_.faults->names);
  Turn turn(loop, std::move(options_), peers_);
  const base::Status status = turn.start();
  if (!status.is_ok()) return started_.set_value(status);
  peer_port_ = turn.port();
  turn_ = &turn;
  const bool stopped = !doorbell_.attach(loop);
  started_.set_value(base::Status::ok());
  if (!stopped) loop.run();
  doorbell_.detach();
  turn_ = nullptr;
  peers_.stamps->loop.at_ms.store(0, std::memory_order_relaxed);
}

}  // namespace server
