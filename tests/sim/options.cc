#include "tests/sim/options.h"

#include "base/check.h"

namespace sim {

std::string_view name_of(Fault fault) {
  static constexpr std::array<std::string_view, kFaults> kNames = {
      "loss",       "delay",      "reset",       "cut-one-way",      "partition", "isolate-leader",
      "crash-one",  "crash-some", "crash-all",   "hang-log",         "slow-log",  "slow-apply",
      "hang-apply", "fail-log",   "pause",       "clock-offset",     "shutdown",  "lose-data",
      "lose-state", "members",    "move-leader", "swizzle",          "full-log",  "clock-drift",
      "roll-back",  "replace",    "new-leaders", "hang-truncations", "rivals",    "late-answers",
      "lose-vote"};
  return kNames.at(static_cast<std::size_t>(fault));
}

std::size_t draw_nodes(std::uint64_t seed) {
  return seed % 4 == 3 ? 5 : 3;
}

Options draw_options(std::uint64_t seed, std::size_t nodes, Length length) {
  CHECK(nodes == 3 || nodes == 5);
  base::Random random(seed ^ 0x6f7074696f6e73u);
  Options options;
  options.nodes = nodes;
  // A quarter of the seeds is calm but for crashes; the others mix a third of all faults.
  const bool calm = random.chance(4);
  for (std::size_t i = 0; i < kFaults; ++i) options.live[i] = !calm && random.chance(3);
  if (calm || random.chance(2)) options.set(Fault::kCrashOne);
  if (random.chance(2)) options.set(Fault::kCrashAll);
  options.fault_time = random.between(3, 10) * kSecond;
  options.fault_gap.high = random.between(150, 1200) * kMillisecond;
  if (length == Length::kWhole) {
    options.fault_time += 55 * kSecond;
    options.operations_min = 2000;
    // A member that was away for most of it may lack thousands of entries, and with the smallest
    // window and the slowest disk a hundred a second is what it gets.
    options.converge_bound = 120 * kSecond;
  }
  options.clients = random.between(3, 7);
  options.keys = random.between(1, 6);
  options.think.high = random.between(5, 50) * kMillisecond;
  options.link_delay.high = random.between(200, 3000);
  options.sync_delay.high = random.between(300, 6000);
  options.apply_delay.high = random.between(50, 2000);
  if (random.chance(2)) options.log_bytes = random.between(2, 40) * 1024;
  // Down to one entry a message, so that a leader may fall between an older entry and its own.
  if (random.chance(2))
    options.raft.append_bytes = random.chance(3) ? 1 : random.between(200, 8000);
  if (random.chance(2)) options.raft.window_messages = random.between(1, 8);
  if (random.chance(3)) options.raft.window_bytes = random.between(1000, 20000);
  if (random.chance(2)) options.raft.cache_bytes = random.between(0, 8) * 1000;
  if (random.chance(4)) options.raft.uncommitted_bytes = random.between(2000, 40000);
  // Timers that often fire together: candidates of one term.
  if (random.chance(4)) {
    options.raft.election_ticks = static_cast<std::uint32_t>(random.between(7, 15));
    options.raft.check_quorum_ticks = 2 * options.raft.election_ticks;
  }
  options.observers = base::Random(seed ^ 0x6f62736572766572u).chance(2);
  // Then it is the followers who must notice.
  if (random.chance(4)) options.raft.step_down_on_stall = false;
  return options;
}

}  // namespace sim
