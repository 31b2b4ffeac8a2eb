#include "jepsen/workloads/registers.h"

#include "jepsen/history/history.h"

namespace jepsen {

Action Registers::next(base::Random& random, Role role) {
  const std::int64_t key = keys_.pick(random);
  const std::uint64_t kind = random.below(10);
  if (role == Role::kSticks && random.chance(2)) return read(key, true);
  if (role == Role::kReads || kind < 4) return read(key, false);
  if (kind < 7) return write_of(keys_, key, values_.next());
  const bool gone = come_and_go_ && random.chance(3);
  return cas(key, seen_.contains(key) ? seen_[key] : kAbsent,
             gone && seen_.contains(key) && seen_[key] != kAbsent ? kAbsent : values_.next());
}

Action Registers::read(std::int64_t key, bool stale) {
  return read_of(keys_, key, stale, [this, key](std::int64_t value) { seen_[key] = value; });
}

/// By value, so that it does not rest on revisions.
Action Registers::cas(std::int64_t key, std::int64_t expected, std::int64_t value) {
  Action action;
  action.f = "cas";
  action.value =
      Value::list({Value::of(key), Value::list({Value::of(expected), Value::of(value)})});
  action.call = [name = keys_.name(key), expected, value](client::Client& client) {
    kv::Transaction transaction;
    kv::Compare compare;
    compare.key = name;
    if (expected == kAbsent) {
      compare.target = kv::CompareTarget::kExistence;
    } else {
      compare.target = kv::CompareTarget::kValue;
      compare.value = std::to_string(expected);
    }
    transaction.compares.push_back(compare);
    if (value == kAbsent)
      transaction.then.push_back(kv::DeleteOperation{{name, ""}, false});
    else
      transaction.then.push_back(kv::PutOperation{name, std::to_string(value), false});
    transaction.otherwise.push_back(range_of(name));
    return client.write(std::move(transaction));
  };
  action.tell = [this, key, value](const client::Outcome& outcome, Event& end) {
    if (outcome.result.succeeded) {
      seen_[key] = value;
      return;
    }
    const kv::KeyValue* item = item_of(outcome, 0);
    const std::int64_t found = item == nullptr ? kAbsent : number_of(item->value);
    seen_[key] = found;
    end.type = Type::kFail;
    end.error = "another value";
    end.more.set("observed", Value::of(found)).set("at", at_of({item}));
  };
  return action;
}

std::vector<Action> Registers::last_reads() {
  std::vector<Action> reads;
  for (const std::int64_t key : keys_.all()) reads.push_back(read(key, false));
  return reads;
}

std::optional<std::pair<Value, std::int64_t>> Registers::change(const kv::Event& event) const {
  return change_of(keys_, event);
}

}  // namespace jepsen
