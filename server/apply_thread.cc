#include "server/apply_thread.h"

#include <string>
#include <utility>

#include "server/applied_entry.h"
#include "server/clock.h"

namespace server {
namespace {

using base::Code;
using base::Status;

constexpr std::uint32_t kIdleMs = 1000;

/// Whether a failed read says something about the request, not about the disk.
bool is_answer(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
    case Code::kTooLarge:
    case Code::kUnavailable:
    case Code::kOverloaded:
    case Code::kCompacted:
    case Code::kFutureRevision:
    case Code::kFenced:
      return true;
    default:
      return false;
  }
}

std::size_t size_of(const kv::TransactionResult& result) {
  std::size_t bytes = 128;
  for (const auto& part : result.results) {
    if (const auto* range = std::get_if<kv::RangeResult>(&part)) {
      for (const auto& item : range->items) bytes += item.key.size() + item.value.size() + 64;
    } else if (const auto* history = std::get_if<kv::HistoryResult>(&part)) {
      for (const auto& each : history->events) {
        bytes += each.item.key.size() + each.item.value.size() + 64;
      }
    } else if (const auto* leases = std::get_if<kv::LeasesResult>(&part)) {
      for (const auto& lease : leases->leases) {
        bytes += 64;
        for (const auto& key : lease.keys) bytes += key.size() + 64;
      }
    }
  }
  return bytes;
}

}  // namespace

ApplyThread::ApplyThread(std::unique_ptr<kv::StateMachine> machine, PostToLoop post, Fatal fatal,
                         Stamp& stamp, ProcessFaults& faults)
    : machine_(std::move(machine)),
      post_(std::move(post)),
      fatal_(std::move(fatal)),
      stamp_(stamp),
      faults_(faults),
      sessions_(machine_->sessions()) {}

void ApplyThread::apply(std::vector<raft::EntryPtr> entries, base::Ordinal log_ordinal) {
  queue_.push(ApplyWork{std::move(entries), log_ordinal});
}
void ApplyThread::read(std::uint64_t request, kv::Transaction transaction) {
  queue_.push(ReadWork{request, std::move(transaction)});
}
void ApplyThread::flush() {
  queue_.push(FlushWork{});
}

base::Index ApplyThread::durable_applied() const {
  const auto position = machine_->durable_position();
  return position ? position->applied : base::Index();
}

/// Goes before the event of the entry that they come from.
void ApplyThread::report_leases() {
  auto changes = machine_->take_lease_changes();
  if (!changes.empty()) events_.emplace_back(LeasesChangedEvent{std::move(changes)});
}

void ApplyThread::run() {
  if (auto leases = machine_->take_lease_changes(); leases.size() > 1) {
    events_.emplace_back(LeasesChangedEvent{std::move(leases)});
    send_events();
  }
  for (;;) {
    std::vector<Work> batch = queue_.wait(long_reads_.empty() && !sweeps_ ? kIdleMs : 0);
    if (batch.empty() && queue_.stopped()) break;
    Status status;
    for (auto work = batch.begin(); work != batch.end() && status.is_ok(); ++work) {
      status = serve(*work);
    }
    if (status.is_ok()) status = serve_pulls_that_wait();
    if (status.is_ok()) status = continue_read();
    if (status.is_ok()) status = continue_sweep();
    send_events();
    if (!status.is_ok()) return fatal_(status);
  }
  if (const Status status = machine_->flush(); !status.is_ok()) fatal_(status);
}

Status ApplyThread::serve(Work& work) {
  const Busy busy(stamp_, boot_ms());
  faults_.stall_apply.hold();
  faults_.slow_apply.delay();
  if (auto* apply_work = std::get_if<ApplyWork>(&work)) return apply_all(*apply_work);
  if (auto* read_work = std::get_if<ReadWork>(&work)) return serve_read(*read_work);
  if (auto* freeze_work = std::get_if<FreezeWork>(&work)) return serve_freeze(*freeze_work);
  if (auto* install_work = std::get_if<InstallWork>(&work)) return serve_install(*install_work);
  if (auto* pull_work = std::get_if<PullWork>(&work)) return serve_pull(*pull_work);
  return machine_->flush();
}

Status ApplyThread::serve_pull(PullWork& work) {
  const base::Revision now = machine_->position().revision;
  const ChangesPull& pull = work.pull;
  if (pull.after && *pull.after >= now) {
    waiting_pulls_.push_back(std::move(work));
    return Status::ok();
  }
  base::Result<kv::Changes> read = kv::Changes{.after = now, .through = now};
  if (pull.after) read = machine_->changes(*pull.after, pull.previous, pull.bytes);
  if (!read.is_ok() && !is_answer(read.status().code())) return read.status();
  work.done({pull.id, std::move(read), machine_->position()});
  return Status::ok();
}

/// What was applied is on its way to its client; watchers come next.
Status ApplyThread::serve_pulls_that_wait() {
  if (waiting_pulls_.empty()) return Status::ok();
  send_events();
  const Busy busy(stamp_, boot_ms());
  for (PullWork& work : std::exchange(waiting_pulls_, {})) {
    const Status status = serve_pull(work);
    if (!status.is_ok()) return status;
  }
  return Status::ok();
}

Status ApplyThread::serve_freeze(FreezeWork& work) {
  auto frozen = machine_->snapshot();
  if (!frozen) return frozen.status();
  work.take(std::move(frozen).value());
  return Status::ok();
}

Status ApplyThread::serve_install(InstallWork& work) {
  const Status status = machine_->install(std::move(work.store));
  if (!status.is_ok()) return status;
  sessions_.store(machine_->sessions(), std::memory_order_relaxed);
  report_leases();
  events_.emplace_back(SnapshotInstalledEvent{std::move(work.snapshot), machine_->position()});
  return Status::ok();
}

Status ApplyThread::apply_all(ApplyWork& work) {
  std::vector<raft::EntryPtr> slice;
  std::size_t bytes = 0;
  for (auto& entry : work.entries) {
    bytes += entry->size_bytes();
    const bool scrubs =
        entry->kind == raft::EntryKind::kCommand && entry->payload == scrub_payload_;
    slice.push_back(std::move(entry));
    if (bytes < kSliceBytes && !scrubs) continue;
    Status status = apply_slice(std::exchange(slice, {}), work.log_ordinal);
    if (status.is_ok() && scrubs) status = begin_scrub();
    if (!status.is_ok()) return status;
    send_events();
    bytes = 0;
  }
  if (slice.empty()) return Status::ok();
  return apply_slice(std::move(slice), work.log_ordinal);
}

Status ApplyThread::begin_scrub() {
  if (!scrub_) return Status::ok();
  auto frozen = machine_->snapshot();
  if (!frozen) return frozen.status();
  scrub_(std::move(frozen).value());
  return Status::ok();
}

Status ApplyThread::apply_slice(std::vector<raft::EntryPtr> entries, base::Ordinal log_ordinal) {
  std::vector<kv::AppliedEntry> applied;
  applied.reserve(entries.size());
  for (const auto& entry : entries) {
    auto one = to_applied(*entry);
    if (!one) return one.status();
    applied.push_back(std::move(one).value());
  }
  auto replies = machine_->apply(applied, log_ordinal);
  if (!replies) return replies.status();
  sessions_.store(machine_->sessions(), std::memory_order_relaxed);
  report_leases();
  events_.emplace_back(
      AppliedEvent{std::move(entries), std::move(replies).value(), machine_->position()});
  return Status::ok();
}

Status ApplyThread::serve_read(ReadWork& work) {
  auto begun = machine_->begin_read(work.transaction, kSliceBytes);
  if (!begun.is_ok()) {
    if (!is_answer(begun.status().code())) return begun.status();
    answer_read(work.request, begun.status(), machine_->position());
  } else if (begun.value()->done()) {
    answer_read(work.request, begun.value()->take(), machine_->position());
  } else if (long_reads_.size() == kLongReads) {
    answer_read(work.request,
                Status(Code::kOverloaded,
                       std::to_string(kLongReads) + " reads over many keys are in progress"),
                machine_->position());
  } else {
    long_reads_.push_back(
        {work.request, std::move(begun).value(), machine_->position(), boot_ms()});
  }
  return Status::ok();
}

/// One slice of the one that waits longest.
Status ApplyThread::continue_read() {
  if (long_reads_.empty()) return Status::ok();
  const std::uint64_t now_ms = boot_ms();
  const Busy busy(stamp_, now_ms);
  LongRead read = std::move(long_reads_.front());
  long_reads_.pop_front();
  Status status = read.reading->advance(kSliceBytes);
  if (status.is_ok() && !read.reading->done() && now_ms - read.began_ms >= kLongReadMs) {
    status = Status(Code::kOverloaded, "the read took longer than a minute");
  }
  if (!status.is_ok()) {
    if (!is_answer(status.code())) return status;
    answer_read(read.request, status, std::move(read.position));
  } else if (read.reading->done()) {
    answer_read(read.request, read.reading->take(), std::move(read.position));
  } else {
    long_reads_.push_back(std::move(read));
  }
  return Status::ok();
}

Status ApplyThread::continue_sweep() {
  if (swept_for_ != machine_->position().compacted) {
    swept_for_ = machine_->position().compacted;
    sweeps_ = true;
  }
  if (!sweeps_) return Status::ok();
  const Busy busy(stamp_, boot_ms());
  const auto more = machine_->sweep(kSweepBytes);
  if (!more.is_ok()) return more.status();
  sweeps_ = more.value();
  return Status::ok();
}

void ApplyThread::answer_read(std::uint64_t request, base::Result<kv::TransactionResult> result,
                              kv::Position position) {
  if (result.is_ok()) events_bytes_ += size_of(result.value());
  events_.emplace_back(ReadDoneEvent{request, std::move(result), std::move(position)});
  if (events_bytes_ >= kSliceBytes) send_events();
}

void ApplyThread::send_events() {
  events_bytes_ = 0;
  if (!events_.empty()) post_(std::exchange(events_, {}));
}

}  // namespace server
