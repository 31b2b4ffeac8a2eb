#include "storage/fault_file_system.h"

#include <chrono>
#include <string>
#include <thread>
#include <utility>

namespace storage {
namespace {

/// How soon after the heal a hung sync goes on.
constexpr std::chrono::milliseconds kPollPeriod(2);

bool is_write_ahead_log(const std::string& path) {
  return path.ends_with(".log");
}

class FaultWritableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultWritableFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, FaultSwitches* faults)
      : FSWritableFileOwnerWrapper(std::move(file)), faults_(faults) {}

  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                         rocksdb::IODebugContext* debug) override {
    wait_while_hung(faults_);
    return FSWritableFileOwnerWrapper::Sync(options, debug);
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* debug) override {
    wait_while_hung(faults_);
    return FSWritableFileOwnerWrapper::Fsync(options, debug);
  }

 private:
  FaultSwitches* const faults_;
};

class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FaultFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, FaultSwitches* faults)
      : FileSystemWrapper(base), faults_(faults) {}

  const char* Name() const override { return "holdfast.FaultFileSystem"; }

  rocksdb::IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* debug) override {
    rocksdb::IOStatus status = FileSystemWrapper::NewWritableFile(path, options, result, debug);
    if (status.ok() && is_write_ahead_log(path)) {
      *result = std::make_unique<FaultWritableFile>(std::move(*result), faults_);
    }
    return status;
  }

 private:
  FaultSwitches* const faults_;
};

}  // namespace

void wait_while_hung(FaultSwitches* faults) {
  if (faults == nullptr || !faults->hang_log_sync.load()) return;
  faults->hung_log_syncs.fetch_add(1);
  // Polled, since a thread that waits on a condition would need someone to wake it on the way out.
  while (faults->hang_log_sync.load()) std::this_thread::sleep_for(kPollPeriod);
}

std::shared_ptr<rocksdb::FileSystem> make_fault_file_system(
    std::shared_ptr<rocksdb::FileSystem> base, FaultSwitches* faults) {
  return std::make_shared<FaultFileSystem>(base, faults);
}

}  // namespace storage
