// put, get, del, txn: one call each, on a loop of their own.
#pragma once

#include <cstdio>
#include <string>

#include "client/ctl/arguments.h"

namespace client::ctl {

/// Runs the verb and returns the exit code. Data goes to stdout, everything else to stderr.
int run_put(const Arguments& arguments);
int run_get(const Arguments& arguments);
int run_del(const Arguments& arguments);
int run_txn(const Arguments& arguments);
int run_resolve(const Arguments& arguments);
int run_history(const Arguments& arguments);
int run_compact(const Arguments& arguments);

/// The range that KEY, END, --prefix and --from-key say.
kv::KeyRange range_of(const std::string& key, const std::string& end, bool prefix, bool from_key);

/// Writes all of it. An error (a closed pipe, a full disk) is said on stderr.
int print(std::FILE* to, const std::string& text, int exit_code);

/// Prints the failure of `what` to stderr and returns its exit code.
int fail(const std::string& what, const base::Status& status, Format format);
/// Of a call: it names its trace too.
int fail(const std::string& what, const Outcome& outcome, Format format);

}  // namespace client::ctl
