#include "storage/rocks_engine.h"

#include <malloc.h>

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>

#include <utility>

#include "base/check.h"
#include "storage/rocks_status.h"

namespace storage {
namespace {

using base::Status;

constexpr std::size_t kMemtableBytes = 8 << 20;
constexpr std::size_t kMemtablesBytes = 32 << 20;
constexpr std::size_t kCacheBytes = 16 << 20;
// Set by hand: by itself RocksDB makes so many shards of a small cache that a large block fits in
// none.
constexpr int kCacheShardBits = 1;

/// By space. RocksDB wants one to be called so.
constexpr std::array<const char*, kv::kSpaces> kFamilyNames = {"default", "history", "sessions",
                                                               "meta"};

/// Gives freed memtables back to the system; the allocator keeps them otherwise.
class TrimAfterFlush final : public rocksdb::EventListener {
 public:
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { ::malloc_trim(0); }
};

rocksdb::DBOptions database_options() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.atomic_flush = true;
  options.allow_concurrent_memtable_write = false;
  // Not charged to the block cache: memtables alone would fill it.
  options.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(kMemtablesBytes);
  options.max_open_files = 256;
  options.max_bgerror_resume_count = 0;
  options.stats_dump_period_sec = 0;
  options.keep_log_file_num = 2;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.listeners = {std::make_shared<TrimAfterFlush>()};
  return options;
}

rocksdb::ColumnFamilyOptions family_options(std::shared_ptr<rocksdb::Cache> cache) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = kMemtableBytes;
  options.max_write_buffer_number = 4;
  options.target_file_size_base = 16 << 20;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = std::move(cache);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

}  // namespace

base::Result<std::unique_ptr<RocksEngine>> RocksEngine::open(const std::string& path) {
  const auto cache = rocksdb::NewLRUCache(kCacheBytes, kCacheShardBits);
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const char* name : kFamilyNames) descriptors.emplace_back(name, family_options(cache));
  std::unique_ptr<RocksEngine> engine(new RocksEngine());
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status =
      rocksdb::DB::Open(database_options(), path, descriptors, &engine->families_, &opened);
  engine->db_.reset(opened);
  if (!status.ok()) return to_status(status, "open the state " + path);
  return engine;
}

RocksEngine::~RocksEngine() {
  for (rocksdb::ColumnFamilyHandle* each : families_) db_->DestroyColumnFamilyHandle(each);
}

base::Result<std::optional<std::string>> RocksEngine::get(kv::Space space, std::string_view key) {
  std::string value;
  const rocksdb::Status status =
      db_->Get(rocksdb::ReadOptions(), family(space), rocksdb::Slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return to_status(status, "read the state");
  return std::optional(std::move(value));
}

Status RocksEngine::scan(
    kv::Space space, std::string_view begin, std::string_view end,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) {
  rocksdb::ReadOptions options;
  const rocksdb::Slice upper_bound(end);
  if (!end.empty()) options.iterate_upper_bound = &upper_bound;
  const std::unique_ptr<rocksdb::Iterator> row(db_->NewIterator(options, family(space)));
  for (row->Seek(rocksdb::Slice(begin)); row->Valid(); row->Next()) {
    if (!visit(row->key().ToStringView(), row->value().ToStringView())) return Status::ok();
  }
  return to_status(row->status(), "read the state");
}

Status RocksEngine::commit(const kv::EngineBatch& batch) {
  if (batch.empty()) return Status::ok();
  rocksdb::WriteBatch writes;
  for (const auto& change : batch.changes) {
    const rocksdb::Status added = change.value
                                      ? writes.Put(family(change.space), change.key, *change.value)
                                      : writes.Delete(family(change.space), change.key);
    CHECK(added.ok(), added.ToString());
  }
  rocksdb::WriteOptions options;
  options.disableWAL = true;  // the Raft log is the log
  return to_status(db_->Write(options, &writes), "write to the state");
}

Status RocksEngine::flush() {
  return to_status(db_->Flush(rocksdb::FlushOptions(), families_), "flush the state");
}

std::optional<std::string> RocksEngine::durable_meta(std::string_view key) {
  // Without a write-ahead log this tier is the files alone, never a memtable.
  rocksdb::ReadOptions options;
  options.read_tier = rocksdb::kPersistedTier;
  std::string value;
  const rocksdb::Status status =
      db_->Get(options, family(kv::Space::kMeta), rocksdb::Slice(key), &value);
  // A row that cannot be read is none that the log may be cut below.
  if (!status.ok()) return std::nullopt;
  return value;
}

}  // namespace storage
