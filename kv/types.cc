#include "kv/types.h"

#include <algorithm>
#include <string_view>

namespace kv {
namespace {

using base::Code;
using base::Status;

std::string count(std::size_t n) {
  return std::to_string(n);
}

Status check_size(const std::string& what, std::size_t size_bytes, std::size_t bound_bytes) {
  if (size_bytes <= bound_bytes) return Status::ok();
  return Status(Code::kTooLarge, what + " has " + count(size_bytes) + " bytes, more than the " +
                                     count(bound_bytes) + " allowed");
}

Status check_key(const std::string& what, const std::string& key, const Limits& limits) {
  if (key.empty()) return Status(Code::kInvalidArgument, what + " is empty");
  return check_size(what, key.size(), limits.key_bytes);
}

/// A range's bounds are no keys: an empty begin stands before every key, but one key is not empty.
Status check_range(const std::string& what, const KeyRange& range, const Limits& limits) {
  if (range.end.empty()) return check_key("the key of " + what, range.begin, limits);
  Status status = check_size("the begin of " + what, range.begin.size(), limits.key_bytes);
  if (!status.is_ok()) return status;
  return check_size("the end of " + what, range.end.size(), limits.key_bytes);
}

Status check_compare(const std::string& what, const Compare& compare, const Limits& limits) {
  if (compare.target > kLastCompareTarget || compare.result > CompareResult::kGreater)
    return Status(Code::kInvalidArgument, what + " has an unknown target or result");
  Status status = check_key("the key of " + what, compare.key, limits);
  if (!status.is_ok()) return status;
  return check_size("the value of " + what, compare.value.size(), limits.value_bytes);
}

Status check_retention(const std::string& what, const Retention& retention) {
  if (retention.age_ms == 0 || retention.age_ms >= kRetentionAgeMinMs) return Status::ok();
  return Status(Code::kInvalidArgument,
                what + " keeps less than " + std::to_string(kRetentionAgeMinMs) + " ms of history");
}

Status check_grant(const std::string& what, const GrantOperation& grant, const Limits& limits) {
  if (grant.ttl_ms >= limits.lease_ttl_min_ms && grant.ttl_ms <= limits.lease_ttl_max_ms)
    return Status::ok();
  return Status(Code::kInvalidArgument, what + " grants a lease for " +
                                            std::to_string(grant.ttl_ms) + " ms; it may be from " +
                                            std::to_string(limits.lease_ttl_min_ms) + " to " +
                                            std::to_string(limits.lease_ttl_max_ms) + " ms");
}

Status check_operation(const std::string& what, const Operation& operation, const Limits& limits) {
  if (const auto* range = std::get_if<RangeOperation>(&operation)) {
    if (range->revision && range->time != HybridTime())
      return Status(Code::kInvalidArgument, what + " reads at a revision and at a time");
    return check_range(what, range->range, limits);
  }
  if (const auto* history = std::get_if<HistoryOperation>(&operation))
    return check_key("the key of " + what, history->key, limits);
  if (const auto* compact = std::get_if<CompactOperation>(&operation)) {
    if (compact->revision) return Status::ok();
    return Status(Code::kInvalidArgument, what + " compacts at revision 0");
  }
  if (const auto* retain = std::get_if<RetainOperation>(&operation))
    return check_retention(what, retain->retention);
  if (const auto* grant = std::get_if<GrantOperation>(&operation))
    return check_grant(what, *grant, limits);
  if (const auto* revoke = std::get_if<RevokeOperation>(&operation)) {
    if (revoke->lease) return Status::ok();
    return Status(Code::kInvalidArgument, what + " revokes the lease 0");
  }
  if (std::holds_alternative<LeasesOperation>(operation)) return Status::ok();
  if (const auto* erase = std::get_if<DeleteOperation>(&operation))
    return check_range(what, erase->range, limits);
  const auto& put = std::get<PutOperation>(operation);
  Status status = check_key("the key of " + what, put.key, limits);
  if (!status.is_ok()) return status;
  return check_size("the value of " + what, put.value.size(), limits.value_bytes);
}

std::size_t bytes_of(const Operation& operation) {
  if (const auto* put = std::get_if<PutOperation>(&operation))
    return put->key.size() + put->value.size();
  if (const auto* history = std::get_if<HistoryOperation>(&operation)) return history->key.size();
  const KeyRange* range = nullptr;
  if (const auto* read = std::get_if<RangeOperation>(&operation)) range = &read->range;
  if (const auto* erase = std::get_if<DeleteOperation>(&operation)) range = &erase->range;
  return range == nullptr ? 0 : range->begin.size() + range->end.size();
}

template <class Wanted>
bool holds(const std::vector<Operation>& operations) {
  return std::any_of(operations.begin(), operations.end(), [](const Operation& operation) {
    return std::holds_alternative<Wanted>(operation);
  });
}

/// No key is written twice: an event is one a key and revision. Which keys go with a lease is only
/// known at apply.
Status check_written_once(const std::string& branch, const std::vector<Operation>& operations) {
  if (operations.size() < 2) return Status::ok();
  if (holds<RevokeOperation>(operations) &&
      (holds<PutOperation>(operations) || holds<DeleteOperation>(operations)))
    return Status(Code::kInvalidArgument, branch + " revokes a lease beside a put or a delete");
  std::vector<std::string_view> keys;
  for (const Operation& operation : operations)
    if (const auto* put = std::get_if<PutOperation>(&operation)) keys.push_back(put->key);
  std::sort(keys.begin(), keys.end());
  if (std::adjacent_find(keys.begin(), keys.end()) != keys.end())
    return Status(Code::kInvalidArgument, branch + " puts one key twice");
  for (const Operation& operation : operations) {
    const auto* erase = std::get_if<DeleteOperation>(&operation);
    if (erase == nullptr) continue;
    const auto key = std::lower_bound(keys.begin(), keys.end(), erase->range.begin);
    if (key != keys.end() && contains(erase->range, *key))
      return Status(Code::kInvalidArgument, branch + " puts a key that it also deletes");
  }
  return Status::ok();
}

Status check_branch(const std::string& branch, const std::vector<Operation>& operations,
                    const Limits& limits) {
  if (operations.size() > limits.operations)
    return Status(Code::kTooLarge, branch + " has " + count(operations.size()) +
                                       " operations, more than the " + count(limits.operations) +
                                       " allowed");
  for (std::size_t i = 0; i < operations.size(); ++i) {
    Status status =
        check_operation("operation " + count(i + 1) + " of " + branch, operations[i], limits);
    if (!status.is_ok()) return status;
  }
  return check_written_once(branch, operations);
}

Status check_compares(const std::vector<Compare>& compares, const Limits& limits) {
  if (compares.size() > limits.operations)
    return Status(Code::kTooLarge, "the transaction has " + count(compares.size()) +
                                       " compares, more than the " + count(limits.operations) +
                                       " allowed");
  for (std::size_t i = 0; i < compares.size(); ++i) {
    Status status = check_compare("compare " + count(i + 1), compares[i], limits);
    if (!status.is_ok()) return status;
  }
  return Status::ok();
}

Status check_fences(const std::vector<Fence>& fences, const Limits& limits) {
  if (fences.size() > limits.operations)
    return Status(Code::kTooLarge, "the transaction has " + count(fences.size()) +
                                       " fences, more than the " + count(limits.operations) +
                                       " allowed");
  for (std::size_t i = 0; i < fences.size(); ++i) {
    Status status = check_key("the lock of fence " + count(i + 1), fences[i].name, limits);
    if (status.is_ok() && !fences[i].token)
      status = Status(Code::kInvalidArgument, "the token of fence " + count(i + 1) + " is 0");
    if (!status.is_ok()) return status;
  }
  return Status::ok();
}

std::size_t bytes_of(const Transaction& transaction) {
  std::size_t bytes = 0;
  for (const Fence& fence : transaction.fences) bytes += fence.name.size();
  for (const Compare& compare : transaction.compares)
    bytes += compare.key.size() + compare.value.size();
  for (const Operation& operation : transaction.then) bytes += bytes_of(operation);
  for (const Operation& operation : transaction.otherwise) bytes += bytes_of(operation);
  return bytes;
}

bool writes(const std::vector<Operation>& operations) {
  return std::any_of(operations.begin(), operations.end(), [](const Operation& operation) {
    return !std::holds_alternative<RangeOperation>(operation) &&
           !std::holds_alternative<HistoryOperation>(operation) &&
           !std::holds_alternative<LeasesOperation>(operation);
  });
}

bool only_reads(const std::vector<Operation>& operations) {
  return holds<HistoryOperation>(operations) || holds<LeasesOperation>(operations);
}

bool stores(const std::vector<Operation>& operations) {
  return holds<PutOperation>(operations) || holds<GrantOperation>(operations);
}

}  // namespace

bool contains(const KeyRange& range, std::string_view key) {
  if (range.end.empty()) return key == range.begin;
  return key >= range.begin && (range.end == kToTheEnd || key < range.end);
}

bool writes(const Transaction& transaction) {
  return writes(transaction.then) || writes(transaction.otherwise);
}

bool stores(const Transaction& transaction) {
  return stores(transaction.then) || stores(transaction.otherwise);
}

Status validate(const Transaction& transaction, const Limits& limits) {
  Status status = check_compares(transaction.compares, limits);
  if (status.is_ok()) status = check_fences(transaction.fences, limits);
  if (status.is_ok()) status = check_branch("then", transaction.then, limits);
  if (status.is_ok()) status = check_branch("otherwise", transaction.otherwise, limits);
  if (status.is_ok() && writes(transaction) &&
      (only_reads(transaction.then) || only_reads(transaction.otherwise)))
    status = Status(Code::kInvalidArgument,
                    "a transaction that writes reads the history of a key or lists leases");
  if (status.is_ok())
    status = check_size("the transaction", bytes_of(transaction), limits.transaction_bytes);
  return status;
}

Status validate(const Write& write) {
  if (!write.session) return Status(Code::kInvalidArgument, "a write needs a session");
  if (write.sequence == 0)
    return Status(Code::kInvalidArgument, "the sequence of a write is 0; it starts at 1");
  if (write.acknowledged_below > write.sequence)
    return Status(Code::kInvalidArgument,
                  "acknowledged_below " + std::to_string(write.acknowledged_below) +
                      " is above the write's own sequence " + std::to_string(write.sequence));
  if (write.seal && write.transaction != Transaction())
    return Status(Code::kInvalidArgument, "a seal holds a transaction");
  return Status::ok();
}

}  // namespace kv
