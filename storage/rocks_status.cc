#include "storage/rocks_status.h"

#include <string>

namespace storage {

base::Status to_status(const rocksdb::Status& status, std::string_view what) {
  if (status.ok()) return base::Status::ok();
  base::Code code = base::Code::kIo;
  if (status.IsNoSpace()) code = base::Code::kDiskFull;
  if (status.IsCorruption()) code = base::Code::kCorrupt;
  return {code, "cannot " + std::string(what) + ": " + status.ToString()};
}

bool is_damage(const rocksdb::Status& status) {
  if (status.IsIOError()) return status.IsPathNotFound();
  return status.IsCorruption() || status.IsNotFound() || status.IsInvalidArgument() ||
         status.IsNotSupported();
}

}  // namespace storage
