// The small text files that say what a data directory is: FORMAT, IDENTITY and EPOCH, the latter
// two sealed by a checksum. Before anything else runs; EpochFence: log thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <sys/stat.h>

#include "base/ids.h"
#include "base/status.h"
#include "storage/log_store.h"

namespace storage {

// Reading: nullopt if there is no such file. Errors: kIo; kCorrupt; kNewerFormat.
base::Result<std::optional<Identity>> read_identity(const std::string& member_directory);
base::Result<std::optional<base::Opening>> read_opening(const std::string& member_directory);
/// Ok if the directory has the format of this version, or none yet.
base::Result<bool> has_format(const std::string& member_directory);

// Writing: durable on return. Errors: kIo, kDiskFull.
base::Status write_identity(const std::string& member_directory, const Identity& identity);
base::Status write_opening(const std::string& member_directory, const base::Opening& opening);
base::Status write_format(const std::string& member_directory);

/// A random number that is not zero, from the operating system. Errors: kIo.
base::Result<std::uint64_t> random_number();

/// Whether the directory is still in the epoch of this opening (DESIGN section 5.14). Costs one
/// stat, as EPOCH is replaced as a whole by whoever opens the directory.
class EpochFence {
 public:
  EpochFence(std::string member_directory, base::Opening opening);
  /// Errors: kLocked: somebody else opened it; kIo, kCorrupt: EPOCH cannot be read.
  base::Status check();

 private:
  const std::string directory_;
  const base::Opening opening_;
  struct stat seen_ {};
};

}  // namespace storage
