#include "server/watch_stream.h"

#include "schema/codec.h"
#include "server/clock.h"
#include "server/wire.h"

namespace server {

kj::Promise<void> WatchHub::Push::take(WatchHub& hub, const std::vector<Batch>& batches) {
  auto request = receiver_.takeRequest();
  write_header(header_of(hub.view_, hub.position_), request.initHeader());
  auto to = request.initBatches(static_cast<unsigned>(batches.size()));
  for (unsigned i = 0; i < to.size(); ++i) hub.write(batches[i], to[i]);
  return request.send().ignoreResult();
}

/// Who waits for it is the hub, since its end lets the next one go out, or this stream.
void WatchHub::Push::tell(WatchHub& hub, const std::vector<Batch>& batches) {
  busy = true;
  told_ms = boot_ms();
  auto ended = [owner = owner_, number = number](bool taken) {
    if (*owner == nullptr) return;
    WatchHub& now = **owner;
    const auto at = now.streams_.find(number);
    if (at == now.streams_.end()) return;
    const StreamPtr stream = at->second;
    stream->busy = false;
    if (taken) {
      now.feed(stream);
    } else {
      now.drop(number);
    }
  };
  hub.tasks_.add(take(hub, batches)
                     .then([ended] { ended(true); }, [ended](kj::Exception&&) { ended(false); }));
}

void WatchHub::Push::tell_last(WatchHub& hub, const std::vector<Batch>& batches) {
  hub.tasks_.add(take(hub, batches));
}

void WatchHub::Poll::tell(WatchHub& hub, const std::vector<Batch>& batches) {
  if (busy) return;
  busy = true;  // it has its answer
  auto to = context_.getResults();
  write_header(header_of(hub.view_, hub.position_), to.initHeader());
  Batch none;
  none.previous = none.revision =
      watches.empty() ? kv::Revision() : watches.begin()->second.through;
  hub.write(batches.empty() ? none : batches.front(), to.initBatch());
  fulfiller_->fulfill();
  hub.drop(number);
}

void WatchHub::write(const Batch& batch, schema::WatchBatch::Builder to) {
  to.setWatch(batch.watch);
  to.setPrevious(batch.previous.value);
  to.setRevision(batch.revision.value);
  to.setCode(static_cast<std::uint16_t>(batch.end.code()));
  to.setDetail(batch.end.detail());
  to.setResume(batch.resume.value);
  auto events = to.initEvents(static_cast<unsigned>(batch.changes.size()));
  for (unsigned i = 0; i < events.size(); ++i) {
    const kv::Change& change = *batch.changes[i];
    schema::write(change.event, events[i].initEvent());
    if (!batch.with_previous || !change.previous) continue;
    events[i].setHasPrevious(true);
    schema::write(*change.previous, events[i].initPrevious());
  }
  sent_events_ += batch.changes.size();
}

}  // namespace server
