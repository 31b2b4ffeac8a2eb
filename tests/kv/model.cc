#include "tests/kv/model.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace kv {

using base::Code;

Reply Model::apply(const AppliedEntry& entry) {
  time_ = std::max(time_, entry.time);
  index_ = entry.index;
  session_ = SessionId();
  Reply reply = apply_command(entry);
  retain();
  return reply;
}

Reply Model::apply_command(const AppliedEntry& entry) {
  Reply reply;
  if (!entry.command || std::holds_alternative<Tick>(*entry.command)) return reply;
  if (std::holds_alternative<Scrub>(*entry.command)) return reply;
  if (const auto* ended = std::get_if<Expire>(&*entry.command)) return expire(*ended, entry);
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
    session_ = write.session;
    reply = transact(write.transaction);
  }
  session.acknowledged_below = below;
  session.last_used = entry.index.value;
  session.outcomes[write.sequence] = reply;
  std::erase_if(session.outcomes, [&](auto& outcome) { return outcome.first < below; });
  return reply;
}

/// Each lease by itself, until enough keys are gone.
Reply Model::expire(const Expire& expire, const AppliedEntry& entry) {
  Reply reply;
  if (expire.term != entry.term) {
    reply.code = Code::kSuperseded;
  } else {
    std::uint64_t deleted = 0;
    for (const LeaseId lease : expire.leases) {
      if (deleted >= limits_.deleted_keys) break;
      const auto at = leases.find(lease.value);
      if (at == leases.end()) continue;
      const std::vector<std::string> keys = at->second.keys;
      deleted += keys.size();
      Transaction end;
      end.then.push_back(RevokeOperation{lease});
      transact(end);
    }
    reply.result.succeeded = true;
  }
  reply.result.revision = revision;
  return reply;
}

bool Model::fenced(const Transaction& transaction) const {
  for (const Fence& fence : transaction.fences) {
    const auto item = items.find(fence.name);
    if (item == items.end() || !item->second.lease) return true;
    if (item->second.create_revision != fence.token) return true;
  }
  return false;
}

Reply Model::transact(const Transaction& transaction) {
  Reply reply;
  reply.result.revision = revision;
  const auto status = validate(transaction, limits_);
  if (!status.is_ok()) {
    reply.code = status.code();
    return reply;
  }
  if (fenced(transaction)) {
    reply.code = Code::kFenced;
    return reply;
  }
  const auto items_before = items;
  const auto leases_before = leases;
  const std::size_t history_before = history.size();
  const auto past_before = std::tuple(compacted, compacted_time, retention);
  writing_ = revision.next();
  sub_index_ = 0;
  deleted_ = reply_bytes_ = granted_ = 0;
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
    leases = leases_before;
    history.resize(history_before);
    std::tie(compacted, compacted_time, retention) = past_before;
    reply.code = refused.code;
  }
  return reply;
}

Reply Model::read(const Transaction& transaction) {
  may_read_history_ = true;
  Reply reply = transact(transaction);
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
  if (compare.target == CompareTarget::kLease) order = order_of(item.lease.value);
  if (compare.target == CompareTarget::kExistence) order = order_of(there ? 1 : 0);
  if (compare.target == CompareTarget::kLockToken)
    order = order_of(item.lease ? item.create_revision.value : 0);
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
  KeyValue item{operation.key, operation.value, writing_, writing_, 1, operation.lease, time_};
  if (items.contains(operation.key)) {
    const KeyValue before = items.at(operation.key);
    if (operation.previous && !room_for(before)) throw Refused{Code::kTooLarge};
    if (operation.previous) result.previous = before;
    item.create_revision = before.create_revision;
    item.version = before.version + 1;
    if (before.lease && before.lease != operation.lease) {
      Lease& old = leases.at(before.lease.value);
      std::erase(old.keys, operation.key);
      --old.attached;
    }
  }
  const bool stays = items.contains(operation.key) && items[operation.key].lease == operation.lease;
  if (operation.lease && !stays) {
    if (!leases.contains(operation.lease.value)) throw Refused{Code::kLeaseNotFound};
    Lease& lease = leases.at(operation.lease.value);
    if (lease.attached >= limits_.lease_keys) throw Refused{Code::kTooLarge};
    ++lease.attached;
    lease.keys.push_back(operation.key);
    std::sort(lease.keys.begin(), lease.keys.end());
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
    erase(key);
  }
  return result;
}

void Model::erase(const std::string& key) {
  if (const LeaseId lease = items.at(key).lease) {
    std::erase(leases.at(lease.value).keys, key);
    --leases.at(lease.value).attached;
  }
  items.erase(key);
  KeyValue tomb;
  tomb.key = key;
  tomb.modify_revision = writing_;
  tomb.time = time_;
  log(true, tomb);
}

OperationResult Model::run(const GrantOperation& operation) {
  if (leases.size() >= limits_.leases) throw Refused{Code::kOverloaded};
  std::uint64_t id = operation.lease.value;
  while (id == 0 || (!operation.lease && leases.contains(id))) {
    if (granted_ == 256) throw Refused{Code::kLeaseExists};
    id = index_.value * 256 + granted_++;
  }
  if (leases.contains(id)) throw Refused{Code::kLeaseExists};
  leases[id] = {
      LeaseId(id), operation.ttl_ms, operation.of_session ? session_ : SessionId(), 0, {}};
  return GrantResult{LeaseId(id)};
}

OperationResult Model::run(const RevokeOperation& operation) {
  if (!leases.contains(operation.lease.value)) throw Refused{Code::kLeaseNotFound};
  const std::vector<std::string> keys = leases.at(operation.lease.value).keys;
  for (const std::string& key : keys) {
    if (++deleted_ > limits_.deleted_keys) throw Refused{Code::kTooLarge};
    erase(key);
  }
  leases.erase(operation.lease.value);
  return RevokeResult{keys.size()};
}

OperationResult Model::run(const LeasesOperation& operation) {
  if (!may_read_history_) throw Refused{Code::kInvalidArgument};
  LeasesResult result;
  const auto room = [&](std::size_t size_bytes) {
    const bool fits = reply_bytes_ == 0 || reply_bytes_ + size_bytes <= limits_.range_bytes;
    if (fits) reply_bytes_ += size_bytes;
    return fits;
  };
  for (const auto& [id, lease] : leases) {
    if (operation.lease ? id != operation.lease.value : id <= operation.after.value) continue;
    if ((operation.limit != 0 && result.leases.size() >= operation.limit) || !room(64)) {
      result.more = true;
      break;
    }
    result.leases.push_back(lease);
    result.leases.back().keys.clear();
    for (const std::string& key : lease.keys) {
      if (!operation.keys) break;
      if (!room(key.size() + 64)) {
        result.more = true;
        break;
      }
      result.leases.back().keys.push_back(key);
    }
    if (result.more) break;
  }
  return result;
}

void Model::log(bool deleted, const KeyValue& item) {
  history.push_back(Event{sub_index_++, deleted, item});
}

}  // namespace kv
