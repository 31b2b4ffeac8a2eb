// What a run does: everything that is not drawn while it runs. Drawn from a seed, or set by a test.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>

#include "base/random.h"
#include "raft/core.h"
#include "tests/sim/event_queue.h"

namespace sim {

/// Uniform in [low, high].
struct Range {
  Time low = 0;
  Time high = 0;
  Time draw(base::Random& random) const { return random.between(low, high); }
};

enum class Fault : std::uint8_t {
  kLoss,           // messages vanish on all links
  kDelay,          // messages take long on all links
  kReset,          // connections break and come back
  kCutOneWay,      // a link falls silent in one direction, nobody is told
  kPartition,      // the members fall into two parts
  kIsolateLeader,  // the leader reaches nobody and nobody it
  kCrashOne,
  kCrashSome,
  kCrashAll,
  kHangLog,  // log syncs wait until healed; mostly the leader's
  kSlowLog,  // log syncs take long
  kSlowApply,
  kHangApply,        // applying waits until healed; mostly the leader's
  kFailLog,          // a log write fails: the process ends
  kPause,            // the process stands still, then goes on
  kClockOffset,      // a wall clock jumps
  kShutdown,         // an orderly restart
  kLoseData,         // synced log data is lost or altered at a crash, on a minority
  kLoseState,        // the state is lost at a crash, one member at a time
  kMembers,          // a member is removed, or becomes a learner, or comes back
  kMoveLeader,       // leadership is to go elsewhere
  kSwizzle,          // links fall silent one by one, and speak again in another order
  kFullLog,          // every log write fails until healed: the process ends again and again
  kClockDrift,       // both clocks of a member run fast or slow until healed
  kRollBack,         // an old copy of a member's directory is put back
  kReplace,          // a member's directory is gone for good; `member replace` brings a new one
  kNewLeaders,       // whoever is elected falls soon after, several times in a row
  kHangTruncations,  // whoever truncates hangs in that sync, and ends before it is done
  kRivals,           // candidates that do not hear each other, and a voter between that restarts
  kLateAnswers,      // the leader is not heard any more, and hears for a while what was said before
  kLoseVote,         // a vote is lost with what was synced last, and its candidate is not heard
};
inline constexpr std::size_t kFaults = 31;
std::string_view name_of(Fault fault);

/// What a node does wrong on purpose, so that the checks can be seen to work.
struct Mistakes {
  bool acknowledge_before_sync = false;  // the log
  bool read_without_barrier = false;     // a leader answers reads from what it has
  bool skip_entry = false;               // node 0 leaves out one command when it applies
  bool retry_as_new = false;             // a client retries under a new sequence number
  bool ignore_quarantine = false;        // a node that lost data goes on as if it had not
};

struct Options {
  std::size_t nodes = 3;
  std::array<bool, kFaults> live{};  // which faults may happen in this run
  /// Of the planned faults only these, by number; the others do not happen. For shrinking.
  std::optional<std::set<std::uint64_t>> only_faults;
  Time fault_time = 5 * kSecond;  // they happen for so long
  Range fault_gap{50 * kMillisecond, 900 * kMillisecond};
  /// After the last fault is healed: a write commits, and then everything converges, within these.
  Time write_bound = 3 * kSecond;
  Time converge_bound = 6 * kSecond;

  /// Calm follows the faults until so many were begun, a minute at most.
  std::size_t operations_min = 0;
  std::size_t clients = 5;
  std::size_t holders = 3;  // of one lock
  std::size_t watchers = 2;
  std::size_t keys = 4;                              // in use at a time
  Range think{2 * kMillisecond, 30 * kMillisecond};  // of a client between operations
  Range client_timeout{150 * kMillisecond, 600 * kMillisecond};

  Range link_delay{100, 800};
  Range sync_delay{200, 2 * kMillisecond};
  Range apply_delay{20, 300};
  std::uint64_t log_bytes = 64 << 20;
  raft::Options raft;  // self, incarnation, opening and seed are each node's own
  Mistakes mistakes;
  /// Off: the checks know only what was committed and told to clients.
  bool look_into_disks = true;
  /// Members observe each other, and a slow leader hands over.
  bool observers = true;

  bool is_live(Fault fault) const { return live[static_cast<std::size_t>(fault)]; }
  void set(Fault fault, bool on = true) { live[static_cast<std::size_t>(fault)] = on; }
};

/// kWhole: at least 60 simulated seconds and 20 faults. kShort: 4 to 11 seconds, for many seeds in
/// little time.
enum class Length : std::uint8_t { kShort, kWhole };

/// 3, or for a quarter of the seeds 5.
std::size_t draw_nodes(std::uint64_t seed);
/// Some faults, some knobs.
Options draw_options(std::uint64_t seed, std::size_t nodes, Length length = Length::kShort);

}  // namespace sim
