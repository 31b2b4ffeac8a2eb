// The replicated state machine: commands in log order in, replies out. Pure: no clock, no
// randomness; time comes from the entry. The apply thread owns it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "kv/changes.h"
#include "kv/engine.h"
#include "kv/position.h"
#include "kv/reading.h"
#include "kv/types.h"

namespace kv {

/// One committed entry as the state machine sees it.
struct AppliedEntry {
  Index index;
  Term term;
  HybridTime time;
  base::ChainHash hash;
  /// nullopt: an entry that is not a command (the first of a term, a configuration).
  std::optional<Command> command;
  /// Kept with the position, as bytes: the configuration that this entry sets, if it sets one.
  std::optional<std::string> configuration;
};

/// The state after one entry, frozen.
struct StateSnapshot {
  Position position;
  std::unique_ptr<EngineSnapshot> rows;
};

/// Makes rows that came from another member this member's own: what that one claimed of its log
/// goes. Returns their position. Before finish(). Errors: kCorrupt: they hold no position.
base::Result<Position> adopt_rows(IncomingEngine& incoming);

/// By how much index, term and revision rise from one generation to the next: more than any
/// generation can give out, so that what it gave (sessions, tokens, revisions) is not given again,
/// and a round number, so that people still read the last digits.
inline constexpr std::uint64_t kGenerationStep = 1'000'000'000'000;
/// So an index says whose it is, in a log too, which has no other word of it.
constexpr std::uint64_t generation_of(Index index) {
  return index.value / kGenerationStep;
}

/// Where the next generation of this state begins (DESIGN section 5.11): after a restore, or after
/// a quorum was lost for good. `cluster`: whose generation it is. Its chain of hashes begins anew,
/// the same wherever the same state is given.
Position next_generation(Position from, base::ClusterId cluster, std::string configuration);
/// Puts the position into a state that no machine has open; durable when it returns. Errors: kIo,
/// kDiskFull.
base::Status write_position(Engine& engine, const Position& position);

/// Invariants (CHECKed):
/// - entries are applied in order, without a gap, each once;
/// - position, state, sessions and digest change in one atomic batch;
/// - the revision grows by exactly one with each transaction that writes and with each lease that
///   ends and had keys, and never otherwise.
class StateMachine {
 public:
  /// Reads the position and the sessions. Errors: kIo, kCorrupt, kNewerFormat.
  static base::Result<std::unique_ptr<StateMachine>> open(std::unique_ptr<Engine> engine,
                                                          Limits limits = {});
  virtual ~StateMachine() = default;

  /// Applies the entries in one or more atomic batches, each ending at an entry's end, and returns
  /// one reply an entry. `log_ordinal`: what the log has durable now.
  /// Errors: kIo, kCorrupt, kDiskFull: not deterministic; the node must stop.
  virtual base::Result<std::vector<Reply>> apply(std::span<const AppliedEntry> entries,
                                                 base::Ordinal log_ordinal) = 0;
  /// Begins a transaction that cannot write (writes() is false) against the latest state, by a
  /// first slice (Reading::advance); what is not done() then goes on beside apply().
  /// Errors: kInvalidArgument, kTooLarge, kIo, kCorrupt.
  virtual base::Result<std::unique_ptr<Reading>> begin_read(const Transaction& transaction,
                                                            std::size_t slice_bytes) = 0;
  /// The same as one slice.
  base::Result<TransactionResult> read(const Transaction& transaction);
  /// What happened after a revision: kv::changes() against the latest state.
  virtual base::Result<Changes> changes(Revision after, bool previous, std::size_t slice_bytes) = 0;
  virtual const Position& position() const = 0;
  /// The position that would be found after a crash now. Any thread.
  virtual std::optional<Position> durable_position() const = 0;
  /// Removes some of what compaction gave up, about `slice_bytes` of rows; true: there is more.
  /// Changes no answer and no digest. Errors: kIo, kCorrupt, kDiskFull: the node must stop.
  virtual base::Result<bool> sweep(std::size_t slice_bytes) = 0;
  virtual base::Status flush() = 0;
  virtual std::uint64_t sessions() const = 0;
  /// What became of leases since the last call, in order; a reset and all that there are after
  /// open() and install().
  virtual std::vector<LeaseChange> take_lease_changes() = 0;

  virtual base::Result<StateSnapshot> snapshot() = 0;
  /// Any thread.
  virtual base::Result<std::unique_ptr<IncomingEngine>> begin_install() = 0;
  /// Requires: adopt_rows() and finish() were called. Errors: kInvalidArgument: its position is not
  /// above this one, and nothing has changed; kIo, kCorrupt: the node must stop.
  virtual base::Status install(std::unique_ptr<IncomingEngine> incoming) = 0;
};

}  // namespace kv
