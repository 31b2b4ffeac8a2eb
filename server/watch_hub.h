// Watches (DESIGN section 5.8): streams of changes to clients, each batch sent once the one before
// was taken, so that a slow consumer costs one batch of memory and falls behind; who falls out of
// what is held in memory is fed from the history. Door thread for everything.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "schema/client.capnp.h"
#include "server/apply_thread.h"
#include "server/node_view.h"
#include "server/watch_ring.h"

namespace server {

/// Invariants:
/// - a watch is told of each revision that touches its range once, whole, in order; each batch
/// names
///   the revision up to which it was told before;
/// - at most one batch of a stream is under way, of about kBatchBytes;
/// - a member that serves nothing, or does not know whether it is up to date, feeds nobody: their
///   watches end, and say where they can be resumed.
class WatchHub : private kj::TaskSet::ErrorHandler {
 public:
  static constexpr std::size_t kBatchBytes = 512 << 10;
  static constexpr std::size_t kRevisionBytes = 3 << 20;  // of one, that a message still holds
  static constexpr std::size_t kWatches = 20'000;
  static constexpr std::size_t kStreams = 8'000;  // polls among them
  static constexpr std::uint64_t kMarkEveryMs = 500;
  static constexpr std::uint64_t kTailEveryMs = 5;  // while a lot is written, so that it is batched
  static constexpr std::uint64_t kStallMs = 30'000;
  static constexpr std::uint64_t kUnreadyMs = 1'000;
  static constexpr std::uint32_t kPollMaxMs = 60'000;

  using Pull = std::function<void(ChangesPull pull)>;
  using WatchContext =
      capnp::CallContext<schema::Holdfast::WatchParams, schema::Holdfast::WatchResults>;
  using EventsContext =
      capnp::CallContext<schema::Holdfast::EventsParams, schema::Holdfast::EventsResults>;

  /// `pull` asks the apply thread; what it answers comes to pulled().
  WatchHub(const NodeView& view, Pull pull);
  ~WatchHub();

  kj::Promise<void> open(WatchContext context);
  kj::Promise<void> events(EventsContext context);
  void pulled(PulledChanges pulled);
  /// Every 10 ms.
  void tick(std::uint64_t now_ms);
  std::size_t watches() const { return watches_; }
  std::uint64_t sent_events() const { return sent_events_; }

 private:
  struct Watch;
  struct Batch;
  class Stream;
  class Push;
  class Poll;
  class Capability;
  using StreamPtr = std::shared_ptr<Stream>;

  base::Status admit() const;
  base::Status admit_stream() const;
  base::Result<Watch> understand(schema::WatchRequest::Reader request) const;
  void add(const StreamPtr& stream, std::uint64_t id, Watch watch,
           std::function<void(const base::Status&, kv::Revision)> added);
  void start(const StreamPtr& stream, std::uint64_t id, Watch watch);
  void ask(ChangesPull pull, std::function<void(PulledChanges)> then);
  void pull_tail(std::uint64_t now_ms);
  void tail_pulled(PulledChanges pulled);
  void feed(const StreamPtr& stream);
  void catch_up(const StreamPtr& stream, kv::Revision after, bool previous);
  void caught_up(const StreamPtr& stream, PulledChanges pulled);
  Batch collect(std::uint64_t id, Watch& watch, const kv::Changes* slice, std::size_t& room_bytes);
  void send(const StreamPtr& stream, const std::vector<Batch>& batches);
  void end_all(const base::Status& why);
  void drop(std::uint64_t number);
  void write(const Batch& batch, schema::WatchBatch::Builder to);
  /// A client that is gone.
  void taskFailed(kj::Exception&&) override {}

  const NodeView& view_;
  const Pull pull_;
  WatchRing ring_;
  bool ring_runs_ = false;         // it follows the state
  bool ring_previous_ = false;     // with previous values
  std::uint64_t ring_begins_ = 0;  // how often it began anew
  bool tail_asked_ = false;
  std::uint64_t tail_asked_ms_ = 0;
  kv::Position position_;  // of the state that was last read
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint64_t, std::function<void(PulledChanges)>> pulls_;
  std::map<std::uint64_t, StreamPtr> streams_;
  std::size_t watches_ = 0;
  std::uint64_t sent_events_ = 0;
  /// Of the capabilities, which clients may hold for longer than this lives.
  std::shared_ptr<WatchHub*> self_;
  kj::TaskSet tasks_;  // last: its tasks use all the rest
};

}  // namespace server
