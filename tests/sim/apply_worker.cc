#include "tests/sim/apply_worker.h"

#include <algorithm>
#include <utility>

#include "server/applied_entry.h"

namespace sim {
namespace {

/// Small slices, so that members reach many equal positions to compare.
constexpr std::uint64_t kSliceEntries = 6;
constexpr std::uint64_t kSliceBytes = 400;  // of a read

bool is_answer(base::Code code) {
  return code == base::Code::kInvalidArgument || code == base::Code::kTooLarge ||
         code == base::Code::kUnavailable || code == base::Code::kCompacted ||
         code == base::Code::kFutureRevision || code == base::Code::kFenced;
}

}  // namespace

ApplyWorker::ApplyWorker(EventQueue& queue, base::Random& random, const ApplyBehaviour& behaviour,
                         std::unique_ptr<kv::StateMachine> machine, bool skip_entry,
                         ApplyCompletions completions)
    : queue_(queue),
      random_(random),
      behaviour_(behaviour),
      machine_(std::move(machine)),
      skip_entry_(skip_entry),
      completions_(std::move(completions)) {}

ApplyWorker::~ApplyWorker() {
  *alive_ = false;
}

void ApplyWorker::apply(std::vector<raft::EntryPtr> entries, base::Ordinal log_ordinal) {
  completions_.handed(entries);
  push(ApplyWork{std::move(entries), log_ordinal});
}
void ApplyWorker::read(std::uint64_t request, kv::Transaction transaction) {
  push(ReadWork{request, std::move(transaction)});
}
void ApplyWorker::flush() {
  push(FlushWork{});
}

void ApplyWorker::freeze(std::function<void(kv::StateSnapshot)> take) {
  push(FreezeWork{std::move(take)});
}
void ApplyWorker::install(std::unique_ptr<kv::IncomingEngine> store, raft::SnapshotMeta snapshot) {
  push(InstallWork{std::move(store), std::move(snapshot)});
}

base::Index ApplyWorker::durable_applied() const {
  const auto position = machine_->durable_position();
  return position ? position->applied : base::Index();
}

void ApplyWorker::push(Work work) {
  queue_of_work_.push_back(std::move(work));
  schedule();
}

void ApplyWorker::schedule() {
  if (scheduled_ || failed_ || behaviour_.hangs || idle()) return;
  scheduled_ = true;
  queue_.after(behaviour_.delay.draw(random_), [this, alive = alive_] {
    if (!*alive) return;
    scheduled_ = false;
    if (!behaviour_.hangs) serve();
    schedule();
  });
}

void ApplyWorker::report_leases() {
  auto changes = machine_->take_lease_changes();
  if (!changes.empty()) completions_.leases(std::move(changes));
}

void ApplyWorker::wake() {
  schedule();
}

void ApplyWorker::serve() {
  if (!long_reads_.empty() && (queue_of_work_.empty() || random_.below(2) == 0)) {
    LongRead read = std::move(long_reads_.front());
    long_reads_.pop_front();
    const base::Status status = read.reading->advance(random_.between(1, kSliceBytes));
    return go_on(std::move(read), status);
  }
  if (auto* work = std::get_if<ApplyWork>(&queue_of_work_.front())) return serve_slice(*work);
  Work work = std::move(queue_of_work_.front());
  queue_of_work_.pop_front();
  if (const auto* read_work = std::get_if<ReadWork>(&work)) return serve_read(*read_work);
  if (auto* install_work = std::get_if<InstallWork>(&work)) return serve_install(*install_work);
  if (auto* freeze_work = std::get_if<FreezeWork>(&work)) {
    return freeze_work->take(std::move(machine_->snapshot().value()));
  }
  if (base::Status status = machine_->flush(); !status.is_ok()) {
    failed_ = true;
    completions_.fatal(status);
  }
}

void ApplyWorker::serve_read(const ReadWork& work) {
  auto begun = machine_->begin_read(work.transaction, random_.between(1, kSliceBytes));
  LongRead read{work.request, nullptr, machine_->position()};
  if (begun.is_ok()) read.reading = std::move(begun).value();
  go_on(std::move(read), begun.status());
}

void ApplyWorker::go_on(LongRead read, const base::Status& status) {
  if (!status.is_ok() && !is_answer(status.code())) {
    failed_ = true;
    return completions_.fatal(status);
  }
  if (!status.is_ok()) return completions_.read_done(read.request, status, read.position);
  if (read.reading->done()) {
    return completions_.read_done(read.request, read.reading->take(), read.position);
  }
  long_reads_.push_back(std::move(read));
}

void ApplyWorker::serve_install(InstallWork& work) {
  if (base::Status status = machine_->install(std::move(work.store)); !status.is_ok()) {
    failed_ = true;
    return completions_.fatal(status);
  }
  report_leases();
  completions_.installed(std::move(work.snapshot), machine_->position());
}

void ApplyWorker::serve_slice(ApplyWork& work) {
  const std::size_t count =
      std::min<std::size_t>(work.entries.size(), random_.between(1, kSliceEntries));
  const auto end = work.entries.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<raft::EntryPtr> entries(work.entries.begin(), end);
  const base::Ordinal log_ordinal = work.log_ordinal;
  work.entries.erase(work.entries.begin(), end);
  if (work.entries.empty()) queue_of_work_.pop_front();

  std::vector<kv::AppliedEntry> applied;
  for (const auto& entry : entries) {
    auto one = server::to_applied(*entry);
    if (!one) {
      failed_ = true;
      return completions_.fatal(one.status());
    }
    if (skip_entry_ && entry->index.value == kSkipped) one->command.reset();
    applied.push_back(std::move(one).value());
  }
  auto replies = machine_->apply(applied, log_ordinal);
  if (!replies) {
    failed_ = true;
    return completions_.fatal(replies.status());
  }
  if (random_.chance(4)) {
    const auto more = machine_->sweep(random_.between(1, 4 * kSliceBytes));
    if (!more.is_ok()) {
      failed_ = true;
      return completions_.fatal(more.status());
    }
  }
  report_leases();
  completions_.applied(std::move(entries), std::move(replies).value(), machine_->position());
}

}  // namespace sim
