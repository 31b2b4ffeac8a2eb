// The state engine on a RocksDB instance of its own: one column family a space, no write-ahead log,
// all families flushed together, so that a crash finds the state of one moment (DESIGN
// section 5.15; options: reference wal.md sections 1 and 7). The apply thread owns it; snapshots of
// it are read by the disk thread, which also builds the store that is to take its place.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include "kv/engine.h"
#include "storage/faults.h"

namespace storage {

/// An open RocksDB with its families. Closed by close(), or at its end with a flush.
/// Invariant: db is null, and no snapshot of it is left, once it is closed; whoever may meet that
/// holds `mutex`.
struct RocksInstance {
  static base::Result<std::shared_ptr<RocksInstance>> open(const std::string& path,
                                                           VolumeFaults* faults);
  ~RocksInstance() { close(); }
  void close();
  rocksdb::ColumnFamilyHandle* family(kv::Space space) const {
    return families[static_cast<std::size_t>(space)];
  }

  std::unique_ptr<rocksdb::Env> env;  // null: the default one; outlives db
  std::unique_ptr<rocksdb::DB> db;
  std::vector<rocksdb::ColumnFamilyHandle*> families;  // by space; owned, closed before db
  std::mutex mutex;                              // between close() and readers of other threads
  std::set<const rocksdb::Snapshot*> snapshots;  // taken and not released; guarded by mutex
};

class RocksEngine final : public kv::Engine {
 public:
  /// Opens or creates the instance in `path`; what an install left beside it is removed. `faults`
  /// outlives it; null: none. Errors: kIo, kDiskFull, kCorrupt.
  static base::Result<std::unique_ptr<RocksEngine>> open(const std::string& path,
                                                         VolumeFaults* faults = nullptr);
  /// A clean end flushes; a crash returns to the last flush.
  ~RocksEngine() override = default;

  base::Result<std::optional<std::string>> get(kv::Space space, std::string_view key) override;
  base::Status scan(
      kv::Space space, std::string_view begin, std::string_view end,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) override;
  base::Status commit(const kv::EngineBatch& batch) override;
  base::Status flush() override;
  std::optional<std::string> durable_meta(std::string_view key) override;
  base::Result<std::unique_ptr<kv::EngineSnapshot>> snapshot() override;
  base::Result<std::unique_ptr<kv::IncomingEngine>> begin_install() override;
  base::Status install(std::unique_ptr<kv::IncomingEngine> incoming) override;

 private:
  RocksEngine(std::string path, VolumeFaults* faults) : path_(std::move(path)), faults_(faults) {}
  std::string incoming_path() const { return path_ + ".incoming"; }

  const std::string path_;
  VolumeFaults* const faults_;
  std::mutex instance_mutex_;  // of instance_, which install() replaces
  std::shared_ptr<RocksInstance> instance_;
};

}  // namespace storage
