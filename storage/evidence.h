// The evidence folder: hard links to the log's write-ahead files, made before RocksDB opens (a
// successful opening flushes and deletes them), kept for good once a loss was found. Also the file
// QUARANTINE. Disk thread, or before anything else runs.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "storage/log_rows.h"

namespace storage {

/// MEMBER/evidence/EPOCH/…, a folder an opening.
/// An opening that ended before its verdict leaves its folder, and the next one reads that too: so
/// a crash between RocksDB's recovery and the verdict hides nothing.
class EvidenceFolder {
 public:
  EvidenceFolder(std::string member_directory, std::uint64_t epoch);

  /// Links each write-ahead file of `log_directory`, durably. Errors: kIo, kDiskFull.
  base::Status collect(const std::string& log_directory);
  /// The highest claim in any write-ahead file of any folder. Errors: kIo.
  base::Result<std::optional<Claim>> highest_claim() const;
  /// Copies a small file beside the links, if it is there. Errors: kIo, kDiskFull.
  base::Status keep_copy(const std::string& path);
  /// Moves a whole directory into the folder, durably. Errors: kIo, kDiskFull.
  base::Status keep_directory(const std::string& path);
  /// Removes every folder. Requires: no loss was found. Errors: kIo.
  base::Status discard();

  const std::string& path() const { return folder_; }

 private:
  base::Status make_folder();

  const std::string root_;
  const std::string folder_;
};

/// The reason that was written down; nullopt: this member is not in quarantine. Errors: kIo.
base::Result<std::optional<std::string>> read_quarantine(const std::string& member_directory);
/// Written and synced when it returns; an earlier reason stays. Errors: kIo, kDiskFull.
/// Once a leader has made the member whole. Durable when it returns; the evidence stays.
base::Status remove_quarantine(const std::string& member_directory);
base::Status write_quarantine(const std::string& member_directory, const std::string& reason);

}  // namespace storage
