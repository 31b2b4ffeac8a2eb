#include "storage/memory_engine.h"

namespace storage {
namespace {

std::size_t at(kv::Space space) {
  return static_cast<std::size_t>(space);
}

}  // namespace

void MemoryStateDisk::apply(const kv::EngineBatch& batch, Image& image) {
  for (const auto& change : batch.changes) {
    Rows& rows = image[at(change.space)];
    if (change.value) {
      rows[change.key] = *change.value;
    } else {
      rows.erase(change.key);
    }
  }
}

void MemoryStateDisk::flush(std::size_t commits) {
  for (; commits > 0; --commits) {
    apply(unflushed_.front(), durable_);
    unflushed_.pop_front();
  }
}

void MemoryStateDisk::crash(base::Random& random) {
  flush(random.below(unflushed_.size() + 1));
  unflushed_.clear();
}

void MemoryStateDisk::wipe() {
  durable_ = {};
  unflushed_.clear();
}

base::Result<std::optional<std::string>> MemoryEngine::get(kv::Space space, std::string_view key) {
  const auto& rows = rows_[at(space)];
  const auto row = rows.find(key);
  if (row == rows.end()) return std::optional<std::string>();
  return std::optional(row->second);
}

base::Status MemoryEngine::scan(
    kv::Space space, std::string_view begin, std::string_view end,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) {
  const auto& rows = rows_[at(space)];
  for (auto row = rows.lower_bound(begin); row != rows.end(); ++row) {
    if (!end.empty() && row->first >= end) break;
    if (!visit(row->first, row->second)) break;
  }
  return base::Status::ok();
}

base::Status MemoryEngine::commit(const kv::EngineBatch& batch) {
  if (batch.empty()) return base::Status::ok();
  MemoryStateDisk::apply(batch, rows_);
  disk_->unflushed_.push_back(batch);
  return base::Status::ok();
}

base::Status MemoryEngine::flush() {
  disk_->flush(disk_->unflushed_.size());
  return base::Status::ok();
}

std::optional<std::string> MemoryEngine::durable_meta(std::string_view key) {
  const auto& rows = disk_->durable_[at(kv::Space::kMeta)];
  const auto row = rows.find(key);
  if (row == rows.end()) return std::nullopt;
  return row->second;
}

}  // namespace storage
