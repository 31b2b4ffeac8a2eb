#include "server/log_thread.h"

#include <utility>

#include "server/clock.h"

namespace server {
namespace {
constexpr std::uint32_t kIdleMs = 1000;
}

LogThread::LogThread(storage::LogStore& log, PostToLoop post, Fatal fatal, Stamp& stamp,
                     AppendTimes& times, ProcessFaults& faults)
    : log_(log),
      post_(std::move(post)),
      fatal_(std::move(fatal)),
      stamp_(stamp),
      times_(times),
      faults_(faults) {}

void LogThread::run() {
  for (;;) {
    const std::vector<raft::PersistRequest> requests = queue_.wait(kIdleMs);
    if (requests.empty()) {
      if (queue_.stopped()) return;
      continue;
    }
    const base::Status status = append_all(requests);
    std::vector<LoopEvent> events;
    if (!status.is_ok()) {
      events.emplace_back(PersistFailedEvent{status});
      post_(std::move(events));
      fatal_(status);
      return;
    }
    events.emplace_back(PersistedEvent{requests.back().ordinal});
    post_(std::move(events));
  }
}

base::Status LogThread::append_all(const std::vector<raft::PersistRequest>& requests) {
  const std::uint64_t start_us = boot_us();
  std::size_t bytes = 0;
  for (const auto& request : requests) {
    for (const auto& entry : request.entries) bytes += entry->size_bytes();
  }
  const auto pieces = static_cast<std::uint32_t>(1 + bytes / AppendTimes::kPieceBytes);
  times_.pieces_now.store(pieces, std::memory_order_relaxed);
  const Busy busy(stamp_, start_us / 1000);
  faults_.stall_log.hold();
  base::Status status = log_.append(requests);
  const std::uint64_t took_us = boot_us() - start_us;
  times_.whole.record_us(took_us);
  times_.piece.record_us(took_us / pieces);
  return status;
}

}  // namespace server
