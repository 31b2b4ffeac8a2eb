#include "jepsen/workloads/counters.h"

#include <algorithm>

#include "jepsen/history/history.h"

namespace jepsen {

Action Counters::next(base::Random& random, Role role) {
  constexpr std::uint64_t kWritesAReading = 30;
  const std::int64_t key = keys_.pick(random);
  if (role == Role::kSticks && random.chance(2)) return read_of(keys_, key, true);
  if (role == Role::kReads) return read_of(keys_, key, false);
  if (random.chance(kWritesAReading)) return versions(key);
  return write_of(keys_, key, values_.next());
}

/// The key's version and its history are one reading of one revision, and must say the same. What
/// was compacted is missing at the old end.
Action Counters::versions(std::int64_t key) const {
  Action action;
  action.f = "versions";
  action.value = Value::list({Value::of(key), Value::list()});
  action.call = [name = keys_.name(key)](client::Client& client) {
    kv::Transaction transaction;
    transaction.then.push_back(range_of(name));
    transaction.then.push_back(kv::HistoryOperation{name});
    return client.read(std::move(transaction));
  };
  action.tell = [key](const client::Outcome& outcome, Event& end) {
    const auto& history = std::get<kv::HistoryResult>(outcome.result.results[1]);
    Value values = Value::list();
    for (const auto& event : history.events)
      values.items.push_back(Value::of(event.deleted ? kAbsent : number_of(event.item.value)));
    std::reverse(values.items.begin(), values.items.end());
    const kv::KeyValue* item = item_of(outcome, 0);
    const std::uint64_t version = item == nullptr ? 0 : item->version;
    end.more.set("version", Value::of(static_cast<std::int64_t>(version)));
    const std::uint64_t first = history.events.empty() ? 1 : history.events.back().item.version;
    end.more.set("first", Value::of(static_cast<std::int64_t>(first)));
    // Counted otherwise than told: as an element that nobody wrote.
    const bool whole = first - 1 + values.items.size() == version;
    if (!whole && !history.more) values.items.push_back(Value::of(-2));
    end.value = Value::list({Value::of(key), std::move(values)});
    if (!history.more) return;
    end.type = Type::kFail;
    end.error = "the history is too long for one answer";
  };
  return action;
}

std::vector<Action> Counters::last_reads() {
  std::vector<Action> reads;
  for (const std::int64_t key : keys_.all()) reads.push_back(versions(key));
  return reads;
}

std::optional<std::pair<Value, std::int64_t>> Counters::change(const kv::Event& event) const {
  return change_of(keys_, event);
}

}  // namespace jepsen
