// How history goes: first nobody may read it any more (Position::compacted, the same on all
// members), then each member removes it in its own time (DESIGN section 5.6). The apply thread owns
// it. Pure.
#pragma once

#include <optional>
#include <utility>

#include "base/status.h"
#include "kv/engine.h"
#include "kv/position.h"

namespace kv {

/// Moves Position::compacted as Position::retention asks for, the same on all members: it looks at
/// nothing but the state.
class RetentionRule {
 public:
  /// After each entry. One entry moves it by at most kStepsMax revisions for their age.
  /// Errors: kIo, kCorrupt, kNewerFormat.
  base::Status advance(RowReader& rows, Position& position);

  static constexpr int kStepsMax = 64;
  /// By count it moves once so many more are kept than asked for, so that not each write does it.
  static constexpr std::uint64_t slack(std::uint64_t revisions) { return revisions / 8 + 100; }

 private:
  /// The stamp of a revision. The one looked at last is remembered.
  base::Result<HybridTime> time_of(Revision revision, RowReader& rows);

  std::optional<std::pair<Revision, HybridTime>> known_;
};

/// Removes the events up to `compacted` that a newer one, also up to there, supersedes, and deletes
/// with what they deleted, as far as about `slice_bytes` of rows; where it goes on is stored with
/// it. true: there is more. Errors: as Engine::commit.
base::Result<bool> sweep(Engine& engine, Revision compacted, std::size_t slice_bytes);

}  // namespace kv
