// Snapshots as they travel: the rows of a state in order, in chunks that prove themselves (DESIGN
// section 5.16). The same for every engine. One thread at a time.
//
// A chunk: u8 format, u64 its number, u64 the checksum of the chunk before it (0 for the first),
// u32 count, then the rows (u8 space, u32 and key, u32 and value), and last the XXH3-64 checksum of
// all of that; numbers are little-endian.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "kv/engine.h"
#include "kv/state_machine.h"
#include "raft/message.h"

namespace storage {

/// Payload of one chunk; a single row may be larger.
inline constexpr std::size_t kChunkBytes = 1 << 20;

/// What a message says of a snapshot at this position.
raft::SnapshotMeta meta_of(const kv::Position& position);

/// Reads chunks out of a frozen state.
/// Invariant: a chunk that was read before is the same when it is read again.
class SnapshotReader {
 public:
  explicit SnapshotReader(kv::StateSnapshot snapshot, std::size_t chunk_bytes = kChunkBytes);

  const kv::Position& position() const { return snapshot_.position; }
  struct Chunk {
    std::shared_ptr<const std::string> data;
    bool done = false;  // the last
  };
  /// Requires: number is at most one above the highest that was read. Errors: as
  /// EngineSnapshot::read; kInvalidArgument: there is no such chunk.
  base::Result<Chunk> read(std::uint64_t number);

 private:
  struct Place {
    kv::EngineCursor cursor;
    std::uint64_t checksum_before = 0;
  };
  kv::StateSnapshot snapshot_;
  const std::size_t chunk_bytes_;
  std::vector<Place> places_;  // where each chunk begins that can be read
};

/// Puts chunks into a store that is being built.
/// Invariant: only what follows the chunk before it, in order and undamaged, is put.
class SnapshotWriter {
 public:
  explicit SnapshotWriter(std::unique_ptr<kv::IncomingEngine> incoming)
      : incoming_(std::move(incoming)) {}

  /// Errors: kCorrupt: damaged, out of order, or not sorted; kNewerFormat; as IncomingEngine::add.
  base::Status add(const std::string& chunk);
  /// All chunks were added: makes the rows this member's own and durable, and gives the store for
  /// StateMachine::install. `meta`: what they were said to be. Errors: kCorrupt: they are not; as
  /// IncomingEngine::finish.
  base::Result<std::unique_ptr<kv::IncomingEngine>> finish(const raft::SnapshotMeta& meta);

 private:
  std::unique_ptr<kv::IncomingEngine> incoming_;
  std::uint64_t next_ = 0;             // the number that is waited for
  std::uint64_t checksum_before_ = 0;  // of the chunk before
  std::optional<kv::EngineCursor> last_;
};

}  // namespace storage
