#include "jepsen/workloads/sets.h"

namespace jepsen {
namespace {

// A whole set is long, and reading it dear.
constexpr std::uint64_t kAddsARead = 40;

}  // namespace

Action GrowingSet::next(base::Random& random, Role role) {
  // Too dear for clients that do nothing else.
  const bool stale = role == Role::kSticks && random.chance(2);
  if (stale || until_read_ == 0) {
    until_read_ = random.between(kAddsARead / 2, kAddsARead * 3 / 2);
    return read(stale);
  }
  --until_read_;
  Action action;
  action.f = "add";
  const std::int64_t element = values_.next();
  action.value = Value::of(element);
  action.call = [name = keys_.name(element)](client::Client& client) {
    return client.put(name, "");
  };
  action.tell = [](const client::Outcome&, Event&) {};
  return action;
}

Action GrowingSet::read(bool stale) const {
  Action action;
  action.f = "members";
  action.stale = stale;
  kv::RangeOperation range{{"set/", "set0"}};
  range.keys_only = true;
  action.call = [range, stale](client::Client& client) {
    kv::Transaction transaction;
    transaction.then.push_back(range);
    return client.read(std::move(transaction), stale ? client::Consistency::kSerializable
                                                     : client::Consistency::kLinearizable);
  };
  action.tell = [this](const client::Outcome& outcome, Event& end) {
    end.value = Value::list();
    const auto& found = std::get<kv::RangeResult>(outcome.result.results.front());
    for (const auto& item : found.items)
      end.value.items.push_back(Value::of(keys_.number(item.key).value_or(-1)));
    if (!found.more) return;
    end.type = Type::kFail;
    end.error = "the set is too large for one answer";
  };
  return action;
}

std::vector<Action> GrowingSet::last_reads() {
  std::vector<Action> reads;
  reads.push_back(read(false));
  return reads;
}

std::optional<std::pair<Value, std::int64_t>> GrowingSet::change(const kv::Event& event) const {
  const auto element = keys_.number(event.item.key);
  if (!element) return std::nullopt;
  return std::pair{Value::word(""), *element};
}

}  // namespace jepsen
