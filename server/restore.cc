#include "server/restore.h"

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "server/audit.h"
#include "storage/files.h"
#include "storage/new_directory.h"

namespace server {
namespace {

using base::Code;
using base::Result;
using base::Status;

std::string place_in(const std::string& data_dir) {
  return data_dir + "/" + std::string(storage::kRestoring);
}

/// Empty, missing, or left by a restore that was cut short.
Status check_empty(const std::string& data_dir) {
  std::error_code error;
  if (!std::filesystem::exists(data_dir, error)) return Status::ok();
  for (auto at = std::filesystem::directory_iterator(data_dir, error);
       !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    if (at->path().filename() == storage::kRestoring) continue;
    return {Code::kInvalidArgument, data_dir + " is not empty: it holds " +
                                        at->path().filename().string() +
                                        "; a restore makes a new data directory"};
  }
  if (error) return {Code::kIo, "cannot look into " + data_dir + ": " + error.message()};
  return Status::ok();
}

Status check_cluster(const storage::SnapshotFileHeader& header, base::ClusterId cluster) {
  if (header.cluster != cluster) return Status::ok();
  return {Code::kInvalidArgument,
          "--cluster-token is that of the cluster that the snapshot is of: choose another, or "
          "members of the old one would take the new ones for theirs"};
}

std::string audit_of(const RestoreOptions& options, const Restored& restored) {
  return audit_record("restore",
                      {{"file", options.file},
                       {"of", "cluster " + base::to_hex(restored.from.cluster.value) + ", member " +
                                  base::to_hex(restored.from.member.value) + ", saved " +
                                  describe_time(restored.from.created_ms)},
                       {"from", describe(restored.from.position)},
                       {"as", "cluster " + base::to_hex(restored.cluster.value) + ", member " +
                                  options.name + " (" + base::to_hex(restored.member.value) + ")"},
                       {"to", describe(restored.position)}});
}

Status build(const RestoreOptions& options, storage::SnapshotFile& file, Restored& restored) {
  auto made =
      storage::NewDirectory::begin(place_in(options.data_dir), restored.cluster, restored.member);
  if (!made) return made.status();
  storage::NewDirectory& directory = *made.value();
  auto rows = directory.begin_rows();
  if (!rows) return rows.status();
  auto loaded = storage::load_snapshot_file(file, std::move(rows).value());
  if (!loaded) return loaded.status();
  if (Status status = directory.install(std::move(loaded).value()); !status.is_ok()) return status;
  restored.position = kv::next_generation(restored.from.position, restored.cluster,
                                          raft::encode(initial_configuration(options.members)));
  restored.audit = audit_of(options, restored);
  Status status = directory.finish(restored.position, restored.audit);
  return status.is_ok() ? directory.put_at(options.data_dir) : status;
}

}  // namespace

Result<Restored> restore_snapshot(const RestoreOptions& options) {
  if (Status status = check_empty(options.data_dir); !status.is_ok()) return status;
  auto file = storage::SnapshotFile::open(options.file);
  if (!file) return file.status();
  Restored restored;
  restored.from = file->header();
  restored.cluster = cluster_id_of(options.cluster_token);
  restored.member = member_id_of(options.cluster_token, options.name);
  if (Status status = check_cluster(restored.from, restored.cluster); !status.is_ok()) {
    return status;
  }
  std::error_code error;
  const bool made_here = !std::filesystem::exists(options.data_dir, error);
  if (Status made = storage::make_directory(options.data_dir); !made.is_ok()) return made;
  Status status = build(options, file.value(), restored);
  if (status.is_ok()) return restored;
  // What was built so far is of no use. If it cannot be removed, the next restore does.
  (void)storage::remove_directory(place_in(options.data_dir));
  if (made_here) std::filesystem::remove(options.data_dir, error);
  return status;
}

}  // namespace server
