// The apply thread of one process: a state machine that takes its time. Simulator thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <variant>
#include <vector>

#include "base/random.h"
#include "server/ports.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/options.h"

namespace sim {

/// To the replica, each in a turn of its own.
struct ApplyCompletions {
  std::function<void(std::vector<raft::EntryPtr>, std::vector<kv::Reply>, kv::Position)> applied;
  std::function<void(std::uint64_t, base::Result<kv::TransactionResult>, kv::Position)> read_done;
  std::function<void(raft::SnapshotMeta, kv::Position)> installed;
  std::function<void(std::vector<kv::LeaseChange>)> leases;
  std::function<void(const base::Status&)> fatal;
  /// To the checks: these were handed over, so they are committed.
  std::function<void(const std::vector<raft::EntryPtr>&)> handed;
};

/// Changed by faults, outlives the process.
struct ApplyBehaviour {
  Range delay;  // of one slice or one read
  bool hangs = false;
};

/// Invariant: calls are begun in their order; entries come in slices of a few, and a read that is
/// longer than its first slice goes on between them.
class ApplyWorker : public server::ApplyPort {
 public:
  ApplyWorker(EventQueue& queue, base::Random& random, const ApplyBehaviour& behaviour,
              std::unique_ptr<kv::StateMachine> machine, bool skip_entry,
              ApplyCompletions completions);
  ~ApplyWorker() override;

  void apply(std::vector<raft::EntryPtr> entries, base::Ordinal log_ordinal) override;
  void read(std::uint64_t request, kv::Transaction transaction) override;
  void flush() override;
  base::Index durable_applied() const override;
  void freeze(std::function<void(kv::StateSnapshot)> take);
  void install(std::unique_ptr<kv::IncomingEngine> store, raft::SnapshotMeta snapshot);

  /// What became of leases since the last time; also after the start, once the replica is there.
  void report_leases();
  /// The fault was healed: what hung goes on.
  void wake();
  bool idle() const { return queue_of_work_.empty() && long_reads_.empty(); }
  kv::StateMachine& machine() { return *machine_; }

 private:
  struct ApplyWork {
    std::vector<raft::EntryPtr> entries;
    base::Ordinal log_ordinal;
  };
  struct ReadWork {
    std::uint64_t request = 0;
    kv::Transaction transaction;
  };
  struct LongRead {
    std::uint64_t request = 0;
    std::unique_ptr<kv::Reading> reading;
    kv::Position position;  // when it began
  };
  struct FlushWork {};
  struct FreezeWork {
    std::function<void(kv::StateSnapshot)> take;
  };
  struct InstallWork {
    std::unique_ptr<kv::IncomingEngine> store;
    raft::SnapshotMeta snapshot;
  };
  using Work = std::variant<ApplyWork, ReadWork, FlushWork, FreezeWork, InstallWork>;
  static constexpr std::uint64_t kSkipped = 40;  // the index that skip_entry leaves out

  void push(Work work);
  void schedule();
  void serve();
  void serve_slice(ApplyWork& work);
  void serve_install(InstallWork& work);
  void serve_read(const ReadWork& work);
  void go_on(LongRead read, const base::Status& status);

  EventQueue& queue_;
  base::Random& random_;
  const ApplyBehaviour& behaviour_;
  const std::unique_ptr<kv::StateMachine> machine_;
  const bool skip_entry_;
  const ApplyCompletions completions_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::deque<Work> queue_of_work_;
  std::deque<LongRead> long_reads_;
  bool scheduled_ = false;
  bool failed_ = false;
};

}  // namespace sim
