// Results as people and programs read them. Data goes to stdout, failures to stderr.
//
// JSON follows etcdctl's names: keys and values in base64, ids as 16 hex digits (they use all 64
// bits), counters as numbers (they stay below 2^53).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "client/ctl/arguments.h"
#include "client/outcome.h"
#include "client/watch.h"

namespace client::ctl {

/// Bytes are UTF-8 only by chance: what is not is replaced, since JSON cannot hold it.
std::string json_line(const nlohmann::ordered_json& json);

std::string json_of_get(const Outcome& outcome);
std::string json_of_put(const Outcome& outcome);
std::string json_of_del(const Outcome& outcome);
std::string json_of_txn(const Outcome& outcome);

/// One key prints its value, a range keys and values on lines of their own, as etcdctl does.
std::string simple_get(const kv::RangeResult& range, const GetArguments& how, bool hex);
/// SUCCESS or FAILURE, then each result after an empty line.
std::string simple_txn(const Outcome& outcome, bool hex);

std::string json_of_resolve(const char* became, const Outcome& outcome);
std::string json_of_history(const Outcome& outcome);
/// One line of JSON; one value a key, line by line, as etcdctl's `watch` does.
std::string json_of_watch(const WatchBatch& batch);
std::string simple_watch(const WatchEvent& event, bool hex);
/// A line a version, newest first: revision, when, put or delete, value with escapes.
std::string simple_history(const kv::HistoryResult& history);
/// "the last 1000 revisions and what is younger than 3600 s".
std::string describe(const kv::Retention& retention);

/// Columns, each as wide as its widest cell. Requires: all rows have as many cells.
std::string table(const std::vector<std::vector<std::string>>& rows);

/// "holdfast: put: no leader is known: …" with what to do about it, or the same in JSON.
std::string failure(const std::string& what, const base::Status& status, Format format);

}  // namespace client::ctl
