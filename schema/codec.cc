#include "schema/codec.h"

#include <kj/exception.h>

#include <string>
#include <string_view>

namespace schema {
namespace {

using base::Code;
using base::Result;
using base::Status;

/// Far above every limit of kv, and low enough that a short message with a long list of empty
/// elements cannot blow up in memory.
constexpr unsigned kElementsMax = 1 << 16;

capnp::Data::Reader to_data(std::string_view bytes) {
  return capnp::Data::Reader(reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size());
}
std::string to_string(capnp::Data::Reader bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.begin()), bytes.size());
}
unsigned size32(std::size_t size) {
  CHECK(size < (std::size_t{1} << 29), "a list too long for Cap'n Proto");
  return static_cast<unsigned>(size);
}

// ---- Building ----

void write_range(const kv::KeyRange& from, KeyRange::Builder to) {
  to.setBegin(to_data(from.begin));
  to.setEnd(to_data(from.end));
}

void write_item(const kv::KeyValue& from, KeyValue::Builder to) {
  to.setKey(to_data(from.key));
  to.setValue(to_data(from.value));
  to.setCreateRevision(from.create_revision.value);
  to.setModifyRevision(from.modify_revision.value);
  to.setVersion(from.version);
  to.setLease(from.lease.value);
  to.setTime(from.time.value);
}

void write_items(const std::vector<kv::KeyValue>& from, capnp::List<KeyValue>::Builder to) {
  for (unsigned i = 0; i < to.size(); ++i) write_item(from[i], to[i]);
}

void write_compare(const kv::Compare& from, Compare::Builder to) {
  to.setKey(to_data(from.key));
  to.setTarget(static_cast<std::uint8_t>(from.target));
  to.setResult(static_cast<std::uint8_t>(from.result));
  to.setNumber(from.number);
  to.setValue(to_data(from.value));
}

void write_retention(const kv::Retention& from, RetainOperation::Builder to) {
  to.setRevisions(from.revisions);
  to.setAgeMs(from.age_ms);
}

void write_event(const kv::Event& from, Event::Builder to) {
  to.setSubIndex(from.sub_index);
  to.setDeleted(from.deleted);
  write_item(from.item, to.initItem());
}

void write_lease(const kv::Lease& from, Lease::Builder to) {
  to.setId(from.id.value);
  to.setTtlMs(from.ttl_ms);
  to.setSession(from.session.value);
  to.setAttached(from.attached);
  auto keys = to.initKeys(size32(from.keys.size()));
  for (unsigned i = 0; i < keys.size(); ++i) keys.set(i, to_data(from.keys[i]));
}

struct WriteOperation {
  Operation::Builder to;

  void operator()(const kv::RangeOperation& from) {
    auto range = to.initRange();
    write_range(from.range, range.initRange());
    range.setLimit(from.limit);
    range.setKeysOnly(from.keys_only);
    range.setCountOnly(from.count_only);
    range.setRevision(from.revision.value);
    range.setTime(from.time.value);
  }
  void operator()(const kv::PutOperation& from) {
    auto put = to.initPut();
    put.setKey(to_data(from.key));
    put.setValue(to_data(from.value));
    put.setPrevious(from.previous);
    put.setLease(from.lease.value);
  }
  void operator()(const kv::DeleteOperation& from) {
    auto erase = to.initDelete();
    write_range(from.range, erase.initRange());
    erase.setPrevious(from.previous);
  }
  void operator()(const kv::HistoryOperation& from) {
    auto history = to.initHistory();
    history.setKey(to_data(from.key));
    history.setBefore(from.before.value);
    history.setLimit(from.limit);
  }
  void operator()(const kv::CompactOperation& from) {
    to.initCompact().setRevision(from.revision.value);
  }
  void operator()(const kv::RetainOperation& from) {
    write_retention(from.retention, to.initRetain());
  }
  void operator()(const kv::GrantOperation& from) {
    auto grant = to.initGrant();
    grant.setLease(from.lease.value);
    grant.setTtlMs(from.ttl_ms);
    grant.setOfSession(from.of_session);
  }
  void operator()(const kv::RevokeOperation& from) { to.initRevoke().setLease(from.lease.value); }
  void operator()(const kv::LeasesOperation& from) {
    auto leases = to.initLeases();
    leases.setLease(from.lease.value);
    leases.setAfter(from.after.value);
    leases.setLimit(from.limit);
    leases.setKeys(from.keys);
  }
};

struct WriteResult {
  OperationResult::Builder to;

  void operator()(const kv::RangeResult& from) {
    auto range = to.initRange();
    write_items(from.items, range.initItems(size32(from.items.size())));
    range.setCount(from.count);
    range.setMore(from.more);
  }
  void operator()(const kv::PutResult& from) {
    auto put = to.initPut();
    put.setHasPrevious(from.previous.has_value());
    if (from.previous) write_item(*from.previous, put.initPrevious());
  }
  void operator()(const kv::DeleteResult& from) {
    auto erase = to.initDelete();
    erase.setDeleted(from.deleted);
    write_items(from.previous, erase.initPrevious(size32(from.previous.size())));
  }
  void operator()(const kv::HistoryResult& from) {
    auto history = to.initHistory();
    auto events = history.initEvents(size32(from.events.size()));
    for (unsigned i = 0; i < events.size(); ++i) write_event(from.events[i], events[i]);
    history.setMore(from.more);
  }
  void operator()(const kv::CompactResult&) { to.setCompact(); }
  void operator()(const kv::RetainResult& from) { write_retention(from.previous, to.initRetain()); }
  void operator()(const kv::GrantResult& from) { to.setGrant(from.lease.value); }
  void operator()(const kv::RevokeResult& from) { to.initRevoke().setDeleted(from.deleted); }
  void operator()(const kv::LeasesResult& from) {
    auto result = to.initLeases();
    auto leases = result.initLeases(size32(from.leases.size()));
    for (unsigned i = 0; i < leases.size(); ++i) write_lease(from.leases[i], leases[i]);
    result.setMore(from.more);
  }
};

void write_operations(const std::vector<kv::Operation>& from, capnp::List<Operation>::Builder to) {
  for (unsigned i = 0; i < to.size(); ++i) std::visit(WriteOperation{to[i]}, from[i]);
}

// ---- Reading ----

Status unknown(const char* what, unsigned number) {
  return Status(Code::kInvalidArgument,
                std::string("unknown ") + what + " " + std::to_string(number));
}

Status check_elements(const char* what, unsigned size) {
  if (size <= kElementsMax) return Status::ok();
  return Status(Code::kInvalidArgument, std::string("a list of ") + std::to_string(size) + " " +
                                            what + ", more than " + std::to_string(kElementsMax));
}

kv::KeyRange read_range(KeyRange::Reader from) {
  return kv::KeyRange{to_string(from.getBegin()), to_string(from.getEnd())};
}

kv::KeyValue read_item(KeyValue::Reader from) {
  kv::KeyValue to;
  to.key = to_string(from.getKey());
  to.value = to_string(from.getValue());
  to.create_revision = kv::Revision(from.getCreateRevision());
  to.modify_revision = kv::Revision(from.getModifyRevision());
  to.version = from.getVersion();
  to.lease = kv::LeaseId(from.getLease());
  to.time = kv::HybridTime(from.getTime());
  return to;
}

kv::Event read_event(Event::Reader from) {
  return {from.getSubIndex(), from.getDeleted(), read_item(from.getItem())};
}

kv::Retention read_retention(RetainOperation::Reader from) {
  return {from.getRevisions(), from.getAgeMs()};
}

Status read_items(capnp::List<KeyValue>::Reader from, std::vector<kv::KeyValue>* to) {
  Status status = check_elements("items", from.size());
  if (!status.is_ok()) return status;
  to->reserve(from.size());
  for (auto item : from) to->push_back(read_item(item));
  return Status::ok();
}

Result<kv::Compare> read_compare(Compare::Reader from) {
  if (from.getTarget() > static_cast<std::uint8_t>(kv::kLastCompareTarget))
    return unknown("compare target", from.getTarget());
  if (from.getResult() > static_cast<std::uint8_t>(kv::CompareResult::kGreater))
    return unknown("compare result", from.getResult());
  return kv::Compare{to_string(from.getKey()), static_cast<kv::CompareTarget>(from.getTarget()),
                     static_cast<kv::CompareResult>(from.getResult()), from.getNumber(),
                     to_string(from.getValue())};
}

Result<kv::Operation> read_operation(Operation::Reader from) {
  switch (from.which()) {
    case Operation::RANGE: {
      auto range = from.getRange();
      return kv::Operation(kv::RangeOperation{
          read_range(range.getRange()), range.getLimit(), range.getKeysOnly(), range.getCountOnly(),
          kv::Revision(range.getRevision()), kv::HybridTime(range.getTime())});
    }
    case Operation::PUT: {
      auto put = from.getPut();
      return kv::Operation(kv::PutOperation{to_string(put.getKey()), to_string(put.getValue()),
                                            put.getPrevious(), kv::LeaseId(put.getLease())});
    }
    case Operation::DELETE: {
      auto erase = from.getDelete();
      return kv::Operation(kv::DeleteOperation{read_range(erase.getRange()), erase.getPrevious()});
    }
    case Operation::HISTORY: {
      auto history = from.getHistory();
      return kv::Operation(kv::HistoryOperation{
          to_string(history.getKey()), kv::Revision(history.getBefore()), history.getLimit()});
    }
    case Operation::COMPACT:
      return kv::Operation(kv::CompactOperation{kv::Revision(from.getCompact().getRevision())});
    case Operation::RETAIN:
      return kv::Operation(kv::RetainOperation{read_retention(from.getRetain())});
    case Operation::GRANT: {
      auto grant = from.getGrant();
      return kv::Operation(kv::GrantOperation{kv::LeaseId(grant.getLease()), grant.getTtlMs(),
                                              grant.getOfSession()});
    }
    case Operation::REVOKE:
      return kv::Operation(kv::RevokeOperation{kv::LeaseId(from.getRevoke().getLease())});
    case Operation::LEASES: {
      auto leases = from.getLeases();
      return kv::Operation(kv::LeasesOperation{kv::LeaseId(leases.getLease()),
                                               kv::LeaseId(leases.getAfter()), leases.getLimit(),
                                               leases.getKeys()});
    }
  }
  return unknown("operation", from.which());
}

Status read_operations(capnp::List<Operation>::Reader from, std::vector<kv::Operation>* to) {
  Status status = check_elements("operations", from.size());
  if (!status.is_ok()) return status;
  to->reserve(from.size());
  for (auto operation : from) {
    Result<kv::Operation> read = read_operation(operation);
    if (!read.is_ok()) return read.status();
    to->push_back(std::move(read).value());
  }
  return Status::ok();
}

Result<kv::LeasesResult> read_leases(LeasesResult::Reader from) {
  kv::LeasesResult to;
  Status status = check_elements("leases", from.getLeases().size());
  for (auto lease : from.getLeases()) {
    if (status.is_ok()) status = check_elements("keys", lease.getKeys().size());
    if (!status.is_ok()) return status;
    to.leases.push_back({kv::LeaseId(lease.getId()),
                         lease.getTtlMs(),
                         kv::SessionId(lease.getSession()),
                         lease.getAttached(),
                         {}});
    for (auto key : lease.getKeys()) to.leases.back().keys.push_back(to_string(key));
  }
  to.more = from.getMore();
  return to;
}

Result<kv::OperationResult> read_result(OperationResult::Reader from) {
  switch (from.which()) {
    case OperationResult::RANGE: {
      auto range = from.getRange();
      kv::RangeResult to;
      Status status = read_items(range.getItems(), &to.items);
      if (!status.is_ok()) return status;
      to.count = range.getCount();
      to.more = range.getMore();
      return kv::OperationResult(std::move(to));
    }
    case OperationResult::PUT: {
      auto put = from.getPut();
      kv::PutResult to;
      if (put.getHasPrevious()) to.previous = read_item(put.getPrevious());
      return kv::OperationResult(std::move(to));
    }
    case OperationResult::DELETE: {
      auto erase = from.getDelete();
      kv::DeleteResult to;
      to.deleted = erase.getDeleted();
      Status status = read_items(erase.getPrevious(), &to.previous);
      if (!status.is_ok()) return status;
      return kv::OperationResult(std::move(to));
    }
    case OperationResult::HISTORY: {
      auto history = from.getHistory();
      kv::HistoryResult to;
      Status status = check_elements("events", history.getEvents().size());
      if (!status.is_ok()) return status;
      for (auto event : history.getEvents()) to.events.push_back(read_event(event));
      to.more = history.getMore();
      return kv::OperationResult(std::move(to));
    }
    case OperationResult::COMPACT:
      return kv::OperationResult(kv::CompactResult{});
    case OperationResult::RETAIN:
      return kv::OperationResult(kv::RetainResult{read_retention(from.getRetain())});
    case OperationResult::GRANT:
      return kv::OperationResult(kv::GrantResult{kv::LeaseId(from.getGrant())});
    case OperationResult::REVOKE:
      return kv::OperationResult(kv::RevokeResult{from.getRevoke().getDeleted()});
    case OperationResult::LEASES: {
      Result<kv::LeasesResult> leases = read_leases(from.getLeases());
      if (!leases.is_ok()) return leases.status();
      return kv::OperationResult(std::move(leases).value());
    }
  }
  return unknown("result", from.which());
}

Result<kv::Transaction> read_transaction(Transaction::Reader from) {
  kv::Transaction to;
  auto compares = from.getCompares();
  Status status = check_elements("compares", compares.size());
  if (!status.is_ok()) return status;
  to.compares.reserve(compares.size());
  for (auto compare : compares) {
    Result<kv::Compare> read = read_compare(compare);
    if (!read.is_ok()) return read.status();
    to.compares.push_back(std::move(read).value());
  }
  status = read_operations(from.getThen(), &to.then);
  if (status.is_ok()) status = read_operations(from.getOtherwise(), &to.otherwise);
  if (status.is_ok()) status = check_elements("fences", from.getFences().size());
  if (!status.is_ok()) return status;
  for (auto fence : from.getFences()) {
    to.fences.push_back({to_string(fence.getName()), kv::Revision(fence.getToken())});
  }
  return to;
}

Result<kv::TransactionResult> read_transaction_result(TransactionResult::Reader from) {
  kv::TransactionResult to;
  to.succeeded = from.getSucceeded();
  to.revision = kv::Revision(from.getRevision());
  auto results = from.getResults();
  Status status = check_elements("results", results.size());
  if (!status.is_ok()) return status;
  to.results.reserve(results.size());
  for (auto result : results) {
    Result<kv::OperationResult> read = read_result(result);
    if (!read.is_ok()) return read.status();
    to.results.push_back(std::move(read).value());
  }
  return to;
}

Status malformed(const kj::Exception& exception) {
  return Status(Code::kInvalidArgument,
                std::string("malformed message: ") + exception.getDescription().cStr());
}

}  // namespace

kv::KeyRange read(KeyRange::Reader from) {
  return read_range(from);
}
void write(const kv::KeyRange& from, KeyRange::Builder to) {
  write_range(from, to);
}
kv::KeyValue read(KeyValue::Reader from) {
  return read_item(from);
}
void write(const kv::KeyValue& from, KeyValue::Builder to) {
  write_item(from, to);
}
kv::Event read(Event::Reader from) {
  return read_event(from);
}
void write(const kv::Event& from, Event::Builder to) {
  write_event(from, to);
}

void write(const kv::Transaction& from, Transaction::Builder to) {
  auto compares = to.initCompares(size32(from.compares.size()));
  for (unsigned i = 0; i < compares.size(); ++i) write_compare(from.compares[i], compares[i]);
  write_operations(from.then, to.initThen(size32(from.then.size())));
  write_operations(from.otherwise, to.initOtherwise(size32(from.otherwise.size())));
  auto fences = to.initFences(size32(from.fences.size()));
  for (unsigned i = 0; i < fences.size(); ++i) {
    fences[i].setName(to_data(from.fences[i].name));
    fences[i].setToken(from.fences[i].token.value);
  }
}

Result<kv::Transaction> read(Transaction::Reader from) {
  try {
    return read_transaction(from);
  } catch (const kj::Exception& exception) {
    return malformed(exception);
  }
}

void write(const kv::TransactionResult& from, TransactionResult::Builder to) {
  to.setSucceeded(from.succeeded);
  to.setRevision(from.revision.value);
  auto results = to.initResults(size32(from.results.size()));
  for (unsigned i = 0; i < results.size(); ++i)
    std::visit(WriteResult{results[i]}, from.results[i]);
}

Result<kv::TransactionResult> read(TransactionResult::Reader from) {
  try {
    return read_transaction_result(from);
  } catch (const kj::Exception& exception) {
    return malformed(exception);
  }
}

}  // namespace schema
