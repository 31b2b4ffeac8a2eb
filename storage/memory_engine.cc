#include "storage/memory_engine.h"

#include <utility>

#include "base/check.h"

namespace storage {
namespace {

using Rows = std::map<std::string, std::string, std::less<>>;

std::optional<std::string> find_row(const Rows& rows, std::string_view key) {
  const auto row = rows.find(key);
  if (row == rows.end()) return std::nullopt;
  return row->second;
}

void visit_rows(const Rows& rows, std::string_view begin, std::string_view end,
                const std::function<bool(std::string_view key, std::string_view value)>& visit) {
  for (auto row = rows.lower_bound(begin); row != rows.end(); ++row) {
    if (!end.empty() && row->first >= end) break;
    if (!visit(row->first, row->second)) break;
  }
}

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
  return find_row(rows_[at(space)], key);
}

base::Status MemoryEngine::scan(
    kv::Space space, std::string_view begin, std::string_view end,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) {
  visit_rows(rows_[at(space)], begin, end, visit);
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

// ---- Snapshots ----

class MemoryEngine::Snapshot final : public kv::EngineSnapshot {
 public:
  explicit Snapshot(MemoryStateDisk::Image image) : image_(std::move(image)) {}

  base::Result<kv::EnginePage> read(const kv::EngineCursor& from,
                                    std::size_t limit_bytes) override {
    kv::EnginePage page;
    std::size_t bytes = 0;
    for (std::size_t space = at(from.space); space < kv::kSpaces; ++space) {
      const auto& rows = image_[space];
      auto row = space == at(from.space) ? rows.lower_bound(from.key) : rows.begin();
      for (; row != rows.end(); ++row) {
        if (!page.rows.empty() && bytes + row->first.size() + row->second.size() > limit_bytes) {
          page.next = kv::EngineCursor{static_cast<kv::Space>(space), row->first};
          return page;
        }
        bytes += row->first.size() + row->second.size();
        page.rows.push_back({static_cast<kv::Space>(space), row->first, row->second});
      }
    }
    return page;
  }
  base::Result<std::optional<std::string>> get(kv::Space space, std::string_view key) override {
    return find_row(image_[at(space)], key);
  }
  base::Status scan(
      kv::Space space, std::string_view begin, std::string_view end,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) override {
    visit_rows(image_[at(space)], begin, end, visit);
    return base::Status::ok();
  }

 private:
  const MemoryStateDisk::Image image_;
};

class MemoryEngine::Incoming final : public kv::IncomingEngine {
 public:
  base::Status add(const std::vector<kv::EngineRow>& rows) override {
    CHECK(!finished_, "nothing is added after the end");
    for (const kv::EngineRow& row : rows) image_[at(row.space)][row.key] = row.value;
    return base::Status::ok();
  }
  base::Result<std::optional<std::string>> get(kv::Space space, std::string_view key) override {
    const auto row = image_[at(space)].find(key);
    if (row == image_[at(space)].end()) return std::optional<std::string>();
    return std::optional(row->second);
  }
  base::Status finish() override {
    finished_ = true;
    return base::Status::ok();
  }
  MemoryStateDisk::Image take() {
    CHECK(finished_, "a store is installed once it is finished");
    return std::move(image_);
  }

 private:
  MemoryStateDisk::Image image_;
  bool finished_ = false;
};

base::Result<std::unique_ptr<kv::EngineSnapshot>> MemoryEngine::snapshot() {
  return std::unique_ptr<kv::EngineSnapshot>(std::make_unique<Snapshot>(rows_));
}

base::Result<std::unique_ptr<kv::IncomingEngine>> MemoryEngine::begin_install() {
  return std::unique_ptr<kv::IncomingEngine>(std::make_unique<Incoming>());
}

base::Status MemoryEngine::install(std::unique_ptr<kv::IncomingEngine> incoming) {
  auto* mine = dynamic_cast<Incoming*>(incoming.get());
  CHECK(mine != nullptr, "a store of another kind");
  rows_ = mine->take();
  disk_->durable_ = rows_;
  disk_->unflushed_.clear();
  return base::Status::ok();
}

}  // namespace storage
