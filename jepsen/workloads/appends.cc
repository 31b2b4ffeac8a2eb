#include "jepsen/workloads/appends.h"

#include <algorithm>
#include <sstream>

#include "jepsen/history/history.h"

namespace jepsen {
namespace {

constexpr int kTries = 8;

Value elements_of(const std::string& text) {
  Value elements = Value::list();
  std::istringstream stream(text);
  for (std::int64_t element = 0; stream >> element;) elements.items.push_back(Value::of(element));
  return elements;
}

}  // namespace

Action AppendLists::next(base::Random& random, Role role) {
  std::vector<Part> parts;
  const bool stale = role == Role::kSticks && random.chance(2);
  const bool appends = !stale && role != Role::kReads && random.below(10) < 6;
  const std::uint64_t count = random.between(1, 3);
  while (parts.size() < count) {
    const std::int64_t key = keys_.pick(random);
    if (std::any_of(parts.begin(), parts.end(), [&](const Part& part) { return part.key == key; }))
      break;
    const bool append = appends && (parts.empty() || random.chance(2));
    parts.push_back({append, key, append ? values_.next() : 0});
  }
  return action_of(std::move(parts), stale);
}

/// If no list has changed since it was read: the appends, and reads of the rest. Otherwise: what
/// they hold.
kv::Transaction AppendLists::transaction_of(const std::vector<Part>& parts) const {
  kv::Transaction transaction;
  for (const Part& part : parts) {
    const std::string name = keys_.name(part.key);
    transaction.otherwise.push_back(range_of(name));
    if (!part.appends) {
      transaction.then.push_back(range_of(name));
      continue;
    }
    const auto found = known_.find(part.key);
    const List list = found == known_.end() ? List() : found->second;
    kv::Compare compare;
    compare.key = name;
    compare.target = kv::CompareTarget::kModifyRevision;
    compare.number = list.modified.value;
    transaction.compares.push_back(compare);
    transaction.then.push_back(kv::PutOperation{
        name, list.text + (list.text.empty() ? "" : " ") + std::to_string(part.value), false});
  }
  return transaction;
}

/// A write that found another list surely wrote nothing, so it is tried again with what it found.
kj::Promise<client::Outcome> AppendLists::attempt(client::Client& client,
                                                  const std::vector<Part>& parts, int tries_left) {
  kv::Transaction transaction = transaction_of(parts);
  std::vector<std::string> written;
  for (const auto& operation : transaction.then) {
    const auto* put = std::get_if<kv::PutOperation>(&operation);
    written.push_back(put == nullptr ? "" : put->value);
  }
  return client.write(std::move(transaction))
      .then([this, &client, parts, tries_left,
             written](client::Outcome&& outcome) -> kj::Promise<client::Outcome> {
        if (!outcome.status.is_ok()) return kj::mv(outcome);
        for (std::size_t i = 0; i < parts.size(); ++i) {
          List& known = known_[parts[i].key];
          if (outcome.result.succeeded && parts[i].appends) {
            if (known.modified < outcome.result.revision)
              known = {written[i], outcome.result.revision};
            continue;
          }
          const kv::KeyValue* item = item_of(outcome, i);
          const List found = item == nullptr ? List() : List{item->value, item->modify_revision};
          if (known.modified < found.modified) known = found;
        }
        if (outcome.result.succeeded || tries_left == 0) return kj::mv(outcome);
        return attempt(client, parts, tries_left - 1);
      });
}

Action AppendLists::action_of(std::vector<Part> parts, bool stale) {
  Action action;
  action.f = "txn";
  action.stale = stale;
  action.value = Value::list();
  bool appends = false;
  for (const Part& part : parts) {
    appends = appends || part.appends;
    action.value.items.push_back(
        Value::list({Value::word(part.appends ? "append" : "r"), Value::of(part.key),
                     part.appends ? Value::of(part.value) : Value::nil()}));
  }
  action.call = [this, parts, appends, stale](client::Client& client) {
    if (appends) return attempt(client, parts, kTries);
    kv::Transaction read;
    for (const Part& part : parts) read.then.push_back(range_of(keys_.name(part.key)));
    return client.read(std::move(read), stale ? client::Consistency::kSerializable
                                              : client::Consistency::kLinearizable);
  };
  action.tell = [parts, appends](const client::Outcome& outcome, Event& end) {
    if (appends && !outcome.result.succeeded) {
      end.type = Type::kFail;
      end.error = "others were quicker";
      return;
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].appends) continue;
      const kv::KeyValue* item = item_of(outcome, i);
      end.value.items[i].items[2] = item == nullptr ? Value::list() : elements_of(item->value);
    }
  };
  return action;
}

std::vector<Action> AppendLists::last_reads() {
  std::vector<Action> reads;
  for (const std::int64_t key : keys_.all()) reads.push_back(action_of({{false, key, 0}}, false));
  return reads;
}

std::optional<std::pair<Value, std::int64_t>> AppendLists::change(const kv::Event& event) const {
  const auto key = keys_.number(event.item.key);
  if (!key) return std::nullopt;
  const Value elements = elements_of(event.item.value);
  return std::pair{Value::of(*key), event.deleted || elements.items.empty()
                                        ? kAbsent
                                        : elements.items.back().number};
}

}  // namespace jepsen
