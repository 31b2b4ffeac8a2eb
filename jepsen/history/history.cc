#include "jepsen/history/history.h"

#include <algorithm>

#include "base/check.h"

namespace jepsen {
namespace {

using base::Code;
using base::Status;
using Kind = Micro::Kind;

Status wrong(const Event& event, const std::string& what) {
  const std::string who =
      event.of_client() ? "process " + std::to_string(event.process) : event.actor;
  return {Code::kCorrupt, who + ", " + name_of(event.type) + " " + event.f + ": " + what};
}

bool is_pair(const Value& value) {
  return value.is_list() && value.items.size() == 2;
}

std::int64_t number_or_absent(const Value& value) {
  return value.is_int() ? value.number : kAbsent;
}

}  // namespace

bool Micro::reads() const {
  return kind == Kind::kRead || kind == Kind::kMiss || kind == Kind::kList ||
         kind == Kind::kMembers || kind == Kind::kVersions;
}
bool Micro::writes() const {
  return kind == Kind::kWrite || kind == Kind::kCas || kind == Kind::kAppend || kind == Kind::kAdd;
}
bool Micro::has_list() const {
  return kind == Kind::kList || kind == Kind::kMembers || kind == Kind::kVersions;
}

std::uint32_t HistoryBuilder::key(const Value& name) {
  constexpr std::int64_t kSmall = 1 << 20;
  const bool small = name.is_int() && name.number >= 0 && name.number < kSmall;
  const auto place = static_cast<std::size_t>(small ? name.number : 0);
  if (small && place < int_keys_.size() && int_keys_[place] != kOpen) return int_keys_[place];
  const std::string text = name.is_int() ? std::to_string(name.number) : name.text;
  const auto [found, added] = keys_.emplace(text, static_cast<std::uint32_t>(keys_.size()));
  if (added) history_.keys.push_back(text);
  if (small) {
    if (int_keys_.size() <= place) int_keys_.resize(place + 1, kOpen);
    int_keys_[place] = found->second;
  }
  return found->second;
}

std::uint8_t HistoryBuilder::node(const std::string& name) {
  auto& nodes = history_.nodes;
  const auto found = std::find(nodes.begin(), nodes.end(), name);
  if (found != nodes.end()) return static_cast<std::uint8_t>(found - nodes.begin());
  if (nodes.size() > 250) return 0;
  nodes.push_back(name);
  return static_cast<std::uint8_t>(nodes.size() - 1);
}

Micro& HistoryBuilder::micro(Kind kind, std::uint32_t key, std::int64_t value) {
  Micro& micro = history_.micros.emplace_back();
  micro.kind = kind, micro.key = key, micro.value = value;
  if (micro.has_list()) micro.list = {0, 0};
  return micro;
}

Status HistoryBuilder::list(Micro& micro, const Value& value) {
  for (const Value& item : value.items)
    if (!item.is_int()) return {Code::kCorrupt, "an element is no number"};
  micro.list = {static_cast<std::uint32_t>(history_.elements.size()),
                static_cast<std::uint32_t>(value.items.size())};
  for (const Value& item : value.items) history_.elements.push_back(item.number);
  return Status::ok();
}

Status HistoryBuilder::add(Event event) {
  history_.end_ns = std::max(history_.end_ns, event.time_ns);
  if (history_.events == kOpen - 1) return {Code::kTooLarge, "too many events"};
  Status status;
  if (!event.of_client())
    status = note(std::move(event));
  else if (event.type == Type::kInvoke)
    status = begin(event);
  else
    status = end(event);
  ++history_.events;
  return status;
}

Status HistoryBuilder::note(Event event) {
  if (event.f == "run" && event.value.is_map()) {
    for (std::size_t i = 0; i + 1 < event.value.items.size(); i += 2) {
      const Value& of = event.value.items[i + 1];
      history_.about[event.value.items[i].text] = of.is_int() ? std::to_string(of.number) : of.text;
    }
  }
  if (event.f == "resolve") {
    const Value* of = event.value.find("invoke");
    const Value* applied = event.value.find("applied");
    if (of == nullptr || applied == nullptr) return wrong(event, "names no write");
    history_.resolutions.push_back(
        {static_cast<std::uint32_t>(of->number), applied->number != 0, event.revision});
  }
  history_.ended = history_.ended || (event.actor == "harness" && event.f == "end");
  history_.notes.push_back(std::move(event));
  return Status::ok();
}

Status HistoryBuilder::begin(const Event& event) {
  if (pending_.contains(event.process)) return wrong(event, "its last operation has not ended");
  Operation operation;
  operation.invoked = history_.events;
  operation.process = static_cast<std::uint32_t>(event.process);
  operation.invoked_ns = event.time_ns;
  const Status status = read_value(event, operation);
  if (!status.is_ok()) return status;
  pending_[event.process] = {static_cast<std::uint32_t>(history_.operations.size()), event.f};
  history_.operations.push_back(operation);
  return Status::ok();
}

Status HistoryBuilder::end(const Event& event) {
  const auto found = pending_.find(event.process);
  if (found == pending_.end()) return wrong(event, "it did not begin");
  if (found->second.f != event.f) return wrong(event, "it began as " + found->second.f);
  Operation& operation = history_.operations[found->second.operation];
  pending_.erase(found);
  operation.revision = event.revision;
  operation.term = static_cast<std::uint32_t>(event.term);
  operation.node = node(event.node);
  operation.returned_ns = event.time_ns;
  if (event.type == Type::kInfo) return Status::ok();
  operation.returned = history_.events;
  operation.end = event.type == Type::kOk ? End::kOk : End::kFail;
  const Value* observed = event.more.find("observed");
  if (event.type == Type::kFail && observed == nullptr) return Status::ok();
  // The end tells more than the beginning did. Mostly nothing was added meanwhile: then its place
  // is used again.
  if (operation.first + operation.count == history_.micros.size() &&
      (operation.count == 0 || !history_.micros.back().has_list()))
    history_.micros.resize(operation.first);
  Status status = read_value(event, operation);
  if (!status.is_ok() || event.type == Type::kOk) return status;
  // A compare that failed is an observation.
  Micro& micro = history_.micros[operation.first];
  if (micro.kind != Kind::kCas) return wrong(event, "only a cas can have observed something");
  micro.kind = Kind::kMiss;
  micro.value = number_or_absent(*observed);
  operation.end = End::kOk;
  return Status::ok();
}

Status HistoryBuilder::read_value(const Event& event, Operation& operation) {
  operation.first = static_cast<std::uint32_t>(history_.micros.size());
  operation.count = 0;
  const Status status = event.f == "txn" ? read_transaction(event, event.value)
                                         : read_one(event, event.f, event.value);
  if (!status.is_ok()) return status;
  const std::size_t count = history_.micros.size() - operation.first;
  if (count > UINT16_MAX) return wrong(event, "it has too many parts");
  operation.count = static_cast<std::uint16_t>(count);
  read_at(event, operation);
  return Status::ok();
}

/// `at`: the revisions at which what was read was written, one for each read.
void HistoryBuilder::read_at(const Event& event, Operation& operation) {
  operation.stale = operation.stale || event.more.find("stale") != nullptr;
  const Value* at = event.more.find("at");
  if (at == nullptr) return;
  std::size_t i = 0;
  for (std::uint32_t m = operation.first; m < operation.first + operation.count; ++m) {
    const bool read = history_.micros[m].reads() || history_.micros[m].kind == Kind::kCas;
    if (read && i < at->items.size())
      history_.micros[m].modified = static_cast<std::uint64_t>(at->items[i++].number);
  }
}

Status HistoryBuilder::read_transaction(const Event& event, const Value& value) {
  if (!value.is_list()) return wrong(event, "a transaction is a list");
  for (const Value& each : value.items) {
    if (!each.is_list() || each.items.size() != 3)
      return wrong(event, "a part of a transaction is [op key value]");
    const std::string& op = each.items[0].text;
    const Value& of = each.items[2];
    const std::uint32_t k = key(each.items[1]);
    if (op == "r" || op == "read") {
      if (of.is_list()) {
        const Status status = list(micro(Kind::kList, k, kAbsent), of);
        if (!status.is_ok()) return wrong(event, status.detail());
      } else if (of.is_nil() && event.type == Type::kOk) {
        micro(Kind::kUnread, k, kAbsent);
      } else {
        micro(Kind::kRead, k, number_or_absent(of));
      }
    } else if (op == "w" || op == "write") {
      micro(Kind::kWrite, k, number_or_absent(of));
    } else if (op == "append") {
      if (!of.is_int()) return wrong(event, "an element is a number");
      micro(Kind::kAppend, k, of.number);
    } else {
      return wrong(event, "\"" + op + "\" is none of r, w and append");
    }
  }
  return Status::ok();
}

Status HistoryBuilder::read_one(const Event& event, const std::string& f, const Value& value) {
  if (f == "acquire" || f == "release") {
    micro(f == "acquire" ? Kind::kAcquire : Kind::kRelease, key(Value::word("")), 0);
    return Status::ok();
  }
  if (f == "add") {
    if (!value.is_int()) return wrong(event, "an element is a number");
    micro(Kind::kAdd, key(Value::word("")), value.number);
    return Status::ok();
  }
  if (f == "members") {
    const Status status = list(micro(Kind::kMembers, key(Value::word("")), kAbsent), value);
    return status.is_ok() ? status : wrong(event, status.detail());
  }
  const bool cas = f == "cas";
  const bool keyed = cas ? is_pair(value) && is_pair(value.items[1]) : is_pair(value);
  const std::uint32_t k = key(keyed ? value.items[0] : Value::word(""));
  const Value& of = keyed ? value.items[1] : value;
  if (f == "versions") {
    const Value* const first = event.more.find("first");
    const std::int64_t missing = first == nullptr ? 0 : first->number - 1;
    const Status status = list(micro(Kind::kVersions, k, missing), of);
    return status.is_ok() ? status : wrong(event, status.detail());
  }
  if (f == "read") {
    const bool anything = of.is_nil() && event.type == Type::kOk;
    micro(anything ? Kind::kUnread : Kind::kRead, k, number_or_absent(of));
  } else if (f == "write") {
    micro(Kind::kWrite, k, number_or_absent(of));
  } else if (cas && is_pair(of)) {
    micro(Kind::kCas, k, number_or_absent(of.items[1])).expected = number_or_absent(of.items[0]);
  } else {
    return wrong(event, "it is not known what it does");
  }
  return Status::ok();
}

History HistoryBuilder::take() {
  for (Operation& operation : history_.operations) {
    if (operation.end != End::kUnknown) continue;
    operation.returned = kOpen;
    for (std::uint32_t m = operation.first; m < operation.first + operation.count; ++m)
      if (history_.micros[m].reads()) history_.micros[m].kind = Kind::kUnread;
  }
  return std::move(history_);
}

}  // namespace jepsen
