// Between kv's plain types and data.capnp: the one place, used by the log's codec, the door and the
// client library alike. Any thread.
#pragma once

#include "base/status.h"
#include "kv/types.h"
#include "schema/data.capnp.h"

namespace schema {

kv::KeyRange read(KeyRange::Reader from);
void write(const kv::KeyRange& from, KeyRange::Builder to);
kv::KeyValue read(KeyValue::Reader from);
void write(const kv::KeyValue& from, KeyValue::Builder to);
kv::Event read(Event::Reader from);
void write(const kv::Event& from, Event::Builder to);
void write(const kv::Transaction& from, Transaction::Builder to);
/// Errors: kInvalidArgument on an unknown union member or enumerant, a malformed message, or a list
/// of more than 65,536 elements. Does not validate bounds.
base::Result<kv::Transaction> read(Transaction::Reader from);
void write(const kv::TransactionResult& from, TransactionResult::Builder to);
/// Errors: as above.
base::Result<kv::TransactionResult> read(TransactionResult::Reader from);

}  // namespace schema
