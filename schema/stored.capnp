@0xe487332f413c4a71;
# What is kept on disk inside a log entry. Only append.
using Cxx = import "/capnp/c++.capnp";
using Model = import "data.capnp";
$Cxx.namespace("schema");

struct Command {
  version @0 :UInt16 = 1;
  union {
    openSession @1 :Void;
    closeSession @2 :UInt64;  # session
    write @3 :Write;
    tick @4 :Void;  # nothing but its stamp
    expire @5 :Expire;
    scrub @6 :Void;  # each member takes digests of its state after this entry
  }
}

struct Expire {
  term @0 :UInt64;
  leases @1 :List(UInt64);
}

struct Write {
  session @0 :UInt64;
  sequence @1 :UInt64;
  acknowledgedBelow @2 :UInt64;
  transaction @3 :Model.Transaction;
  seal @4 :Bool;
}
