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
#include "storage/fault_file_system.h"
#include "storage/files.h"
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
constexpr std::array<const char*, kv::kSpaces> kFamilyNames = {"default",  "history", "sessions",
                                                               "versions", "leases",  "meta"};

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
  // Written out bit by bit: a flush that syncs hundreds of MiB at its end delays the log's syncs.
  options.bytes_per_sync = 1 << 20;
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

Status write(RocksInstance& instance, rocksdb::WriteBatch& batch) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;  // the Raft log is the log
  return to_status(instance.db->Write(options, &batch), "write to the state");
}

/// `snapshot`: null for the latest rows.
base::Result<std::optional<std::string>> read(RocksInstance& instance, kv::Space space,
                                              std::string_view key,
                                              const rocksdb::Snapshot* snapshot = nullptr) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  std::string value;
  const rocksdb::Status status =
      instance.db->Get(options, instance.family(space), rocksdb::Slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return to_status(status, "read the state");
  return std::optional(std::move(value));
}

/// `snapshot`: null for the latest rows.
Status scan_rows(RocksInstance& instance, const rocksdb::Snapshot* snapshot, kv::Space space,
                 std::string_view begin, std::string_view end,
                 const std::function<bool(std::string_view key, std::string_view value)>& visit) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  const rocksdb::Slice upper_bound(end);
  if (!end.empty()) options.iterate_upper_bound = &upper_bound;
  const std::unique_ptr<rocksdb::Iterator> row(
      instance.db->NewIterator(options, instance.family(space)));
  for (row->Seek(rocksdb::Slice(begin)); row->Valid(); row->Next()) {
    if (!visit(row->key().ToStringView(), row->value().ToStringView())) return Status::ok();
  }
  return to_status(row->status(), "read the state");
}

}  // namespace

base::Result<std::shared_ptr<RocksInstance>> RocksInstance::open(const std::string& path,
                                                                 VolumeFaults* faults) {
  const auto cache = rocksdb::NewLRUCache(kCacheBytes, kCacheShardBits);
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const char* name : kFamilyNames) descriptors.emplace_back(name, family_options(cache));
  auto instance = std::make_shared<RocksInstance>();
  rocksdb::DB* opened = nullptr;
  rocksdb::DBOptions options = database_options();
  if (faults != nullptr) {
    instance->env = rocksdb::NewCompositeEnv(
        make_fault_file_system(rocksdb::Env::Default()->GetFileSystem(), faults));
    options.env = instance->env.get();
  }
  const rocksdb::Status status =
      rocksdb::DB::Open(options, path, descriptors, &instance->families, &opened);
  instance->db.reset(opened);
  if (!status.ok()) return to_status(status, "open the state " + path);
  return instance;
}

void RocksInstance::close() {
  if (db == nullptr) return;
  for (const rocksdb::Snapshot* each : snapshots) db->ReleaseSnapshot(each);
  snapshots.clear();
  for (rocksdb::ColumnFamilyHandle* each : families) db->DestroyColumnFamilyHandle(each);
  families.clear();
  db.reset();
}

base::Result<std::unique_ptr<RocksEngine>> RocksEngine::open(const std::string& path,
                                                             VolumeFaults* faults) {
  std::unique_ptr<RocksEngine> engine(new RocksEngine(path, faults));
  if (Status status = remove_directory(engine->incoming_path()); !status.is_ok()) return status;
  auto instance = RocksInstance::open(path, faults);
  if (!instance) return instance.status();
  engine->instance_ = std::move(instance).value();
  return engine;
}

base::Result<std::optional<std::string>> RocksEngine::get(kv::Space space, std::string_view key) {
  return read(*instance_, space, key);
}

Status RocksEngine::scan(
    kv::Space space, std::string_view begin, std::string_view end,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) {
  return scan_rows(*instance_, nullptr, space, begin, end, visit);
}

Status RocksEngine::commit(const kv::EngineBatch& batch) {
  if (batch.empty()) return Status::ok();
  rocksdb::WriteBatch writes;
  for (const auto& change : batch.changes) {
    rocksdb::ColumnFamilyHandle* family = instance_->family(change.space);
    const rocksdb::Status added = change.value ? writes.Put(family, change.key, *change.value)
                                               : writes.Delete(family, change.key);
    CHECK(added.ok(), added.ToString());
  }
  return write(*instance_, writes);
}

Status RocksEngine::flush() {
  return to_status(instance_->db->Flush(rocksdb::FlushOptions(), instance_->families),
                   "flush the state");
}

std::optional<std::string> RocksEngine::durable_meta(std::string_view key) {
  // While a snapshot is installed nobody knows; who asks must not wait.
  const std::unique_lock lock(instance_mutex_, std::try_to_lock);
  if (!lock.owns_lock() || instance_ == nullptr) return std::nullopt;
  // Without a write-ahead log this tier is the files alone, never a memtable.
  rocksdb::ReadOptions options;
  options.read_tier = rocksdb::kPersistedTier;
  std::string value;
  const rocksdb::Status status =
      instance_->db->Get(options, instance_->family(kv::Space::kMeta), rocksdb::Slice(key), &value);
  // A row that cannot be read is none that the log may be cut below.
  if (!status.ok()) return std::nullopt;
  return value;
}

// ---- Snapshots ----

namespace {

class RocksSnapshot final : public kv::EngineSnapshot {
 public:
  explicit RocksSnapshot(std::shared_ptr<RocksInstance> instance)
      : instance_(std::move(instance)), snapshot_(instance_->db->GetSnapshot()) {
    std::lock_guard lock(instance_->mutex);
    instance_->snapshots.insert(snapshot_);
  }
  ~RocksSnapshot() override {
    std::lock_guard lock(instance_->mutex);
    if (instance_->snapshots.erase(snapshot_) > 0) instance_->db->ReleaseSnapshot(snapshot_);
  }

  base::Result<kv::EnginePage> read(const kv::EngineCursor& from,
                                    std::size_t limit_bytes) override {
    std::lock_guard lock(instance_->mutex);
    if (instance_->db == nullptr) return gone();
    kv::EnginePage page;
    std::size_t bytes = 0;
    for (auto space = static_cast<std::size_t>(from.space); space < kv::kSpaces; ++space) {
      const auto each = static_cast<kv::Space>(space);
      Status status =
          read_space(each, each == from.space ? from.key : std::string(), limit_bytes, bytes, page);
      if (!status.is_ok()) return status;
      if (page.next) return page;
    }
    return page;
  }
  // The engine's thread closes its instance itself, so these take no lock: another thread's page
  // may be stuck on the disk.
  base::Result<std::optional<std::string>> get(kv::Space space, std::string_view key) override {
    if (instance_->db == nullptr) return gone();
    return storage::read(*instance_, space, key, snapshot_);
  }
  Status scan(
      kv::Space space, std::string_view begin, std::string_view end,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) override {
    if (instance_->db == nullptr) return gone();
    return scan_rows(*instance_, snapshot_, space, begin, end, visit);
  }

 private:
  static Status gone() {
    return Status(base::Code::kUnavailable, "another state was installed meanwhile");
  }
  Status read_space(kv::Space space, const std::string& begin, std::size_t limit_bytes,
                    std::size_t& bytes, kv::EnginePage& page) const {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot_;
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> row(
        instance_->db->NewIterator(options, instance_->family(space)));
    for (row->Seek(begin); row->Valid(); row->Next()) {
      const std::size_t size = row->key().size() + row->value().size();
      if (!page.rows.empty() && bytes + size > limit_bytes) {
        page.next = kv::EngineCursor{space, row->key().ToString()};
        return Status::ok();
      }
      bytes += size;
      page.rows.push_back({space, row->key().ToString(), row->value().ToString()});
    }
    return to_status(row->status(), "read a snapshot of the state");
  }

  const std::shared_ptr<RocksInstance> instance_;
  const rocksdb::Snapshot* const snapshot_;
};

class RocksIncoming final : public kv::IncomingEngine {
 public:
  explicit RocksIncoming(std::shared_ptr<RocksInstance> instance)
      : instance_(std::move(instance)) {}

  Status add(const std::vector<kv::EngineRow>& rows) override {
    rocksdb::WriteBatch writes;
    for (const kv::EngineRow& row : rows) {
      const rocksdb::Status added = writes.Put(instance_->family(row.space), row.key, row.value);
      CHECK(added.ok(), added.ToString());
    }
    return write(*instance_, writes);
  }
  base::Result<std::optional<std::string>> get(kv::Space space, std::string_view key) override {
    return read(*instance_, space, key);
  }
  Status finish() override {
    return to_status(instance_->db->Flush(rocksdb::FlushOptions(), instance_->families),
                     "flush a snapshot");
  }

 private:
  const std::shared_ptr<RocksInstance> instance_;
};

}  // namespace

base::Result<std::unique_ptr<kv::EngineSnapshot>> RocksEngine::snapshot() {
  return std::unique_ptr<kv::EngineSnapshot>(std::make_unique<RocksSnapshot>(instance_));
}

base::Result<std::unique_ptr<kv::IncomingEngine>> RocksEngine::begin_install() {
  if (Status status = remove_directory(incoming_path()); !status.is_ok()) return status;
  auto instance = RocksInstance::open(incoming_path(), faults_);
  if (!instance) return instance.status();
  return std::unique_ptr<kv::IncomingEngine>(
      std::make_unique<RocksIncoming>(std::move(instance).value()));
}

Status RocksEngine::install(std::unique_ptr<kv::IncomingEngine> incoming) {
  incoming.reset();  // closes its files
  std::lock_guard lock(instance_mutex_);
  {
    std::lock_guard reading(instance_->mutex);
    instance_->close();
  }
  if (Status status = exchange_directories(path_, incoming_path()); !status.is_ok()) return status;
  auto instance = RocksInstance::open(path_, faults_);
  if (!instance) return instance.status();
  instance_ = std::move(instance).value();
  // What was there before. If this fails the next opening removes it.
  (void)remove_directory(incoming_path());
  return Status::ok();
}

}  // namespace storage
