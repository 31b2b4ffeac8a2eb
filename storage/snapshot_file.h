// Snapshot files: the chunks of snapshot.h with a header in front and a checksum at the end, as
// `holdfast snapshot save` leaves them (docs/decisions/0012). One thread at a time.
//
// Numbers are u64, little-endian. Header: 12 bytes of magic, version, size of what follows,
// cluster, member, milliseconds since 1970, the position as in the state (kv/row.h), checksum over
// all of that. Then each chunk behind its size. Then 0, the number of chunks, and the checksum over
// the header and every chunk with its size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/hash.h"
#include "base/ids.h"
#include "base/status.h"
#include "kv/state_machine.h"
#include "storage/files.h"
#include "storage/snapshot.h"

namespace storage {

struct SnapshotFileHeader {
  base::ClusterId cluster;
  base::MemberId member;         // whose state it was
  std::uint64_t created_ms = 0;  // that member's wall clock
  kv::Position position;         // its log_ordinal is zero: it says nothing of a receiver's log
  bool operator==(const SnapshotFileHeader&) const = default;
};

/// Gives the bytes of a file, part by part, from a frozen state.
class SnapshotFileSource {
 public:
  SnapshotFileSource(kv::StateSnapshot snapshot, base::ClusterId cluster, base::MemberId member,
                     std::uint64_t created_ms, std::size_t chunk_bytes = kChunkBytes);

  const SnapshotFileHeader& header() const { return header_; }
  struct Part {
    std::string data;
    bool done = false;  // the file ends with it
  };
  /// About a chunk at a time. Requires: the one before was not `done`. Errors: as
  /// EngineSnapshot::read; the file cannot be finished then.
  base::Result<Part> next();

 private:
  const SnapshotFileHeader header_;
  SnapshotReader reader_;
  base::Hasher checksum_;
  std::uint64_t chunks_ = 0;
};

/// Reads a file from its beginning and checks every byte of it.
class SnapshotFile {
 public:
  /// Reads the header. Errors: kIo; kNewerFormat; kCorrupt, saying what is wrong at which byte.
  static base::Result<SnapshotFile> open(const std::string& path);

  const SnapshotFileHeader& header() const { return header_; }
  /// The next chunk; nullopt: the file has ended, and as it should. Errors: as open().
  base::Result<std::optional<std::string>> next();
  const std::string& path() const { return path_; }
  std::uint64_t chunks() const { return chunks_; }
  std::uint64_t bytes_read() const { return at_; }

 private:
  SnapshotFile(std::string path, File file) : path_(std::move(path)), file_(std::move(file)) {}
  base::Status read_header();
  base::Status read_end();
  /// Exactly so many bytes. Errors: kIo; kCorrupt: the file ends before.
  base::Result<std::string> read(std::size_t size, const std::string& what);
  base::Status corrupt(std::uint64_t at, const std::string& why) const;

  std::string path_;
  File file_;
  SnapshotFileHeader header_;
  std::string header_bytes_;  // until the first chunk: the checksum covers both
  base::Hasher checksum_;
  std::uint64_t chunks_ = 0;
  std::uint64_t at_ = 0;  // bytes read so far
};

/// What a sound file holds.
struct SnapshotFileSummary {
  SnapshotFileHeader header;
  std::uint64_t keys = 0;    // that exist now
  std::uint64_t events = 0;  // of their history
  std::uint64_t sessions = 0;
  std::uint64_t chunks = 0;
  std::uint64_t bytes = 0;  // of the file
};
/// Reads all of it. Errors: as SnapshotFile; kCorrupt also where its rows are not what it says.
base::Result<SnapshotFileSummary> summarize_snapshot_file(const std::string& path);

/// Puts the rows of the file into `incoming` and finishes it, as SnapshotWriter does.
base::Result<std::unique_ptr<kv::IncomingEngine>> load_snapshot_file(
    SnapshotFile& file, std::unique_ptr<kv::IncomingEngine> incoming);

}  // namespace storage
