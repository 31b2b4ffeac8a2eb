@0xc330f1fc2f5fb7cb;
# The data model on the wire and in the log: shared by client.capnp and stored.capnp.
# Only append: ordinals are never reused, retyped or given another default.
using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("schema");

struct KeyValue {
  key @0 :Data;
  value @1 :Data;
  createRevision @2 :UInt64;
  modifyRevision @3 :UInt64;
  version @4 :UInt64;
  lease @5 :UInt64;
  time @6 :UInt64;  # hybrid: 48 bits of milliseconds, 16 of counter
}

struct KeyRange {
  begin @0 :Data;
  end @1 :Data;  # empty: the one key; one zero byte: to the end
}

struct Compare {
  key @0 :Data;
  target @1 :UInt8;  # kv::CompareTarget
  result @2 :UInt8;  # kv::CompareResult
  number @3 :UInt64;
  value @4 :Data;
}

struct RangeOperation {
  range @0 :KeyRange;
  limit @1 :UInt64;
  keysOnly @2 :Bool;
  countOnly @3 :Bool;
  revision @4 :UInt64;  # as the keys were after it; 0: now
  time @5 :UInt64;      # as they were at this hybrid time; 0: now; not both
}
struct PutOperation {
  key @0 :Data;
  value @1 :Data;
  previous @2 :Bool;
  lease @3 :UInt64;
}
struct DeleteOperation {
  range @0 :KeyRange;
  previous @1 :Bool;
}
struct HistoryOperation {
  # Only in reads.
  key @0 :Data;
  before @1 :UInt64;  # only versions of older revisions; 0: from the newest on
  limit @2 :UInt64;
}
struct CompactOperation {
  revision @0 :UInt64;
}
struct RetainOperation {
  revisions @0 :UInt64;  # 0: no bound
  ageMs @1 :UInt64;      # 0: no bound
}
struct GrantOperation {
  lease @0 :UInt64;  # 0: one that was never used before
  ttlMs @1 :UInt64;
  ofSession @2 :Bool;  # renewed by what the session that grants it writes
}
struct RevokeOperation {
  lease @0 :UInt64;
}
struct LeasesOperation {
  # Only in reads.
  lease @0 :UInt64;  # this one alone; 0: all
  after @1 :UInt64;
  limit @2 :UInt64;
  keys @3 :Bool;
}
struct Operation {
  union {
    range @0 :RangeOperation;
    put @1 :PutOperation;
    delete @2 :DeleteOperation;
    history @3 :HistoryOperation;
    compact @4 :CompactOperation;
    retain @5 :RetainOperation;
    grant @6 :GrantOperation;
    revoke @7 :RevokeOperation;
    leases @8 :LeasesOperation;
  }
}

struct Fence {
  name @0 :Data;
  token @1 :UInt64;
}

struct Transaction {
  compares @0 :List(Compare);
  then @1 :List(Operation);
  otherwise @2 :List(Operation);
  fences @3 :List(Fence);  # locks that must be held with these tokens
}

struct RangeResult {
  items @0 :List(KeyValue);
  count @1 :UInt64;
  more @2 :Bool;
}
struct PutResult {
  hasPrevious @0 :Bool;
  previous @1 :KeyValue;
}
struct DeleteResult {
  deleted @0 :UInt64;
  previous @1 :List(KeyValue);
}
struct Event {
  subIndex @0 :UInt32;  # among the writes of its revision
  deleted @1 :Bool;
  item @2 :KeyValue;    # of a delete: key, modifyRevision and time
}
struct HistoryResult {
  events @0 :List(Event);  # the newest first
  more @1 :Bool;
}
struct RevokeResult {
  deleted @0 :UInt64;
}
struct Lease {
  id @0 :UInt64;
  ttlMs @1 :UInt64;  # as granted
  session @2 :UInt64;
  attached @3 :UInt64;
  keys @4 :List(Data);
}
struct LeasesResult {
  leases @0 :List(Lease);
  more @1 :Bool;
}
struct OperationResult {
  union {
    range @0 :RangeResult;
    put @1 :PutResult;
    delete @2 :DeleteResult;
    history @3 :HistoryResult;
    compact @4 :Void;
    retain @5 :RetainOperation;  # what was in force before
    grant @6 :UInt64;  # the lease
    revoke @7 :RevokeResult;
    leases @8 :LeasesResult;
  }
}
struct TransactionResult {
  succeeded @0 :Bool;
  revision @1 :UInt64;
  results @2 :List(OperationResult);
}
