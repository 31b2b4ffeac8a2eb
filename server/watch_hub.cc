#include "server/watch_hub.h"

#include <algorithm>
#include <utility>

#include "schema/codec.h"
#include "server/clock.h"
#include "server/watch_stream.h"

namespace server {

using base::Code;
using base::Result;
using base::Status;
using kv::Revision;

namespace {

template <class Results>
void answer(const Status& status, Results to) {
  to.setCode(static_cast<std::uint16_t>(status.code()));
  to.setDetail(status.detail());
}

}  // namespace

class WatchHub::Capability final : public schema::WatchStream::Server {
 public:
  Capability(std::shared_ptr<WatchHub*> owner, std::uint64_t number)
      : owner_(std::move(owner)), number_(number) {}
  ~Capability() noexcept {
    if (*owner_ != nullptr) (*owner_)->drop(number_);
  }
  kj::Promise<void> add(AddContext context) override {
    KJ_REQUIRE(*owner_ != nullptr, "the door is closed");
    WatchHub& hub = **owner_;
    const auto params = context.getParams();
    const std::uint64_t id = params.getWatch();
    const auto at = hub.streams_.find(number_);
    Result<Watch> watch = hub.understand(params.getRequest());
    Status status = watch.status();
    if (at == hub.streams_.end()) {
      status = Status(Code::kLagging, "the stream has ended");
    } else if (status.is_ok() && at->second->watches.contains(id)) {
      status = Status(Code::kInvalidArgument, "a watch of that id is in this stream");
    }
    if (!status.is_ok()) {
      answer(status, context.getResults());
      return kj::READY_NOW;
    }
    auto paf = kj::newPromiseAndFulfiller<void>();
    auto fulfiller = std::make_shared<kj::Own<kj::PromiseFulfiller<void>>>(kj::mv(paf.fulfiller));
    hub.add(at->second, id, std::move(watch).value(),
            [context, fulfiller](const Status& refusal, Revision revision) mutable {
              auto to = context.getResults();
              answer(refusal, to);
              if (refusal.is_ok()) to.setRevision(revision.value);
              if (!refusal.is_ok()) to.setResume(revision.value);
              (*fulfiller)->fulfill();
            });
    return kj::mv(paf.promise);
  }
  kj::Promise<void> cancel(CancelContext context) override {
    KJ_REQUIRE(*owner_ != nullptr, "the door is closed");
    WatchHub& hub = **owner_;
    const auto at = hub.streams_.find(number_);
    if (at != hub.streams_.end())
      hub.watches_ -= at->second->watches.erase(context.getParams().getWatch());
    return kj::READY_NOW;
  }

 private:
  const std::shared_ptr<WatchHub*> owner_;
  const std::uint64_t number_;
};

WatchHub::WatchHub(const NodeView& view, Pull pull)
    : view_(view),
      pull_(std::move(pull)),
      self_(std::make_shared<WatchHub*>(this)),
      tasks_(*this) {}

WatchHub::~WatchHub() {
  *self_ = nullptr;
}

// ---- Beginning ----

/// Whether this member feeds watches now.
Status WatchHub::admit() const {
  const auto status = view_.board->read();
  const raft::CoreStatus& core = status->replica.core;
  if (core.quarantined) return {Code::kQuarantined, core.quarantine_reason};
  if (core.needs_snapshot) return {Code::kUnavailable, "this member waits for a snapshot"};
  const std::uint64_t since_ms = status->unready_since_ms;
  if (since_ms != 0 && boot_ms() >= since_ms + kUnreadyMs)
    return {Code::kUnavailable, "this member is not ready, so what it has may be old"};
  return Status::ok();
}

Status WatchHub::admit_stream() const {
  if (streams_.size() >= kStreams)
    return {Code::kOverloaded, "this member has too many streams of watches"};
  return admit();
}

Result<WatchHub::Watch> WatchHub::understand(schema::WatchRequest::Reader request) const {
  if (Status status = admit(); !status.is_ok()) return status;
  if (watches_ >= kWatches) return Status(Code::kOverloaded, "this member has too many watches");
  Watch watch;
  watch.range = schema::read(request.getRange());
  kv::Transaction as_read;
  as_read.then.push_back(kv::RangeOperation{watch.range});
  if (Status status = kv::validate(as_read, kv::Limits()); !status.is_ok()) return status;
  watch.previous = request.getPrevious();
  watch.no_puts = request.getNoPuts();
  watch.no_deletes = request.getNoDeletes();
  watch.from = Revision(request.getFrom());
  const std::uint64_t generation = view_.board->read()->replica.position.generation;
  if (watch.from && request.getGeneration() != 0 && request.getGeneration() != generation)
    return Status(Code::kRolledBack, "the revision is of generation " +
                                         std::to_string(request.getGeneration()) +
                                         ", this member is in " + std::to_string(generation));
  return watch;
}

kj::Promise<void> WatchHub::open(WatchContext context) {
  if (Status status = admit_stream(); !status.is_ok()) {
    answer(status, context.getResults());
    return kj::READY_NOW;
  }
  const std::uint64_t number = next_id_++;
  auto stream = std::make_shared<Push>(number, context.getParams().getReceiver(), self_);
  stream->told_ms = boot_ms();
  streams_.emplace(number, std::move(stream));
  context.getResults().setStream(kj::heap<Capability>(self_, number));
  return kj::READY_NOW;
}

kj::Promise<void> WatchHub::events(EventsContext context) {
  const auto params = context.getParams();
  const std::uint64_t number = next_id_++;
  auto paf = kj::newPromiseAndFulfiller<void>();
  const std::uint64_t until_ms = boot_ms() + std::min(params.getWaitMs(), kPollMaxMs);
  const StreamPtr poll = std::make_shared<Poll>(number, context, kj::mv(paf.fulfiller), until_ms);
  streams_.emplace(number, poll);
  const auto refuse = [this, poll](const Status& status, Revision resume) {
    Batch batch;
    batch.end = status;
    batch.resume = resume;
    poll->tell(*this, {batch});
  };
  const Status admitted = admit_stream();
  Result<Watch> watch = admitted.is_ok() ? understand(params.getWatch()) : Result<Watch>(admitted);
  if (!watch.is_ok()) {
    refuse(watch.status(), Revision());
  } else {
    add(poll, 0, std::move(watch).value(), [refuse](const Status& refusal, Revision resume) {
      if (!refusal.is_ok()) refuse(refusal, resume);
    });
  }
  return kj::mv(paf.promise);
}

/// The apply thread says where the state stands. `added` is told the revision before the first that
/// is told of, or with a refusal from where on it would be possible (0: nowhere).
void WatchHub::add(const StreamPtr& stream, std::uint64_t id, Watch watch,
                   std::function<void(const Status&, Revision)> added) {
  ask({.after = std::nullopt},
      [this, stream, id, watch = std::move(watch), added](PulledChanges pulled) mutable {
        if (!streams_.contains(stream->number))
          return added(Status(Code::kLagging, "the stream has ended"), Revision());
        const Revision now = pulled.position.revision;
        const Revision compacted = pulled.position.compacted;
        watch.told = watch.from ? Revision(watch.from.value - 1) : now;
        if (watch.told < compacted)
          return added(Status(Code::kCompacted, "the oldest revision that can be watched is " +
                                                    std::to_string(compacted.next().value)),
                       compacted.next());
        added(Status::ok(), watch.told);
        start(stream, id, std::move(watch));
      });
}

void WatchHub::start(const StreamPtr& stream, std::uint64_t id, Watch watch) {
  if (!ring_runs_ || (watch.previous && !ring_previous_)) {
    ring_runs_ = true;
    ring_previous_ = ring_previous_ || watch.previous;
    ++ring_begins_;
    ring_.restart(std::max(ring_.through(), position_.revision));
  }
  watch.through = watch.told;
  watch.group = ring_.group(watch.range);
  watches_ += stream->watches.emplace(id, std::move(watch)).second ? 1 : 0;
  feed(stream);
  pull_tail(boot_ms());
}

void WatchHub::drop(std::uint64_t number) {
  const auto at = streams_.find(number);
  if (at == streams_.end()) return;
  watches_ -= at->second->watches.size();
  // It may be in the middle of something.
  tasks_.add(kj::evalLater([stream = at->second] {}));
  streams_.erase(at);
}

// ---- Reading ----

void WatchHub::ask(ChangesPull pull, std::function<void(PulledChanges)> then) {
  pull.id = next_id_++;
  pulls_.emplace(pull.id, std::move(then));
  pull_(pull);
}

void WatchHub::pulled(PulledChanges pulled) {
  const auto at = pulls_.find(pulled.id);
  if (at == pulls_.end()) return;
  const auto then = std::move(at->second);
  pulls_.erase(at);
  if (pulled.position.applied > position_.applied) position_ = pulled.position;
  then(std::move(pulled));
}

/// One is always under way while anybody watches; it waits at the apply thread.
void WatchHub::pull_tail(std::uint64_t now_ms) {
  if (tail_asked_ || !ring_runs_ || now_ms < tail_asked_ms_ + kTailEveryMs) return;
  tail_asked_ = true;
  tail_asked_ms_ = now_ms;
  ask({.after = ring_.through(), .previous = ring_previous_, .bytes = WatchRing::kBytes / 8},
      [this, begins = ring_begins_](PulledChanges pulled) {
        tail_asked_ = false;
        if (begins == ring_begins_) return tail_pulled(std::move(pulled));
        pull_tail(boot_ms());
      });
}

void WatchHub::tail_pulled(PulledChanges pulled) {
  if (watches_ == 0) {
    ring_runs_ = ring_previous_ = false;
    ring_.restart(pulled.position.revision);
    return;
  }
  if (!pulled.changes.is_ok()) {
    ring_.restart(pulled.position.revision);  // compacted: who is behind hears of it by itself
  } else {
    ring_.add(std::move(pulled.changes).value());
  }
  for (const auto& [number, stream] : std::map(streams_)) feed(stream);
  pull_tail(boot_ms());
}

// ---- Feeding ----

/// What one watch is to be told, from a slice of the history or from the ring, up to where there is
/// room: whole revisions, at least one.
WatchHub::Batch WatchHub::collect(std::uint64_t id, Watch& watch, const kv::Changes* slice,
                                  std::size_t& room_bytes) {
  Batch batch{.watch = id, .previous = watch.told};
  batch.with_previous = watch.previous;
  Revision through = slice != nullptr ? slice->through : ring_.through();
  std::size_t bytes = 0;
  std::size_t revision_bytes = 0;
  const auto take = [&](const kv::Change& change) {
    if (!watch.wants(change)) return true;
    const Revision revision = change.event.item.modify_revision;
    const bool begins =
        batch.changes.empty() || batch.changes.back()->event.item.modify_revision != revision;
    if (begins && !batch.changes.empty() && bytes >= room_bytes) {
      through = Revision(revision.value - 1);
      return false;
    }
    revision_bytes = (begins ? 0 : revision_bytes) + change.size_bytes();
    bytes += change.size_bytes();
    if (revision_bytes > kRevisionBytes) {
      batch.end = Status(Code::kTooLarge, "revision " + std::to_string(revision.value) +
                                              " changes more than one message can hold");
      batch.resume = revision.next();
      return false;
    }
    batch.changes.push_back(&change);
    return true;
  };
  if (slice != nullptr) {
    for (const kv::Change& change : slice->changes) {
      if (change.event.item.modify_revision <= watch.through) continue;
      if (!kv::contains(watch.range, change.event.item.key)) continue;
      if (!take(change)) break;
    }
  } else {
    ring_.visit(*watch.group, watch.through, take);
  }
  if (!batch.end.is_ok()) {
    const Revision bad(batch.resume.value - 1);
    while (!batch.changes.empty() && batch.changes.back()->event.item.modify_revision == bad)
      batch.changes.pop_back();
    through = Revision(bad.value - 1);
  }
  watch.through = batch.revision = through;
  room_bytes -= std::min(room_bytes, bytes);
  return batch;
}

void WatchHub::feed(const StreamPtr& stream) {
  if (stream->busy || stream->catching || !ring_runs_) return;
  std::optional<Revision> oldest;  // of those that the ring is not enough for
  bool previous = false;
  for (const auto& [id, watch] : stream->watches) {
    if (watch.through >= ring_.after()) continue;
    oldest = std::min(oldest.value_or(watch.through), watch.through);
    previous = previous || watch.previous;
  }
  if (oldest) return catch_up(stream, *oldest, previous);
  std::vector<Batch> batches;
  std::size_t room_bytes = kBatchBytes;
  for (auto& [id, watch] : stream->watches) {
    if (watch.through >= ring_.through() || room_bytes == 0) continue;
    Batch batch = collect(id, watch, nullptr, room_bytes);
    if (!batch.changes.empty() || !batch.end.is_ok()) batches.push_back(std::move(batch));
  }
  if (!batches.empty()) send(stream, batches);
}

void WatchHub::catch_up(const StreamPtr& stream, Revision after, bool previous) {
  stream->catching = true;
  ask({.after = after, .previous = previous, .bytes = kBatchBytes},
      [this, stream](PulledChanges pulled) { caught_up(stream, std::move(pulled)); });
}

void WatchHub::caught_up(const StreamPtr& stream, PulledChanges pulled) {
  stream->catching = false;
  if (!streams_.contains(stream->number)) return;
  std::vector<Batch> batches;
  std::size_t room_bytes = kBatchBytes;
  for (auto& [id, watch] : stream->watches) {
    if (!pulled.changes.is_ok()) {
      if (watch.through >= pulled.position.compacted) continue;
      Batch batch{.watch = id, .previous = watch.told, .revision = watch.told};
      batch.end = pulled.changes.status();
      batch.resume = pulled.position.compacted.next();
      batches.push_back(std::move(batch));
    } else if (watch.through >= pulled.changes->after && watch.through < pulled.changes->through &&
               room_bytes > 0) {
      Batch batch = collect(id, watch, &pulled.changes.value(), room_bytes);
      if (!batch.changes.empty() || !batch.end.is_ok()) batches.push_back(std::move(batch));
    }
  }
  if (batches.empty()) return feed(stream);
  send(stream, batches);
}

void WatchHub::send(const StreamPtr& stream, const std::vector<Batch>& batches) {
  for (const Batch& batch : batches) {
    const auto at = stream->watches.find(batch.watch);
    if (at == stream->watches.end()) continue;
    at->second.told = batch.revision;
    if (!batch.end.is_ok()) {
      stream->watches.erase(at);
      --watches_;
    }
  }
  stream->tell(*this, batches);
}

// ---- Time ----

void WatchHub::tick(std::uint64_t now_ms) {
  if (streams_.empty()) return;
  pull_tail(now_ms);
  if (const Status status = admit(); !status.is_ok()) return end_all(status);
  for (const auto& [number, stream] : std::map(streams_)) {
    if (stream->busy) {
      if (now_ms < stream->told_ms + kStallMs) continue;
      std::vector<Batch> ends;
      for (const auto& [id, watch] : stream->watches) {
        ends.push_back({.watch = id, .previous = watch.told, .revision = watch.told});
        ends.back().end = Status(Code::kLagging, "what was sent was not taken for " +
                                                     std::to_string(kStallMs / 1000) + " s");
        ends.back().resume = watch.told.next();
      }
      stream->tell_last(*this, ends);
      drop(number);
    } else if (!stream->catching && stream->wants_mark(now_ms)) {
      std::vector<Batch> marks;
      for (auto& [id, watch] : stream->watches) {
        if (watch.told == watch.through) continue;
        marks.push_back({.watch = id, .previous = watch.told, .revision = watch.through});
      }
      send(stream, marks);
    }
  }
}

void WatchHub::end_all(const Status& why) {
  for (const auto& [number, stream] : std::map(streams_)) {
    std::vector<Batch> ends;
    for (const auto& [id, watch] : stream->watches) {
      ends.push_back({.watch = id, .previous = watch.told, .revision = watch.told});
      ends.back().end = why;
      ends.back().resume = watch.told.next();
    }
    stream->tell_last(*this, ends);
    drop(number);
  }
}

}  // namespace server
