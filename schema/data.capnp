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
}
struct PutOperation {
  key @0 :Data;
  value @1 :Data;
  previous @2 :Bool;
}
struct DeleteOperation {
  range @0 :KeyRange;
  previous @1 :Bool;
}
struct Operation {
  union {
    range @0 :RangeOperation;
    put @1 :PutOperation;
    delete @2 :DeleteOperation;
  }
}

struct Transaction {
  compares @0 :List(Compare);
  then @1 :List(Operation);
  otherwise @2 :List(Operation);
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
struct OperationResult {
  union {
    range @0 :RangeResult;
    put @1 :PutResult;
    delete @2 :DeleteResult;
  }
}
struct TransactionResult {
  succeeded @0 :Bool;
  revision @1 :UInt64;
  results @2 :List(OperationResult);
}
