// The text of a transaction, as etcdctl's `txn` reads it. Any thread.
//
//   value("config") = "v1"          compares, one a line; all must hold
//   version("lock") = "0"
//                                   an empty line
//   put config "v2"                 what to do if they hold
//   get config
//                                   an empty line
//   get config                      what to do otherwise; may be missing
//
// Compares: value|val|v, version|ver, create|c, modify|mod|m of a key, then = != < > and a value.
// Operations: put KEY VALUE; get KEY [END] and del KEY [END], with --prefix; get also with
// --limit=N, --keys-only, --count-only. Words may be "quoted", with the escapes of unescape().
#pragma once

#include <string_view>

#include "base/status.h"
#include "kv/types.h"

namespace client::ctl {

/// Errors: kInvalidArgument, naming the line. Bounds are not checked here (kv::validate).
base::Result<kv::Transaction> parse_transaction(std::string_view text);

/// The end of the range of all keys that begin with `prefix`: the prefix with its last byte below
/// 0xff raised; "\0" (to the end) if it has none.
std::string prefix_end(std::string_view prefix);

}  // namespace client::ctl
