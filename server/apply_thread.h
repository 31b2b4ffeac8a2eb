// The apply thread: owns the state machine and its engine; serves committed entries and reads in
// the order in which they were handed over (DESIGN section 4).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "kv/state_machine.h"
#include "server/events.h"
#include "server/ports.h"
#include "server/process_faults.h"
#include "server/stamps.h"
#include "server/work_queue.h"
#include "storage/codec.h"

namespace server {

/// What the door asks of the history, for watches.
struct ChangesPull {
  std::uint64_t id = 0;
  std::optional<base::Revision> after;  // nullopt: nothing but where the state stands
  bool previous = false;
  std::size_t bytes = 0;
};
struct PulledChanges {
  std::uint64_t id = 0;
  base::Result<kv::Changes> changes;
  kv::Position position;  // of the state that was read
};

/// Invariants:
/// - calls are begun in their order, so a read sees every entry that was handed over before it and
/// none that came after; a long one goes on in slices of kSliceBytes between the calls behind it;
/// - at most kLongReads go on at once, none for longer than kLongReadMs;
/// - one slice applies at most about kSliceBytes of entries; its completions go out before the
/// next;
/// - an entry that cannot be decoded or applied stops the node: skipping it would fork the state.
class ApplyThread : public ApplyPort {
 public:
  static constexpr std::size_t kSliceBytes = 1 << 20;
  static constexpr std::size_t kSweepBytes = 64 << 10;  // between two turns
  static constexpr std::size_t kLongReads = 16;
  static constexpr std::uint64_t kLongReadMs = 60'000;  // the longest deadline of a client

  ApplyThread(std::unique_ptr<kv::StateMachine> machine, PostToLoop post, Fatal fatal, Stamp& stamp,
              ProcessFaults& faults);

  /// The state right after each kv::Scrub goes to `take`, on the apply thread. Before run().
  void scrub_with(std::function<void(kv::StateSnapshot)> take) { scrub_ = std::move(take); }

  void apply(std::vector<raft::EntryPtr> entries, base::Ordinal log_ordinal) override;
  void read(std::uint64_t request, kv::Transaction transaction) override;
  void flush() override;
  base::Index durable_applied() const override;
  /// Freezes the state as it is once everything handed over before is applied, and gives it away.
  void freeze(std::function<void(kv::StateSnapshot)> take) {
    queue_.push(FreezeWork{std::move(take)});
  }
  /// Reads changes; waits, however long, where there are none yet. `done`: on the apply thread.
  void pull(ChangesPull pull, std::function<void(PulledChanges)> done) {
    queue_.push(PullWork{std::move(pull), std::move(done)});
  }
  /// Completes with SnapshotInstalledEvent.
  void install(std::unique_ptr<kv::IncomingEngine> store, raft::SnapshotMeta snapshot) {
    queue_.push(InstallWork{std::move(store), std::move(snapshot)});
  }
  /// Any thread.
  base::Result<std::unique_ptr<kv::IncomingEngine>> begin_install() {
    return machine_->begin_install();
  }

  /// The thread's life: returns after stop(), a drained queue and a last flush, or after an error.
  void run();
  /// Any thread.
  void stop() { queue_.stop(); }
  /// Open sessions, as of the last slice. Any thread.
  std::uint64_t sessions() const { return sessions_.load(std::memory_order_relaxed); }

 private:
  struct ApplyWork {
    std::vector<raft::EntryPtr> entries;
    base::Ordinal log_ordinal;
  };
  struct ReadWork {
    std::uint64_t request = 0;
    kv::Transaction transaction;
  };
  /// A read whose first slice was not enough.
  struct LongRead {
    std::uint64_t request = 0;
    std::unique_ptr<kv::Reading> reading;
    kv::Position position;  // when it began
    std::uint64_t began_ms = 0;
  };
  struct FlushWork {};
  struct FreezeWork {
    std::function<void(kv::StateSnapshot)> take;
  };
  struct InstallWork {
    std::unique_ptr<kv::IncomingEngine> store;
    raft::SnapshotMeta snapshot;
  };
  struct PullWork {
    ChangesPull pull;
    std::function<void(PulledChanges)> done;
  };
  using Work = std::variant<ApplyWork, ReadWork, FlushWork, FreezeWork, InstallWork, PullWork>;

  base::Status serve(Work& work);
  base::Status apply_all(ApplyWork& work);
  base::Status begin_scrub();
  base::Status apply_slice(std::vector<raft::EntryPtr> entries, base::Ordinal log_ordinal);
  base::Status serve_read(ReadWork& work);
  base::Status continue_read();
  base::Status continue_sweep();
  void report_leases();
  void answer_read(std::uint64_t request, base::Result<kv::TransactionResult> result,
                   kv::Position position);
  base::Status serve_freeze(FreezeWork& work);
  base::Status serve_pull(PullWork& work);
  base::Status serve_pulls_that_wait();
  base::Status serve_install(InstallWork& work);
  void send_events();

  const std::unique_ptr<kv::StateMachine> machine_;
  const PostToLoop post_;
  const Fatal fatal_;
  Stamp& stamp_;
  ProcessFaults& faults_;
  std::atomic<std::uint64_t> sessions_{0};
  const std::string scrub_payload_ = storage::encode(kv::Scrub{});
  std::function<void(kv::StateSnapshot)> scrub_;
  WorkQueue<Work> queue_;
  bool sweeps_ = true;        // compacted history may be left to remove, also from before a restart
  base::Revision swept_for_;  // the compaction that is, or was, swept
  std::deque<LongRead> long_reads_;  // the next to go on first
  std::vector<PullWork> waiting_pulls_;
  std::vector<LoopEvent> events_;  // completions that are not posted yet
  std::size_t events_bytes_ = 0;
};

}  // namespace server
