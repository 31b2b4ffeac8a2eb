#include "tests/sim/log_disk.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace sim {
namespace {

constexpr Time kWatermark = 100 * kMillisecond;
constexpr Range kDiskWork{50, 2 * kMillisecond};

}  // namespace

LogDisk::LogDisk(EventQueue& queue, base::Random& random, const DiskBehaviour& behaviour,
                 std::unique_ptr<storage::MemoryLog> log, bool acknowledge_before_sync,
                 LogCompletions completions)
    : queue_(queue),
      random_(random),
      behaviour_(behaviour),
      log_(std::move(log)),
      acknowledge_before_sync_(acknowledge_before_sync),
      completions_(std::move(completions)) {
  later(kWatermark, [this] { sync_watermark(); });
}

LogDisk::~LogDisk() {
  *alive_ = false;
}

void LogDisk::later(Time delay, std::function<void()> work) {
  queue_.after(delay, [alive = alive_, work = std::move(work)] {
    if (*alive) work();
  });
}

// ---- The log thread ----

void LogDisk::append(raft::PersistRequest request) {
  if (failed_) return;
  waiting_.push_back(std::move(request));
  // As a wake-up of the thread: never within the replica's own call.
  if (waiting_.size() == 1 && in_sync_.empty()) later(0, [this] { start_sync(); });
}

void LogDisk::start_sync() {
  if (failed_ || !in_sync_.empty() || waiting_.empty()) return;
  if (behaviour_.fails) return fail({base::Code::kIo, "injected"});
  if (behaviour_.full) return fail({base::Code::kDiskFull, "injected"});
  in_sync_ = std::exchange(waiting_, {});
  sync_began_ = queue_.now();
  if (acknowledge_before_sync_) {
    completions_.persisted(in_sync_.back().ordinal);
  }
  if (base::Status status = log_->write(in_sync_); !status.is_ok()) return fail(std::move(status));
  later(behaviour_.sync_delay.draw(random_), [this] { finish_sync(); });
}

bool LogDisk::hangs_now() const {
  const bool truncates = std::any_of(in_sync_.begin(), in_sync_.end(), [](const auto& request) {
    return request.truncate_from.has_value();
  });
  return behaviour_.hangs || (behaviour_.hangs_at_truncations && truncates);
}

void LogDisk::finish_sync() {
  if (hangs_now()) {
    hung_ = true;
    return;
  }
  hung_ = false;
  if (base::Status status = log_->sync(); !status.is_ok()) return fail(std::move(status));
  const std::vector<raft::PersistRequest> done = std::exchange(in_sync_, {});
  durations_.record_us(queue_.now() - sync_began_);
  completions_.synced(done);
  later(0, [this] { start_sync(); });
  if (!acknowledge_before_sync_) completions_.persisted(done.back().ordinal);
}

server::SyncReading LogDisk::syncs() const {
  server::SyncReading reading;
  reading.done = durations_.read();
  if (!in_sync_.empty()) reading.pending_us = queue_.now() - sync_began_;
  return reading;
}

void LogDisk::wake() {
  if (hung_)
    later(0, [this] {
      if (hung_) finish_sync();
    });
}

void LogDisk::fail(base::Status status) {
  failed_ = true;
  completions_.failed(std::move(status));
}

// ---- The disk thread ----

void LogDisk::sync_watermark() {
  CHECK(log_->sync_watermark().is_ok());
  later(kWatermark, [this] { sync_watermark(); });
}

void LogDisk::load(raft::LoadRequest request) {
  later(kDiskWork.draw(random_), [this, request] {
    auto entries = log_->load(request.from, request.to, request.limit_bytes);
    completions_.loaded(request.peer, request.from,
                        entries ? std::move(entries).value() : std::vector<raft::EntryPtr>());
  });
}

void LogDisk::cut(base::Index through, base::Term term, base::ChainHash hash) {
  later(kDiskWork.draw(random_), [this, through, term, hash] {
    if (failed_) return;
    if (base::Status status = log_->cut(through, term, hash); !status.is_ok()) {
      return fail(std::move(status));
    }
    completions_.was_cut(through);
    completions_.cut(through);
  });
}

void LogDisk::quarantine(std::string reason) {
  later(kDiskWork.draw(random_), [this, reason] { CHECK(log_->quarantine(reason).is_ok()); });
}

}  // namespace sim
