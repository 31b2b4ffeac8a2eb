#include "server/disk_thread.h"

#include <utility>

#include "server/clock.h"
#include "storage/discard.h"

namespace server {

using base::Code;
using base::Status;

namespace {

/// At most 25 MB a second: half of a slow disk, and nothing of a fast one.
constexpr std::uint32_t kScrubEveryMs = 5;
constexpr std::size_t kScrubBytes = 128 << 10;

}  // namespace

DiskThread::DiskThread(storage::LogStore& log, SnapshotTransfers::Begin begin, PostToLoop post,
                       Fatal fatal, Stamp& stamp, LogSink& lines, SpaceProbe& space)
    : log_(log),
      post_(std::move(post)),
      fatal_(std::move(fatal)),
      stamp_(stamp),
      lines_(lines),
      space_(space),
      transfers_(std::move(begin)) {}

void DiskThread::run() {
  for (;;) {
    std::vector<Work> batch = queue_.wait(scrub_ ? kScrubEveryMs : kWatermarkMs);
    const bool last = batch.empty() && queue_.stopped();
    if (last) next_sync_ms_ = 0;
    Status status = sync_if_due();
    for (auto work = batch.begin(); status.is_ok() && work != batch.end(); ++work) {
      status = serve(*work);
      if (status.is_ok()) status = sync_if_due();
    }
    continue_scrub();
    if (!status.is_ok()) return fatal_(status);
    if (last) return;
  }
}

Status DiskThread::sync_if_due() {
  const std::uint64_t now = boot_ms();
  if (now < next_sync_ms_) return Status::ok();
  next_sync_ms_ = now + kWatermarkMs;
  const Busy busy(stamp_, now);
  space_.measure();
  return log_.sync_watermark();
}

Status DiskThread::serve(Work& work) {
  const Busy busy(stamp_, boot_ms());
  if (const auto* load = std::get_if<raft::LoadRequest>(&work)) return serve_load(*load);
  if (const auto* cut = std::get_if<CutWork>(&work)) return serve_cut(*cut);
  if (const auto* discard = std::get_if<DiscardWork>(&work)) return serve_discard(*discard);
  if (auto* scrub = std::get_if<ScrubWork>(&work)) {
    scrub_.emplace(std::move(scrub->frozen));
    return Status::ok();
  }
  if (!std::holds_alternative<QuarantineWork>(work)) return serve_snapshot(work);
  const std::string& reason = std::get<QuarantineWork>(work).reason;
  lines_.write(LogLevel::kError, "quarantine is being written down", {{"reason", reason}});
  return log_.quarantine(reason);
}

/// One slice, so that what else there is to do comes between two.
void DiskThread::continue_scrub() {
  if (!scrub_ || boot_ms() < next_scrub_ms_) return;
  const Busy busy(stamp_, boot_ms());
  const auto more = scrub_->advance(kScrubBytes);
  next_scrub_ms_ = boot_ms() + kScrubEveryMs;
  if (more.is_ok() && more.value()) return;
  ScrubbedEvent event{scrub_->index(), more.status(), {}};
  if (more.is_ok()) event.digests = scrub_->digests();
  scrub_.reset();
  std::vector<LoopEvent> events;
  events.emplace_back(std::move(event));
  post_(std::move(events));
}

Status DiskThread::serve_discard(const DiscardWork& work) {
  Status status = storage::mark_state_for_discard(work.member_directory, work.reason);
  if (!status.is_ok()) return status;
  return {Code::kCorrupt, work.reason + "; it is put aside at the next start, and comes anew"};
}

Status DiskThread::serve_load(const raft::LoadRequest& request) {
  auto entries = log_.load(request.from, request.to, request.limit_bytes);
  if (!entries) {
    lines_.write(LogLevel::kWarn, "entries could not be loaded",
                 {{"from", request.from.value}, {"reason", entries.status().to_string()}});
    // Recovery tells what was lost; until then nothing may rest on this log.
    if (entries.status().code() == Code::kCorrupt) return entries.status();
  }
  std::vector<LoopEvent> events;
  events.emplace_back(
      LoadedEvent{request.peer, request.from,
                  entries ? std::move(entries).value() : std::vector<raft::EntryPtr>()});
  post_(std::move(events));
  return Status::ok();
}

Status DiskThread::serve_cut(const CutWork& work) {
  const Status status = log_.cut(work.through, work.term, work.hash);
  if (!status.is_ok()) return status;
  std::vector<LoopEvent> events;
  events.emplace_back(CutEvent{work.through});
  post_(std::move(events));
  return Status::ok();
}

/// What goes wrong with a snapshot ends its transfer, never the node.
Status DiskThread::serve_snapshot(Work& work) {
  if (auto* open = std::get_if<OpenWork>(&work)) {
    tell(transfers_.open(open->peer, std::move(open->frozen)));
  } else if (const auto* read = std::get_if<raft::SnapshotReadRequest>(&work)) {
    tell(transfers_.read(*read));
  } else if (const auto* drop = std::get_if<DropWork>(&work)) {
    transfers_.drop(drop->peer);
  } else if (const auto* store = std::get_if<raft::SnapshotStoreRequest>(&work)) {
    const bool ok = transfers_.store(*store);
    if (!ok) {
      lines_.write(LogLevel::kWarn, "a snapshot could not be stored",
                   {{"chunk", store->chunk}, {"reason", transfers_.failure().to_string()}});
    }
    std::vector<LoopEvent> events;
    events.emplace_back(SnapshotStoredEvent{store->id, ok});
    post_(std::move(events));
  } else if (auto* take = std::get_if<TakeWork>(&work)) {
    take->take(transfers_.take());
  } else {
    auto& part = std::get<PartWork>(work);
    if (part.give) part.give(part.source->next());
    part.source.reset();
  }
  return Status::ok();
}

void DiskThread::tell(raft::SnapshotRead read) {
  if (read.data == nullptr) {
    lines_.write(LogLevel::kWarn, "a snapshot could not be read",
                 {{"chunk", read.chunk}, {"reason", transfers_.failure().to_string()}});
  }
  std::vector<LoopEvent> events;
  events.emplace_back(std::move(read));
  post_(std::move(events));
}

}  // namespace server
