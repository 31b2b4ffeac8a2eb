// snapshot save: a member's state as a file on this machine. (status and restore: holdfastd's.)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "client/ctl/arguments.h"

namespace client::ctl {

int run_snapshot_save(const Arguments& arguments);

/// A file that appears under its name only when it is whole and synced: until then it is
/// PATH.partial.
class PartialFile {
 public:
  explicit PartialFile(std::string path) : path_(std::move(path)) {}
  /// Removes what was not committed.
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  // Errors of all: kInvalidArgument, naming the file.
  /// Begins, or begins anew.
  base::Status open();
  base::Status write(std::string_view bytes);
  /// Syncs and renames; takes the place of a file that is there.
  base::Status commit();

 private:
  std::string partial() const { return path_ + ".partial"; }
  base::Status failed(const std::string& what) const;

  const std::string path_;
  int descriptor_ = -1;
};

}  // namespace client::ctl
