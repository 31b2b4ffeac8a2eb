// Found by holdfast-sim (seeds 74 and 196 of its first version): a member whose log restarted right
// after its state forgot when the applied entry was stamped. As leader it then stamped new entries
// earlier than committed ones, if its wall clock was behind. Stamps grow along the log (DESIGN
// section 6, rule 8).
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "raft/core.h"
#include "storage/data_directory.h"
#include "storage/memory_log.h"

namespace {

constexpr base::MemberId kSelf(1);

raft::Options options_of(const storage::LogStore& log) {
  raft::Options options;
  options.self = kSelf;
  options.incarnation = log.identity().incarnation;
  options.opening = log.opening();
  return options;
}

/// Takes a step and every completion of what it asks to be written.
void step(raft::Core& core, raft::Input input, std::vector<raft::EntryPtr>& written) {
  const raft::Output output = core.step(std::move(input));
  for (const auto& request : output.persist) {
    written.insert(written.end(), request.entries.begin(), request.entries.end());
    step(core, raft::Persisted{request.ordinal}, written);
  }
}

/// Everything that a lone member writes until it leads and has taken in one proposal.
std::vector<raft::EntryPtr> entries_of_a_new_leader(raft::Core& core) {
  std::vector<raft::EntryPtr> written;
  for (int tick = 0; tick < 100 && core.status().role != raft::Role::kLeader; ++tick) {
    step(core, raft::Tick{1}, written);
  }
  raft::Proposal proposal;
  proposal.id = 1;
  proposal.stamp = base::HybridTime(1'000, 0);
  step(core, raft::Propose{{proposal}}, written);
  return written;
}

TEST(StampAfterRestart, NewEntriesAreStampedAfterTheAppliedOne) {
  auto disk = std::make_shared<storage::MemoryDisk>(
      storage::Identity{base::ClusterId(9), kSelf, base::Incarnation(5)});
  auto log = storage::MemoryLog::open(disk, 1);
  ASSERT_TRUE(log.is_ok());
  // The state is ahead of the log: applied before the own disk had it.
  kv::Position position;
  position.applied = base::Index(7);
  position.hash = base::ChainHash{77};
  position.time = base::HybridTime(900'000, 3);
  raft::Configuration alone;
  alone.voters = {{kSelf, base::Incarnation(5)}};
  auto recovered = storage::reconcile(*log.value(), position, alone);
  ASSERT_TRUE(recovered.is_ok()) << recovered.status().to_string();
  ASSERT_EQ(recovered->first, base::Index(8)) << "the log restarts after the state";

  raft::Core core(options_of(*log.value()), recovered.value());
  const auto written = entries_of_a_new_leader(core);
  ASSERT_GE(written.size(), 2u) << "the first of the term, and the proposal";
  base::HybridTime last = position.time;
  for (const auto& entry : written) {
    EXPECT_GT(entry->time, last) << "index " << entry->index.value;
    last = entry->time;
  }
}

}  // namespace
