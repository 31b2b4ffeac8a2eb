// The memory twin of RocksEngine for the simulator and for kv's tests: commits live in memory until
// a flush, and a crash returns to what was flushed. One thread.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "kv/engine.h"

namespace storage {

/// What of one member's state is durable. Outlives the engines on it.
class MemoryStateDisk {
 public:
  /// A crash of process or machine: the newest commits since the last flush are lost, how many is
  /// drawn, since a real engine also flushes by itself. The engine that was open must not be used
  /// any more.
  void crash(base::Random& random);
  /// Everything is lost: a state that needs a snapshot.
  void wipe();
  /// Commits that no flush has covered.
  std::size_t unflushed() const { return unflushed_.size(); }

 private:
  friend class MemoryEngine;
  using Rows = std::map<std::string, std::string, std::less<>>;
  using Image = std::array<Rows, kv::kSpaces>;

  static void apply(const kv::EngineBatch& batch, Image& image);
  void flush(std::size_t commits);

  Image durable_;
  std::deque<kv::EngineBatch> unflushed_;  // oldest first
};

class MemoryEngine final : public kv::Engine {
 public:
  explicit MemoryEngine(std::shared_ptr<MemoryStateDisk> disk)
      : disk_(std::move(disk)), rows_(disk_->durable_) {
    disk_->unflushed_.clear();
  }
  /// On a disk of its own.
  MemoryEngine() : MemoryEngine(std::make_shared<MemoryStateDisk>()) {}

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
  class Snapshot;
  class Incoming;
  const std::shared_ptr<MemoryStateDisk> disk_;
  MemoryStateDisk::Image rows_;
};

}  // namespace storage
