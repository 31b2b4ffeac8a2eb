// A snapshot file becomes the data directory of a member of a new cluster
// (docs/decisions/0012). No member runs on it; blocks.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "server/config.h"
#include "storage/snapshot_file.h"

namespace server {

struct RestoreOptions {
  std::string file;
  std::string data_dir;
  std::string name;                   // who it is to be
  std::string cluster_token;          // another one than the old cluster's
  std::vector<MemberConfig> members;  // of the new cluster, whom the token names; with `name`
};

struct Restored {
  storage::SnapshotFileHeader from;
  base::ClusterId cluster;
  base::MemberId member;
  kv::Position position;
  std::string audit;  // what was written down
};

/// Every initial member is restored from the same file; then they are started like the members of
/// any new cluster. Errors: kInvalidArgument: the directory holds something, or the token is the
/// old cluster's; as SnapshotFile and NewDirectory. After an error there is no member in the
/// directory.
base::Result<Restored> restore_snapshot(const RestoreOptions& options);

}  // namespace server
