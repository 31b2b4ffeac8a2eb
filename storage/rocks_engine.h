// The state engine on a RocksDB instance of its own: one column family a space, no write-ahead log,
// all families flushed together, so that a crash finds the state of one moment (DESIGN
// section 5.15; options: reference wal.md sections 1 and 7). The apply thread owns it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include <rocksdb/db.h>

#include "kv/engine.h"

namespace storage {

class RocksEngine final : public kv::Engine {
 public:
  /// Opens or creates the instance in `path`. Errors: kIo, kDiskFull, kCorrupt.
  static base::Result<std::unique_ptr<RocksEngine>> open(const std::string& path);
  /// A clean end flushes; a crash returns to the last flush.
  ~RocksEngine() override;

  base::Result<std::optional<std::string>> get(kv::Space space, std::string_view key) override;
  base::Status scan(
      kv::Space space, std::string_view begin, std::string_view end,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) override;
  base::Status commit(const kv::EngineBatch& batch) override;
  base::Status flush() override;
  std::optional<std::string> durable_meta(std::string_view key) override;

 private:
  RocksEngine() = default;
  rocksdb::ColumnFamilyHandle* family(kv::Space space) const {
    return families_[static_cast<std::size_t>(space)];
  }

  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;  // by space; owned, closed before db_
};

}  // namespace storage
