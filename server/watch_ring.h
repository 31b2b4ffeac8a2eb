// The newest changes, in memory, and for each range that is watched which of them fall into it:
// what watches that keep up are fed from (DESIGN section 5.8). Door thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kv/changes.h"
#include "kv/types.h"

namespace server {

/// Invariants:
/// - it holds all changes of the revisions above after(), up to through(), and no other;
/// - at most about kBytes of them, but for those of one revision.
class WatchRing {
 public:
  static constexpr std::size_t kBytes = 8 << 20;

  /// A range that somebody watches.
  struct Group {
    kv::KeyRange range;
    std::deque<std::uint64_t> places;  // of the changes in it, counted from the first ever
  };
  using GroupPtr = std::shared_ptr<Group>;

  explicit WatchRing(std::size_t limit_bytes = kBytes) : limit_bytes_(limit_bytes) {}

  kv::Revision after() const { return after_; }
  kv::Revision through() const { return through_; }
  /// Lets all go and goes on from here.
  void restart(kv::Revision at);
  /// Requires: changes.after is through().
  void add(kv::Changes changes);
  /// One group for equal ranges, as long as somebody holds it.
  GroupPtr group(const kv::KeyRange& range);
  /// The changes of the group above `after`, in order, until `visit` returns false. Requires: after
  /// >= after().
  void visit(Group& group, kv::Revision after,
             const std::function<bool(const kv::Change& change)>& visit) const;

 private:
  void place(std::uint64_t at);
  void trim();
  const kv::Change& at(std::uint64_t place) const { return changes_[place - first_]; }

  const std::size_t limit_bytes_;
  kv::Revision after_, through_;
  std::deque<kv::Change> changes_;
  std::uint64_t first_ = 0;  // the place of changes_.front()
  std::size_t bytes_ = 0;
  std::unordered_map<std::string, std::weak_ptr<Group>> keys_;
  std::size_t keys_left_ = 0;  // of keys_, when the expired ones were last removed
  std::map<std::pair<std::string, std::string>, std::weak_ptr<Group>> ranges_;
};

}  // namespace server
