#include "storage/data_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "base/check.h"
#include "storage/discard.h"
#include "storage/files.h"
#include "storage/identity.h"
#include "storage/new_directory.h"
#include "storage/rocks_engine.h"
#include "storage/rocks_log.h"

namespace storage {
namespace {

using base::Code;
using base::Status;

Status check_owner(const std::string& directory, const Identity& found,
                   const DataDirectoryOptions& options) {
  if (found.cluster != options.cluster) {
    return {Code::kWrongCluster, directory + " belongs to cluster " +
                                     base::to_hex(found.cluster.value) + ", not to " +
                                     base::to_hex(options.cluster.value) +
                                     ": give another --data-dir or the right --cluster-token"};
  }
  if (found.member != options.member) {
    return {Code::kWrongMember, directory + " belongs to member " +
                                    base::to_hex(found.member.value) + ", not to " +
                                    base::to_hex(options.member.value) +
                                    ": give another --data-dir or the right --name"};
  }
  return Status::ok();
}

/// The next opening, durably written down.
base::Result<base::Opening> raise_epoch(const std::string& directory, bool initialised) {
  auto before = read_opening(directory);
  if (!before) return before.status();
  if (initialised && !before.value()) {
    return Status(Code::kCorrupt,
                  directory +
                      "/EPOCH is missing: without it this member cannot tell its openings "
                      "apart; give it an empty directory");
  }
  auto nonce = random_number();
  if (!nonce) return nonce.status();
  const base::Opening opening{before.value().value_or(base::Opening()).epoch + 1, nonce.value()};
  if (Status status = write_opening(directory, opening); !status.is_ok()) return status;
  return opening;
}

class OpenDirectory final : public DataDirectory {
 public:
  OpenDirectory(File lock, std::unique_ptr<RocksLog> log, std::unique_ptr<RocksEngine> engine)
      : lock_(std::move(lock)), log_(std::move(log)), engine_(std::move(engine)) {}

  LogStore& log() override { return *log_; }
  std::unique_ptr<kv::Engine> take_engine() override {
    CHECK(engine_ != nullptr, "the engine is taken once");
    return std::move(engine_);
  }

 private:
  const File lock_;  // released last
  const std::unique_ptr<RocksLog> log_;
  std::unique_ptr<RocksEngine> engine_;
};

/// The identity that is there, checked, or a new one that is not written down yet.
base::Result<Identity> identify(const std::string& directory, const DataDirectoryOptions& options,
                                bool* initialised) {
  auto found = read_identity(directory);
  if (!found) return found.status();
  *initialised = found.value().has_value();
  if (*initialised) {
    if (Status status = check_owner(directory, *found.value(), options); !status.is_ok()) {
      return status;
    }
    return *found.value();
  }
  auto incarnation = random_number();
  if (!incarnation) return incarnation.status();
  return Identity{options.cluster, options.member, base::Incarnation(incarnation.value())};
}

Status settle_format(const std::string& directory, bool initialised) {
  auto has = has_format(directory);
  if (!has) return has.status();
  if (has.value()) return Status::ok();
  if (!initialised) return write_format(directory);
  return {Code::kCorrupt, directory + "/FORMAT is missing, though the directory is in use"};
}

/// A restore that was cut short has left no member: an empty one must not be made in its place.
Status check_not_being_restored(const std::string& path) {
  std::error_code error;
  const bool begun = std::filesystem::exists(path + "/" + std::string(kRestoring), error);
  if (error || !begun || std::filesystem::exists(path + "/member", error)) return Status::ok();
  return {Code::kCorrupt, path + " is being restored, or a restore was cut short: run it again"};
}

}  // namespace

base::Result<File> lock_member_directory(const std::string& member_directory) {
  const std::string path = member_directory + "/LOCK";
  auto file = File::open(path, O_RDWR | O_CREAT);
  if (!file) return file;
  struct flock whole_file {};
  whole_file.l_type = F_WRLCK;
  whole_file.l_whence = SEEK_SET;
  if (::fcntl(file->descriptor(), F_OFD_SETLK, &whole_file) == 0) return file;
  if (errno != EAGAIN && errno != EACCES) return file_error("lock", path, errno);
  return Status(Code::kLocked, path + " is held by another process: stop it first");
}

base::Result<std::unique_ptr<DataDirectory>> DataDirectory::open(
    const DataDirectoryOptions& options) {
  CHECK(options.cluster && options.member, "ids are not zero");
  const std::string directory = options.path + "/member";
  if (Status status = check_not_being_restored(options.path); !status.is_ok()) return status;
  if (Status status = make_directory(options.path); !status.is_ok()) return status;
  if (Status status = make_directory(directory); !status.is_ok()) return status;
  auto lock = lock_member_directory(directory);
  if (!lock) return lock.status();

  bool initialised = false;
  auto identity = identify(directory, options, &initialised);
  if (!identity) return identity.status();
  if (Status status = settle_format(directory, initialised); !status.is_ok()) return status;
  auto opening = raise_epoch(directory, initialised);
  if (!opening) return opening.status();

  auto log = RocksLog::open({directory, identity.value(), opening.value(), initialised,
                             options.faults == nullptr ? nullptr : &options.faults->log});
  if (!log) return log.status();
  if (Status status = discard_marked_state(directory); !status.is_ok()) return status;
  auto engine = RocksEngine::open(directory + "/state",
                                  options.faults == nullptr ? nullptr : &options.faults->state);
  if (!engine) return engine.status();
  // Last: a directory with an IDENTITY has all the rest, and whatever is missing then was lost.
  if (!initialised) {
    if (Status status = write_identity(directory, identity.value()); !status.is_ok()) return status;
  }
  return std::unique_ptr<DataDirectory>(std::make_unique<OpenDirectory>(
      std::move(lock).value(), std::move(log).value(), std::move(engine).value()));
}

}  // namespace storage
