#include "storage/fault_file_system.h"

#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <utility>

namespace storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

IOStatus to_io_status(int error_number) {
  if (error_number == 0) return IOStatus::OK();
  return IOStatus::IOError("injected", std::strerror(error_number));
}

/// Invariant: what is held comes before whatever is written next, and is in the file once a sync or
/// a close has returned.
class FaultWritableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultWritableFile(std::unique_ptr<rocksdb::FSWritableFile>&& file, VolumeFaults* faults)
      : FSWritableFileOwnerWrapper(std::move(file)), faults_(faults) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    const IOStatus fault = to_io_status(before_write(faults_));
    if (!fault.ok()) return fault;
    if (holds(data)) return IOStatus::OK();
    const IOStatus before = write_held(held_.size(), options, debug);
    return before.ok() ? FSWritableFileOwnerWrapper::Append(data, options, debug) : before;
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& verification,
                  IODebugContext* debug) override {
    const IOStatus fault = to_io_status(before_write(faults_));
    if (!fault.ok()) return fault;
    if (holds(data)) return IOStatus::OK();
    const IOStatus before = write_held(held_.size(), options, debug);
    return before.ok() ? FSWritableFileOwnerWrapper::Append(data, options, verification, debug)
                       : before;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = to_io_status(before_sync(faults_));
    if (status.ok()) status = write_before_sync(options, debug);
    return status.ok() ? FSWritableFileOwnerWrapper::Sync(options, debug) : status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = to_io_status(before_sync(faults_));
    if (status.ok()) status = write_before_sync(options, debug);
    return status.ok() ? FSWritableFileOwnerWrapper::Fsync(options, debug) : status;
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    const IOStatus before = write_held(held_.size(), options, debug);
    const IOStatus status = FSWritableFileOwnerWrapper::Close(options, debug);
    return before.ok() ? status : before;
  }

 private:
  bool holds(const rocksdb::Slice& data) {
    if (faults_ == nullptr || !faults_->holds_writes()) return false;
    if (faults_->lose_unsynced.on()) faults_->lose_unsynced.hit();
    held_.append(data.data(), data.size());
    return true;
  }

  IOStatus write_held(std::size_t bytes, const IOOptions& options, IODebugContext* debug) {
    if (held_.empty()) return IOStatus::OK();
    const IOStatus status =
        FSWritableFileOwnerWrapper::Append(rocksdb::Slice(held_.data(), bytes), options, debug);
    held_.erase(0, bytes);
    return status;
  }

  IOStatus write_before_sync(const IOOptions& options, IODebugContext* debug) {
    if (held_.size() < 2 || !faults_->tear_sync.on()) {
      return write_held(held_.size(), options, debug);
    }
    faults_->tear_sync.hit();
    (void)write_held(held_.size() / 2, options, debug);
    (void)FSWritableFileOwnerWrapper::Flush(options, debug);
    (void)kill(getpid(), SIGKILL);
    return IOStatus::IOError("injected", "the process ends");
  }

  std::string held_;
  VolumeFaults* const faults_;
};

class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  FaultFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, VolumeFaults* faults)
      : FileSystemWrapper(base), faults_(faults) {}

  const char* Name() const override { return "holdfast.FaultFileSystem"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* debug) override {
    IOStatus status = FileSystemWrapper::NewWritableFile(path, options, result, debug);
    if (status.ok()) *result = std::make_unique<FaultWritableFile>(std::move(*result), faults_);
    return status;
  }

 private:
  VolumeFaults* const faults_;
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> make_fault_file_system(
    std::shared_ptr<rocksdb::FileSystem> base, VolumeFaults* faults) {
  return std::make_shared<FaultFileSystem>(base, faults);
}

}  // namespace storage
