#include "server/watch_ring.h"

#include <algorithm>

#include "base/check.h"

namespace server {

using kv::Change;
using kv::Revision;

void WatchRing::restart(Revision at) {
  first_ += changes_.size();
  changes_.clear();
  bytes_ = 0;
  after_ = through_ = at;
}

void WatchRing::add(kv::Changes changes) {
  CHECK(changes.after == through_, "changes follow each other without a gap");
  through_ = changes.through;
  for (Change& change : changes.changes) {
    bytes_ += change.size_bytes();
    changes_.push_back(std::move(change));
    place(first_ + changes_.size() - 1);
  }
  trim();
}

void WatchRing::place(std::uint64_t place) {
  const std::string& key = at(place).event.item.key;
  if (const auto one = keys_.find(key); one != keys_.end()) {
    if (const GroupPtr group = one->second.lock()) {
      group->places.push_back(place);
    } else {
      keys_.erase(one);
    }
  }
  for (auto each = ranges_.begin(); each != ranges_.end();) {
    const GroupPtr group = each->second.lock();
    if (group == nullptr) {
      each = ranges_.erase(each);
      continue;
    }
    if (kv::contains(group->range, key)) group->places.push_back(place);
    ++each;
  }
}

void WatchRing::trim() {
  while (bytes_ > limit_bytes_) {
    const Revision oldest = changes_.front().event.item.modify_revision;
    if (oldest == changes_.back().event.item.modify_revision) return;
    while (changes_.front().event.item.modify_revision == oldest) {
      bytes_ -= changes_.front().size_bytes();
      changes_.pop_front();
      ++first_;
    }
    after_ = oldest;
  }
}

WatchRing::GroupPtr WatchRing::group(const kv::KeyRange& range) {
  std::weak_ptr<Group>& slot =
      range.end.empty() ? keys_[range.begin] : ranges_[{range.begin, range.end}];
  if (GroupPtr known = slot.lock()) return known;
  const auto group = std::make_shared<Group>(Group{range, {}});
  for (std::uint64_t place = first_; place < first_ + changes_.size(); ++place) {
    if (kv::contains(range, at(place).event.item.key)) group->places.push_back(place);
  }
  slot = group;
  if (keys_.size() > 2 * keys_left_ + 100) {
    std::erase_if(keys_, [](const auto& each) { return each.second.expired(); });
    keys_left_ = keys_.size();
  }
  return group;
}

void WatchRing::visit(Group& group, Revision after,
                      const std::function<bool(const Change& change)>& visit) const {
  CHECK(after >= after_, "what is older was let go");
  while (!group.places.empty() && group.places.front() < first_) group.places.pop_front();
  const auto begin = std::partition_point(
      group.places.begin(), group.places.end(),
      [&](std::uint64_t place) { return at(place).event.item.modify_revision <= after; });
  for (auto each = begin; each != group.places.end(); ++each) {
    if (!visit(at(*each))) return;
  }
}

}  // namespace server
