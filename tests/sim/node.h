// One member: disks that outlive its processes, and the process that runs now, which is the very
// server::Replica. Simulator thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "server/replica.h"
#include "storage/memory_engine.h"
#include "storage/memory_log.h"
#include "tests/sim/apply_worker.h"
#include "tests/sim/checks.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/journal.h"
#include "tests/sim/log_disk.h"
#include "tests/sim/observation.h"
#include "tests/sim/options.h"
#include "tests/sim/snapshot_worker.h"

namespace sim {

enum class Crash : std::uint8_t { kKill, kPowerCut };
/// How synced data is lost; after a kill the first kNoticedLosses are noticed at the next opening.
enum class Loss : std::uint8_t {
  kNewest,
  kDamage,
  kAlter,
  kWatermark,
  kWipe,
  kUnmarked,  // like kNewest after a power cut: perhaps only the peers know
  kVote,      // the newest batch, and what else knew of its term and vote
};
inline constexpr std::uint64_t kNoticedLosses = 5;

/// What a node reaches outside itself.
struct NodeSurroundings {
  EventQueue* queue = nullptr;
  Journal* journal = nullptr;
  Checks* checks = nullptr;
  std::function<void(raft::Message)> send;
  std::function<void(base::MemberId to, const std::string& rows)> send_rows;
  /// For whoever watches: what it traced, or "verdict".
  std::function<void(std::size_t node, std::string_view what)> noted;
  /// The process ended by itself.
  std::function<void(std::size_t node)> ended;
};

/// Invariants:
/// - as in the server each turn begins with the time, and ends with pump() and then the answers;
/// - nothing that an ended process asked for reaches a later one.
class Node : private server::Transport, private server::ClientPort, private server::TraceSink {
 public:
  using Answer = std::function<void(const server::RequestOutcome& outcome)>;

  Node(std::size_t number, const Options& options, const raft::Configuration& configuration,
       std::uint64_t seed, NodeSurroundings surroundings);
  ~Node() override;

  static base::MemberId id_of(std::size_t number) { return base::MemberId(number + 1); }

  bool running() const { return process_ != nullptr; }
  bool paused() const { return paused_; }
  /// It runs, and a sync of its log hangs.
  bool log_hangs() const;
  /// Requires: running().
  raft::CoreSummary summary() const;
  server::ReplicaStatus status() const;
  bool leads() const;
  /// Of the newest configuration in its log; of one that does not run, in the log that it had.
  base::Index configuration_index() const;
  /// Until it has been brought back, from the log or by a snapshot.
  bool lost_state() const { return lost_state_; }
  bool lost_data() const { return surroundings_.checks->lost_data(number_); }

  void start();
  void crash(Crash how);
  /// Refuses requests, hands leadership on, ends by itself after a while.
  void shut_down();
  /// Requires: not running. False: there was nothing to lose.
  bool lose_data(Loss how);
  /// Requires: not running.
  void lose_state();
  /// The directory as it is now, for roll_back().
  void copy_disks();
  /// The last copy takes the directory's place, once. Requires: not running. False: there is none,
  /// or it is another directory's.
  bool roll_back();
  /// A new, empty directory, which waits to be made a member. Requires: not running.
  void replace_disks(base::Incarnation incarnation);
  base::Incarnation incarnation() const { return log_disk_->identity().incarnation; }

  // From the network.
  void receive(raft::Message message);
  void receive_rows(base::MemberId from, std::string rows);
  void link_up(base::MemberId peer);
  void link_down(base::MemberId peer);

  // From clients. `answer` comes once, unless the process ends first. Require: running().
  void write(std::string payload, Answer answer, base::SessionId session,
             const server::Seen& seen = {});
  void leases(server::LeaseQuestion question, Answer answer);
  /// What its state says happened after a revision; nullopt: it serves nobody.
  std::optional<base::Result<kv::Changes>> changes(kv::Revision after, std::size_t slice_bytes);
  void read(kv::Transaction transaction, Answer answer, const server::Seen& seen = {});
  void read_serializable(kv::Transaction transaction, Answer answer, const server::Seen& seen = {});
  /// From an operator, who does not wait for the answer. Require: running().
  void change_members(server::MemberChange change);
  void move_leader(std::string to);

  // Faults.
  void pause();
  void resume();
  /// Its disk has less room than the reserve.
  void set_full(bool full) { full_ = full; }
  void set_clock_offset(std::int64_t offset_ms) { clock_offset_ms_ = offset_ms; }
  /// Both clocks gain so much from now on, in millionths of the time. In (-1'000'000, 1'000'000].
  void set_clock_rate(std::int64_t gain_ppm);
  DiskBehaviour& disk() { return disk_behaviour_; }
  ApplyBehaviour& engine() { return apply_behaviour_; }
  /// After a change of disk() or engine(): what hung goes on.
  void wake();

 private:
  struct Process;
  static constexpr std::uint64_t kBootUs = 1'000'000;  // on its clock, when the run begins

  raft::Options core_options(base::Opening opening);
  void make_process(std::unique_ptr<storage::MemoryLog> log,
                    std::unique_ptr<kv::StateMachine> machine, raft::Recovered recovered);
  LogCompletions log_completions();
  ApplyCompletions apply_completions();
  SnapshotCompletions snapshot_completions();
  template <class Work>
  void turn(Work work);
  /// At once, or once a pause ends.
  void post(std::function<void()> work);
  void observe_others();
  void judged(const health::Verdict& verdict, bool stands);
  void tick();
  void end_later(Time delay, bool orderly);
  void end_process();
  void count_crash(const raft::CoreStatus& core);
  /// On the node's own clock, which may run fast or slow. Never goes back.
  Time local_now() const;
  std::uint64_t boot_us() const { return kBootUs + local_now(); }
  std::uint64_t wall_ms() const;
  std::uint64_t take_in(Answer answer);
  Answer count_answer();
  Answer linearizable(Answer answer);

  // Transport, ClientPort, TraceSink
  void send(raft::Message message) override;
  void members_changed(const raft::Configuration&) override {}  // the network reaches everybody
  void finish(std::uint64_t request, server::RequestOutcome outcome) override;
  void trace(const raft::TraceEvent& event) override;

  const std::size_t number_;
  const Options& options_;
  raft::Configuration configuration_;  // to begin with, by its directory
  const NodeSurroundings surroundings_;
  base::Random random_;
  std::shared_ptr<storage::MemoryDisk> log_disk_;
  std::shared_ptr<storage::MemoryStateDisk> state_disk_;
  DiskBehaviour disk_behaviour_;
  ApplyBehaviour apply_behaviour_;
  std::shared_ptr<storage::MemoryDisk> log_copy_;
  std::shared_ptr<storage::MemoryStateDisk> state_copy_;
  std::int64_t clock_offset_ms_ = 0;
  std::int64_t clock_gain_ppm_ = 0;
  Time clock_set_at_ = 0;      // when that was set
  Time clock_shown_then_ = 0;  // by the node's own clock
  bool paused_ = false;
  bool full_ = false;
  base::Index last_configuration_index_;  // as of the last end
  bool lost_state_ = false;
  std::unique_ptr<Process> process_;
};

}  // namespace sim
