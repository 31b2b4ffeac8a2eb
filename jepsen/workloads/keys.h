// Keys of a workload: so many in use at a time, each followed by another after some operations; the
// first live longer. Loop thread.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "jepsen/workload.h"

namespace jepsen {

class Keys {
 public:
  static constexpr std::size_t kLongLived = 2;

  static constexpr std::uint32_t kForever = UINT32_MAX;

  /// Numbers from `first` on, so that keys of several workloads differ; named "PREFIX/NUMBER" in
  /// the store. `longer`: the first keys get so many times as many operations.
  Keys(std::string prefix, std::int64_t first, const WorkloadOptions& options,
       std::uint32_t longer = kForever)
      : prefix_(std::move(prefix)),
        next_(first),
        limit_(options.operations_a_key),
        longer_limit_(longer == kForever ? kForever : longer * options.operations_a_key) {
    for (std::uint32_t i = 0; i < options.keys; ++i) in_use_.push_back({next_++, 0});
    used_ = next_ - first;
    first_ = first;
  }

  std::int64_t pick(base::Random& random) {
    // Half of all calls are for those that live long, which are contended most.
    const std::size_t place =
        random.below(random.chance(2) ? std::min(kLongLived, in_use_.size()) : in_use_.size());
    Use& use = in_use_[place];
    if (++use.operations > (place < kLongLived ? longer_limit_ : limit_)) {
      use = {next_++, 1};
      ++used_;
    }
    return use.key;
  }
  /// All that were ever in use.
  std::vector<std::int64_t> all() const {
    std::vector<std::int64_t> keys;
    for (std::int64_t i = 0; i < used_; ++i) keys.push_back(first_ + i);
    return keys;
  }
  std::string name(std::int64_t key) const { return prefix_ + "/" + std::to_string(key); }
  /// The number of a name; nothing: it is another's.
  std::optional<std::int64_t> number(const std::string& name) const {
    if (!name.starts_with(prefix_ + "/")) return std::nullopt;
    std::int64_t key = 0;
    const char* const end = name.data() + name.size();
    const auto [at, error] = std::from_chars(name.data() + prefix_.size() + 1, end, key);
    return error == std::errc() && at == end ? std::optional(key) : std::nullopt;
  }

 private:
  struct Use {
    std::int64_t key = 0;
    std::uint32_t operations = 0;
  };
  const std::string prefix_;
  std::int64_t first_ = 0, next_;
  std::int64_t used_ = 0;
  const std::uint32_t limit_, longer_limit_;
  std::vector<Use> in_use_;
};

/// A value as the store holds it; kAbsent if it is no number.
inline std::int64_t number_of(const std::string& text) {
  std::int64_t number = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && at == text.data() + text.size() ? number : -1;
}

/// What an event did to a register.
inline std::optional<std::pair<Value, std::int64_t>> change_of(const Keys& keys,
                                                               const kv::Event& event) {
  const auto key = keys.number(event.item.key);
  if (!key) return std::nullopt;
  return std::pair{Value::of(*key), event.deleted ? -1 : number_of(event.item.value)};
}

/// The only item of a range result; null: there is none.
inline const kv::KeyValue* item_of(const client::Outcome& outcome, std::size_t result) {
  const auto* range = result < outcome.result.results.size()
                          ? std::get_if<kv::RangeResult>(&outcome.result.results[result])
                          : nullptr;
  return range == nullptr || range->items.empty() ? nullptr : &range->items.front();
}

inline Value at_of(const std::vector<const kv::KeyValue*>& items) {
  Value at = Value::list();
  for (const auto* item : items)
    at.items.push_back(
        Value::of(item == nullptr ? 0 : static_cast<std::int64_t>(item->modify_revision.value)));
  return at;
}

/// A read of one register. `seen`: told what it held; null: nobody.
inline Action read_of(const Keys& keys, std::int64_t key, bool stale,
                      std::function<void(std::int64_t value)> seen = nullptr) {
  Action action;
  action.f = "read";
  action.stale = stale;
  action.value = Value::list({Value::of(key), Value::nil()});
  action.call = [name = keys.name(key), stale](client::Client& client) {
    return client.get(
        name, stale ? client::Consistency::kSerializable : client::Consistency::kLinearizable);
  };
  action.tell = [key, seen](const client::Outcome& outcome, Event& end) {
    const kv::KeyValue* item = item_of(outcome, 0);
    const std::int64_t value = item == nullptr ? -1 : number_of(item->value);
    if (seen) seen(value);
    end.value = Value::list({Value::of(key), Value::of(value)});
    end.more.set("at", at_of({item}));
  };
  return action;
}
/// A write of one.
inline Action write_of(const Keys& keys, std::int64_t key, std::int64_t value) {
  Action action;
  action.f = "write";
  action.value = Value::list({Value::of(key), Value::of(value)});
  action.call = [name = keys.name(key), value](client::Client& client) {
    return client.put(name, std::to_string(value));
  };
  action.tell = [](const client::Outcome&, Event&) {};
  return action;
}

inline kv::RangeOperation range_of(std::string key) {
  return kv::RangeOperation{{std::move(key), ""}};
}

}  // namespace jepsen
