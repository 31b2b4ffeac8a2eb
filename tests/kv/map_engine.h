// An engine on std::map for kv's own tests: what a crash leaves can be chosen, and each row be
// seen.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "kv/engine.h"

namespace kv {

using Rows = std::array<std::map<std::string, std::string>, kSpaces>;

/// What outlives an engine.
struct MapDisk {
  Rows durable;
  std::vector<EngineBatch> unsynced;  // committed since `durable`, oldest first

  static void apply(const EngineBatch& batch, Rows* rows) {
    for (const EngineBatch::Change& change : batch.changes) {
      auto& space = (*rows)[static_cast<std::size_t>(change.space)];
      if (change.value) {
        space[change.key] = *change.value;
      } else {
        space.erase(change.key);
      }
    }
  }
  Rows rows() const {
    Rows all = durable;
    for (const EngineBatch& batch : unsynced) apply(batch, &all);
    return all;
  }
  /// Keeps the oldest `kept` of the unsynced commits.
  void crash(std::size_t kept) {
    CHECK(kept <= unsynced.size());
    unsynced.resize(kept);
    durable = rows();
    unsynced.clear();
  }
};

class MapEngine final : public Engine {
 public:
  explicit MapEngine(std::shared_ptr<MapDisk> disk)
      : disk_(std::move(disk)), rows_(disk_->rows()) {}

  base::Result<std::optional<std::string>> get(Space space, std::string_view key) override {
    if (fail_reads) return base::Status(base::Code::kIo, "injected");
    const auto& rows = rows_[static_cast<std::size_t>(space)];
    const auto found = rows.find(std::string(key));
    return found == rows.end() ? std::optional<std::string>() : found->second;
  }
  base::Status scan(Space space, std::string_view begin, std::string_view end,
                    const std::function<bool(std::string_view, std::string_view)>& visit) override {
    if (fail_reads) return base::Status(base::Code::kIo, "injected");
    const auto& rows = rows_[static_cast<std::size_t>(space)];
    for (auto at = rows.lower_bound(std::string(begin));
         at != rows.end() && (end.empty() || at->first < end); ++at)
      if (!visit(at->first, at->second)) break;
    return base::Status::ok();
  }
  base::Status commit(const EngineBatch& batch) override {
    if (fail_commits) return base::Status(base::Code::kDiskFull, "injected");
    ++commits;
    MapDisk::apply(batch, &rows_);
    disk_->unsynced.push_back(batch);
    return base::Status::ok();
  }
  base::Status flush() override {
    disk_->durable = rows_;
    disk_->unsynced.clear();
    return base::Status::ok();
  }
  std::optional<std::string> durable_meta(std::string_view key) override {
    const auto& rows = disk_->durable[static_cast<std::size_t>(Space::kMeta)];
    const auto found = rows.find(std::string(key));
    return found == rows.end() ? std::optional<std::string>() : found->second;
  }

  // Snapshots are the affair of the engines in storage/ and of tests/conformance.
  base::Result<std::unique_ptr<EngineSnapshot>> snapshot() override {
    return base::Status(base::Code::kUnsupported, "no snapshots here");
  }
  base::Result<std::unique_ptr<IncomingEngine>> begin_install() override {
    return base::Status(base::Code::kUnsupported, "no snapshots here");
  }
  base::Status install(std::unique_ptr<IncomingEngine>) override {
    return {base::Code::kUnsupported, "no snapshots here"};
  }

  bool fail_reads = false;
  bool fail_commits = false;
  int commits = 0;

 private:
  std::shared_ptr<MapDisk> disk_;
  Rows rows_;
};

}  // namespace kv
