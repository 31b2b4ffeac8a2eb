#include "tests/kv/model.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace kv {

using base::Code;

Reply Model::apply(const AppliedEntry& entry) {
  time_ = std::max(time_, entry.time);
  Reply reply = apply_command(entry);
  retain();
  return reply;
}

Reply Model::apply_command(const AppliedEntry& entry) {
  Reply reply;
  if (!entry.command || std::holds_alternative<Tick>(*entry.command)) return reply;
  if (std::holds_alternative<OpenSession>(*entry.command)) {
    while (sessions.size() >= limits_.sessions)
      sessions.erase(std::min_element(sessions.begin(), sessions.end(), [](auto& a, auto& b) {
        return a.second.last_used < b.second.last_used;
      }));
    sessions[entry.index.value].last_used = entry.index.value;
    reply.session = SessionId(entry.index.value);
  } else if (const auto* close = std::get_if<CloseSession>(&*entry.command)) {
    if (sessions.erase(close->session.value) == 0) reply.code = Code::kUnknownSession;
  } else {
    return write(std::get<Write>(*entry.command), entry);
  }
  return reply;
}

Reply Model::write(const Write& write, const AppliedEntry& entry) {
  Reply reply;
  if (!write.session || write.sequence == 0 || write.acknowledged_below > write.sequence) {
    reply.code = Code::kInvalidArgument;
    return reply;
  }
  if (!sessions.contains(write.session.value)) {
    reply.code = Code::kUnknownSession;
    return reply;
  }
  Session& session = sessions[write.session.value];
  if (write.sequence < session.acknowledged_below) {
    reply.code = Code::kSequenceForgotten;
    return reply;
  }
  if (session.outcomes.contains(write.sequence)) {
    reply = session.outcomes[write.sequence];
    reply.repeated = true;
    return reply;
  }
  const std::uint64_t below = std::max(session.acknowledged_below, write.acknowledged_below);
  if (write.sequence >= below + limits_.session_window) {
    reply.code = Code::kSequenceTooFar;
    return reply;
  }
  if (write.seal) {
    reply.code = Code::kSealed;
    reply.result.revision = revision;
  } else {
    reply = transact(write.transaction, entry.time);
  }
  session.acknowledged_below = below;
  session.last_used = entry.index.value;
  session.outcomes[write.sequence] = reply;
  std::erase_if(session.outcomes, [&](auto& outcome) { return outcome.first < below; });
  return reply;
}

Reply Model::transact(const Transaction& transaction, HybridTime) {
  Reply reply;
  reply.result.revision = revision;
  const auto status = validate(transaction, limits_);
  if (!status.is_ok()) {
    reply.code = status.code();
    return reply;
  }
  const auto items_before = items;
  const std::size_t history_before = history.size();
  const auto past_before = std::tuple(compacted, compacted_time, retention);
  writing_ = revision.next();
  sub_index_ = 0;
  deleted_ = reply_bytes_ = 0;
  const bool succeeded = std::all_of(transaction.compares.begin(), transaction.compares.end(),
                                     [&](const Compare& compare) { return holds(compare); });
  try {
    std::vector<OperationResult> results;
    for (const Operation& operation : succeeded ? transaction.then : transaction.otherwise)
      results.push_back(std::visit([&](const auto& one) { return run(one); }, operation));
    if (sub_index_ > 0) revision = writing_;
    reply.result = {succeeded, revision, results};
  } catch (const Refused& refused) {
    items = items_before;
    history.resize(history_before);
    std::tie(compacted, compacted_time, retention) = past_before;
    reply.code = refused.code;
  }
  return reply;
}

Reply Model::read(const Transaction& transaction) {
  may_read_history_ = true;
  Reply reply = transact(transaction, time_);
  may_read_history_ = false;
  return reply;
}

std::vector<Event> Model::kept() const {
  std::map<std::string, std::size_t> newest;
  for (std::size_t i = 0; i < history.size() && history[i].item.modify_revision <= compacted; ++i)
    newest[history[i].item.key] = i;
  std::vector<Event> events;
  for (std::size_t i = 0; i < history.size(); ++i) {
    const Event& event = history[i];
    const bool superseded = event.item.modify_revision <= compacted &&
                            (event.deleted || newest.at(event.item.key) != i);
    if (!superseded) events.push_back(event);
  }
  return events;
}

bool Model::holds(const Compare& compare) const {
  const bool there = items.contains(compare.key);
  const KeyValue item = there ? items.at(compare.key) : KeyValue();
  int order = 0;
  const auto order_of = [&](std::uint64_t n) {
    return n < compare.number ? -1 : n > compare.number ? 1 : 0;
  };
  if (compare.target == CompareTarget::kVersion) order = order_of(item.version);
  if (compare.target == CompareTarget::kCreateRevision)
    order = order_of(item.create_revision.value);
  if (compare.target == CompareTarget::kModifyRevision)
    order = order_of(item.modify_revision.value);
  if (compare.target == CompareTarget::kValue) {
    if (!there) return false;
    order = item.value < compare.value ? -1 : item.value > compare.value ? 1 : 0;
  }
  if (compare.result == CompareResult::kEqual) return order == 0;
  if (compare.result == CompareResult::kNotEqual) return order != 0;
  return compare.result == CompareResult::kLess ? order < 0 : order > 0;
}

std::vector<std::string> Model::keys_in(const KeyRange& range,
                                        const std::map<std::string, KeyValue>& among) {
  std::vector<std::string> keys;
  for (const auto& [key, item] : among) {
    const bool one = range.end.empty() && key == range.begin;
    const bool within = !range.end.empty() && key >= range.begin &&
                        (range.end == std::string(1, '\0') || key < range.end);
    if (one || within) keys.push_back(key);
  }
  return keys;
}

bool Model::room_for(const KeyValue& item) {
  const std::size_t size_bytes = item.key.size() + item.value.size() + 64;
  if (reply_bytes_ != 0 && reply_bytes_ + size_bytes > limits_.range_bytes) return false;
  reply_bytes_ += size_bytes;
  return true;
}

OperationResult Model::run(const RangeOperation& operation) {
  const bool past = operation.revision || operation.time != HybridTime();
  const auto then = past ? items_at(revision_to_read(operation)) : items;
  const auto keys = keys_in(operation.range, then);
  RangeResult result;
  result.count = keys.size();
  if (operation.count_only) return result;
  for (const std::string& key : keys) {
    KeyValue item = then.at(key);
    if (operation.keys_only) item.value = "";
    const bool enough = operation.limit != 0 && result.items.size() >= operation.limit;
    if (enough || !room_for(item)) {
      result.more = true;
      break;
    }
    result.items.push_back(item);
  }
  return result;
}

/// The keys as they were after `at`, by going through all that happened.
std::map<std::string, KeyValue> Model::items_at(Revision at) const {
  std::map<std::string, KeyValue> then;
  for (const Event& event : history) {
    if (event.item.modify_revision > at) break;
    if (event.deleted) {
      then.erase(event.item.key);
    } else {
      then[event.item.key] = event.item;
    }
  }
  return then;
}

Revision Model::revision_to_read(const RangeOperation& operation) const {
  Revision at = operation.revision;
  if (operation.time != HybridTime()) {
    if (operation.time > time_) throw Refused{Code::kFutureRevision};
    if (operation.time < compacted_time) throw Refused{Code::kCompacted};
    at = compacted;
    for (const Event& event : history)
      if (event.item.time <= operation.time) at = std::max(at, event.item.modify_revision);
  }
  if (at > revision) throw Refused{Code::kFutureRevision};
  if (at < compacted) throw Refused{Code::kCompacted};
  return at;
}

OperationResult Model::run(const HistoryOperation& operation) {
  if (!may_read_history_) throw Refused{Code::kInvalidArgument};
  HistoryResult result;
  const std::vector<Event> all = kept();
  for (auto event = all.rbegin(); event != all.rend(); ++event) {
    if (event->item.key != operation.key) continue;
    if (operation.before && event->item.modify_revision >= operation.before) continue;
    const bool enough = operation.limit != 0 && result.events.size() >= operation.limit;
    if (enough || !room_for(event->item)) {
      result.more = true;
      break;
    }
    result.events.push_back(*event);
  }
  return result;
}

OperationResult Model::run(const CompactOperation& operation) {
  if (operation.revision >= writing_) throw Refused{Code::kFutureRevision};
  if (operation.revision <= compacted) throw Refused{Code::kCompacted};
  compact(operation.revision);
  return CompactResult{};
}

OperationResult Model::run(const RetainOperation& operation) {
  return RetainResult{std::exchange(retention, operation.retention)};
}

void Model::compact(Revision at) {
  compacted = at;
  for (const Event& event : history)
    if (event.item.modify_revision == at) compacted_time = event.item.time;
}

void Model::retain() {
  if (retention.revisions > 0 &&
      revision - compacted > retention.revisions + retention.revisions / 8 + 100)
    compact(Revision(revision.value - retention.revisions));
  if (retention.age_ms == 0 || time_.milliseconds() < retention.age_ms) return;
  const HybridTime oldest(time_.milliseconds() - retention.age_ms, 0);
  for (int step = 0; step < 64 && compacted < revision; ++step) {
    const auto next = std::find_if(history.begin(), history.end(), [&](const Event& event) {
      return event.item.modify_revision > compacted;
    });
    if (next->item.time >= oldest) break;
    compact(next->item.modify_revision);
  }
}

OperationResult Model::run(const PutOperation& operation) {
  PutResult result;
  KeyValue item{operation.key, operation.value, writing_, writing_, 1, {}, time_};
  if (items.contains(operation.key)) {
    const KeyValue& before = items.at(operation.key);
    if (operation.previous && !room_for(before)) throw Refused{Code::kTooLarge};
    if (operation.previous) result.previous = before;
    item.create_revision = before.create_revision;
    item.version = before.version + 1;
  }
  items[operation.key] = item;
  log(false, item);
  return result;
}

OperationResult Model::run(const DeleteOperation& operation) {
  DeleteResult result;
  for (const std::string& key : keys_in(operation.range, items)) {
    if (++deleted_ > limits_.deleted_keys) throw Refused{Code::kTooLarge};
    if (operation.previous) {
      if (!room_for(items.at(key))) throw Refused{Code::kTooLarge};
      result.previous.push_back(items.at(key));
    }
    ++result.deleted;
    items.erase(key);
    KeyValue tomb;
    tomb.key = key;
    tomb.modify_revision = writing_;
    tomb.time = time_;
    log(true, tomb);
  }
  return result;
}

void Model::log(bool deleted, const KeyValue& item) {
  history.push_back(Event{sub_index_++, deleted, item});
}

}  // namespace kv
