#include "kv/overlay.h"

#include <utility>

#include "base/check.h"

namespace kv {
namespace {

std::size_t bytes_of(const EngineBatch::Change& change) {
  return change.key.size() + (change.value ? change.value->size() : 0);
}

}  // namespace

base::Result<std::optional<std::string>> Overlay::get(Space space, std::string_view key) {
  CHECK(readable(space));
  const auto found = newest(space).find(key);
  if (found == newest(space).end()) return engine_.get(space, key);
  return batch_.changes[found->second].value;
}

base::Status Overlay::scan(
    Space space, std::string_view begin, std::string_view end,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) {
  CHECK(readable(space));
  if (!end.empty() && begin >= end) return base::Status::ok();
  auto pending = newest(space).lower_bound(begin);
  const auto last = end.empty() ? newest(space).end() : newest(space).lower_bound(end);
  bool go_on = true;
  const auto visit_pending = [&] {
    const std::optional<std::string>& value = batch_.changes[pending->second].value;
    if (value) go_on = visit(pending->first, *value);
    ++pending;
  };
  const base::Status status =
      engine_.scan(space, begin, end, [&](std::string_view key, std::string_view value) {
        while (go_on && pending != last && pending->first < key) visit_pending();
        if (!go_on) return false;
        if (pending != last && pending->first == key) {
          visit_pending();
        } else {
          go_on = visit(key, value);
        }
        return go_on;
      });
  while (status.is_ok() && go_on && pending != last) visit_pending();
  return status;
}

void Overlay::put(Space space, std::string key, std::string value) {
  add({space, std::move(key), std::move(value)});
}

void Overlay::remove(Space space, std::string key) {
  add({space, std::move(key), std::nullopt});
}

void Overlay::add(EngineBatch::Change change) {
  std::size_t shadowed = kNone;
  if (readable(change.space)) {
    const auto [at, fresh] = newest(change.space).try_emplace(change.key, batch_.changes.size());
    if (!fresh) shadowed = std::exchange(at->second, batch_.changes.size());
  }
  size_bytes_ += bytes_of(change);
  shadowed_.push_back(shadowed);
  batch_.changes.push_back(std::move(change));
}

void Overlay::rollback(std::size_t mark) {
  CHECK(mark <= batch_.changes.size());
  while (batch_.changes.size() > mark) {
    const EngineBatch::Change& change = batch_.changes.back();
    if (readable(change.space)) {
      const auto at = newest(change.space).find(change.key);
      CHECK(at != newest(change.space).end() && at->second == batch_.changes.size() - 1);
      if (shadowed_.back() == kNone) {
        newest(change.space).erase(at);
      } else {
        at->second = shadowed_.back();
      }
    }
    size_bytes_ -= bytes_of(change);
    shadowed_.pop_back();
    batch_.changes.pop_back();
  }
}

base::Status Overlay::commit() {
  const base::Status status = engine_.commit(batch_);
  batch_.clear();
  shadowed_.clear();
  for (Newest& one : newest_) one.clear();
  size_bytes_ = 0;
  return status;
}

}  // namespace kv
