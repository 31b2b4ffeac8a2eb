#include "server/log_thread.h"

#include <utility>

#include "server/clock.h"

namespace server {
namespace {
constexpr std::uint32_t kIdleMs = 1000;
}

LogThread::LogThread(storage::LogStore& log, PostToLoop post, Fatal fatal, Stamp& stamp,
                     DurationHistogram& append_duration, ProcessFaults& faults)
    : log_(log),
      post_(std::move(post)),
      fatal_(std::move(fatal)),
      stamp_(stamp),
      append_duration_(append_duration),
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
  const Busy busy(stamp_, start_us / 1000);
  faults_.stall_log.hold();
  base::Status status = log_.append(requests);
  append_duration_.record_us(boot_us() - start_us);
  return status;
}

}  // namespace server
