#include "jepsen/workloads/transactions.h"

#include <algorithm>

#include "jepsen/history/history.h"

namespace jepsen {

Action Transactions::next(base::Random& random, Role role) {
  const bool stale = role == Role::kSticks && random.chance(2);
  const bool writes = !stale && role != Role::kReads && random.below(10) < 7;
  std::vector<Part> parts;
  const std::uint64_t count = random.between(2, 4);
  while (parts.size() < count) {
    const std::int64_t key = keys_.pick(random);
    // No key twice: a transaction writes each once.
    if (std::any_of(parts.begin(), parts.end(), [&](const Part& part) { return part.key == key; }))
      break;
    const bool write = writes && (parts.empty() || random.chance(2));
    parts.push_back({write, key, write ? values_.next() : 0});
  }
  return action_of(std::move(parts), stale);
}

Action Transactions::action_of(std::vector<Part> parts, bool stale) const {
  Action action;
  action.f = "txn";
  action.stale = stale;
  action.value = Value::list();
  kv::Transaction transaction;
  for (const Part& part : parts) {
    action.value.items.push_back(
        Value::list({Value::word(part.writes ? "w" : "r"), Value::of(part.key),
                     part.writes ? Value::of(part.value) : Value::nil()}));
    if (part.writes)
      transaction.then.push_back(
          kv::PutOperation{keys_.name(part.key), std::to_string(part.value), false});
    else
      transaction.then.push_back(range_of(keys_.name(part.key)));
  }
  action.call = [transaction, stale](client::Client& client) {
    if (kv::writes(transaction)) return client.write(transaction);
    return client.read(transaction, stale ? client::Consistency::kSerializable
                                          : client::Consistency::kLinearizable);
  };
  action.tell = [parts](const client::Outcome& outcome, Event& end) {
    std::vector<const kv::KeyValue*> found;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].writes) continue;
      const kv::KeyValue* item = item_of(outcome, i);
      end.value.items[i].items[2] = Value::of(item == nullptr ? kAbsent : number_of(item->value));
      found.push_back(item);
    }
    if (!found.empty()) end.more.set("at", at_of(found));
  };
  return action;
}

std::vector<Action> Transactions::last_reads() {
  std::vector<Action> reads;
  for (const std::int64_t key : keys_.all()) reads.push_back(action_of({{false, key, 0}}, false));
  return reads;
}

std::optional<std::pair<Value, std::int64_t>> Transactions::change(const kv::Event& event) const {
  return change_of(keys_, event);
}

}  // namespace jepsen
