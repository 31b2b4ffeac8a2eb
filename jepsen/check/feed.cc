#include "jepsen/check/feed.h"

#include <algorithm>
#include <map>

namespace jepsen {

using base::Code;
using base::Status;

bool Feed::explains(std::uint64_t revision) const {
  const auto at = std::lower_bound(
      changes.begin(), changes.end(), revision,
      [](const Change& change, std::uint64_t other) { return change.revision < other; });
  if (at != changes.end() && at->revision == revision) return true;
  return std::binary_search(others.begin(), others.end(), revision);
}

namespace {

std::string name_of(const Value& value) {
  return value.is_int() ? std::to_string(value.number) : value.text;
}

}  // namespace

base::Result<Feed> read_feed(History& history) {
  Feed feed;
  std::map<std::string, std::uint32_t> keys;
  for (std::uint32_t i = 0; i < history.keys.size(); ++i) keys[history.keys[i]] = i;
  for (const Event& note : history.notes) {
    if (note.f != "feed") continue;
    const Value* end = note.value.find("end");
    const Value* changes = note.value.find("changes");
    const Value* others = note.value.find("others");
    if (end == nullptr || changes == nullptr || others == nullptr)
      return Status(Code::kCorrupt, "a feed without end, changes or others");
    feed.known = true;
    feed.end = static_cast<std::uint64_t>(end->number);
    for (const Value& each : changes->items) {
      if (each.items.size() != 3) return Status(Code::kCorrupt, "a change is [revision key value]");
      const auto [key, added] = keys.emplace(name_of(each.items[1]), keys.size());
      if (added) history.keys.push_back(key->first);
      const auto revision = static_cast<std::uint64_t>(each.items[0].number);
      if (!feed.changes.empty() && feed.changes.back().revision > revision)
        return Status(Code::kCorrupt, "the feed goes back at revision " + std::to_string(revision));
      feed.changes.push_back({revision, key->second, each.items[2].number});
    }
    for (const Value& each : others->items)
      feed.others.push_back(static_cast<std::uint64_t>(each.number));
  }
  return feed;
}

}  // namespace jepsen
