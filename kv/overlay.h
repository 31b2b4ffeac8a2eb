// Reads that see writes which are not committed yet: an engine and the changes that wait to go into
// it with the next batch. The apply thread owns it. Pure.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "kv/engine.h"

namespace kv {

/// Invariants (CHECKed):
/// - a read gives what it would after a commit of everything pending; kMeta is only written here,
///   never read;
/// - a rollback leaves exactly what was pending at its mark.
class Overlay final : public RowReader {
 public:
  /// `engine` must outlive this.
  explicit Overlay(Engine& engine) : engine_(engine) {}
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

  /// Requires: not kMeta.
  base::Result<std::optional<std::string>> get(Space space, std::string_view key) override;
  /// begin >= end visits nothing. `visit` must not write here. Requires: not kMeta.
  base::Status scan(
      Space space, std::string_view begin, std::string_view end,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) override;

  void put(Space space, std::string key, std::string value);
  void remove(Space space, std::string key);

  /// A point to roll back to; stands until the next commit.
  std::size_t mark() const { return batch_.changes.size(); }
  /// Undoes everything since `mark`. Requires: mark <= mark().
  void rollback(std::size_t mark);

  /// Keys and values that are pending.
  std::size_t size_bytes() const { return size_bytes_; }
  /// Commits what is pending as one batch; nothing is pending then. Errors: as Engine::commit.
  base::Status commit();

 private:
  /// Key to the newest of its changes.
  using Newest = std::map<std::string, std::size_t, std::less<>>;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  static bool readable(Space space) { return space != Space::kMeta; }
  Newest& newest(Space space) { return newest_[static_cast<std::size_t>(space)]; }
  void add(EngineBatch::Change change);

  Engine& engine_;
  EngineBatch batch_;
  std::vector<std::size_t> shadowed_;  // for each change, the earlier one of its key, or kNone
  std::array<Newest, kSpaces> newest_;
  std::size_t size_bytes_ = 0;
};

}  // namespace kv
