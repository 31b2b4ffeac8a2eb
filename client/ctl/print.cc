#include "client/ctl/print.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "client/ctl/duration.h"
#include "client/ctl/escape.h"

namespace client::ctl {
namespace {

using nlohmann::ordered_json;

ordered_json header_json(const Header& header) {
  return {{"cluster_id", base::to_hex(header.cluster.value)},
          {"member_id", base::to_hex(header.member.value)},
          {"generation", header.generation},
          {"revision", header.revision.value},
          {"raft_term", header.term.value},
          {"raft_applied_index", header.applied.value}};
}

ordered_json key_value_json(const kv::KeyValue& item) {
  return {{"key", base64(item.key)},
          {"create_revision", item.create_revision.value},
          {"mod_revision", item.modify_revision.value},
          {"version", item.version},
          {"value", base64(item.value)},
          {"lease", base::to_hex(item.lease.value)}};
}

ordered_json range_json(const kv::RangeResult& range) {
  ordered_json kvs = ordered_json::array();
  for (const auto& item : range.items) kvs.push_back(key_value_json(item));
  return {{"kvs", kvs}, {"count", range.count}, {"more", range.more}};
}

ordered_json history_json(const kv::HistoryResult& history) {
  ordered_json events = ordered_json::array();
  for (const kv::Event& event : history.events) {
    ordered_json kv = key_value_json(event.item);
    kv["time_ms"] = event.item.time.milliseconds();
    events.push_back({{"type", event.deleted ? "DELETE" : "PUT"}, {"kv", kv}});
  }
  return {{"events", events}, {"more", history.more}};
}

struct ResultJson {
  ordered_json operator()(const kv::RangeResult& range) const {
    return {{"response_range", range_json(range)}};
  }
  ordered_json operator()(const kv::PutResult& put) const {
    ordered_json body = ordered_json::object();
    if (put.previous.has_value()) body["prev_kv"] = key_value_json(*put.previous);
    return {{"response_put", body}};
  }
  ordered_json operator()(const kv::DeleteResult& del) const {
    return {{"response_delete_range", {{"deleted", del.deleted}}}};
  }
  ordered_json operator()(const kv::HistoryResult& history) const {
    return {{"response_history", history_json(history)}};
  }
  ordered_json operator()(const kv::CompactResult&) const {
    return {{"response_compact", ordered_json::object()}};
  }
  ordered_json operator()(const kv::RetainResult& retain) const {
    return {{"response_retain",
             {{"previous_keep_revisions", retain.previous.revisions},
              {"previous_keep_age_ms", retain.previous.age_ms}}}};
  }
  ordered_json operator()(const kv::GrantResult& grant) const {
    return {{"response_grant", {{"id", base::to_hex(grant.lease.value)}}}};
  }
  ordered_json operator()(const kv::RevokeResult& revoke) const {
    return {{"response_revoke", {{"deleted", revoke.deleted}}}};
  }
  ordered_json operator()(const kv::LeasesResult& leases) const {
    ordered_json ids = ordered_json::array();
    for (const kv::Lease& lease : leases.leases) ids.push_back(base::to_hex(lease.id.value));
    return {{"response_leases", {{"ids", ids}, {"more", leases.more}}}};
  }
};

template <class T>
T only_result(const Outcome& outcome) {
  if (outcome.result.results.size() != 1) return {};
  const T* result = std::get_if<T>(&outcome.result.results.front());
  return result == nullptr ? T{} : *result;
}

std::string line(const std::string& bytes, bool hex) {
  return (hex ? escape(bytes) : bytes) + "\n";
}

const char* advice(base::Applied applied, bool retryable) {
  if (applied == base::Applied::kUnknown)
    return "It may or may not have been done: read before you repeat it.";
  return retryable ? "Nothing was done; it can be repeated." : nullptr;
}

}  // namespace

std::string json_line(const ordered_json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string json_of_get(const Outcome& outcome) {
  ordered_json json = {{"header", header_json(outcome.header)}};
  json.update(range_json(only_result<kv::RangeResult>(outcome)));
  return json_line(json);
}

std::string json_of_put(const Outcome& outcome) {
  ordered_json json = {{"header", header_json(outcome.header)},
                       {"revision", outcome.result.revision.value}};
  if (outcome.repeated) json["repeated"] = true;
  return json_line(json);
}

std::string json_of_del(const Outcome& outcome) {
  return json_line({{"header", header_json(outcome.header)},
                    {"deleted", only_result<kv::DeleteResult>(outcome).deleted},
                    {"revision", outcome.result.revision.value}});
}

std::string json_of_txn(const Outcome& outcome) {
  ordered_json responses = ordered_json::array();
  for (const auto& result : outcome.result.results)
    responses.push_back(std::visit(ResultJson{}, result));
  return json_line({{"header", header_json(outcome.header)},
                    {"succeeded", outcome.result.succeeded},
                    {"revision", outcome.result.revision.value},
                    {"responses", responses}});
}

std::string simple_get(const kv::RangeResult& range, const GetArguments& how, bool hex) {
  if (how.count_only) return std::to_string(range.count) + "\n";
  std::string text;
  for (const auto& item : range.items) {
    if (how.is_range() || how.keys_only) text += line(item.key, hex);
    if (!how.keys_only) text += line(item.value, hex);
  }
  return text;
}

std::string simple_txn(const Outcome& outcome, bool hex) {
  std::string text = outcome.result.succeeded ? "SUCCESS\n" : "FAILURE\n";
  for (const auto& result : outcome.result.results) {
    text += "\n";
    if (const auto* range = std::get_if<kv::RangeResult>(&result)) {
      if (range->items.empty() && range->count > 0) text += std::to_string(range->count) + "\n";
      for (const auto& item : range->items)
        text += line(item.key, hex) + (item.value.empty() ? "" : line(item.value, hex));
    } else if (const auto* del = std::get_if<kv::DeleteResult>(&result)) {
      text += std::to_string(del->deleted) + "\n";
    } else {
      text += "OK\n";
    }
  }
  return text;
}

std::string json_of_resolve(const char* became, const Outcome& outcome) {
  ordered_json json = {{"header", header_json(outcome.header)}, {"outcome", became}};
  if (outcome.status.is_ok()) json["revision"] = outcome.result.revision.value;
  return json_line(json);
}

std::string json_of_history(const Outcome& outcome) {
  ordered_json json = {{"header", header_json(outcome.header)}};
  json.update(history_json(only_result<kv::HistoryResult>(outcome)));
  return json_line(json);
}

std::string json_of_watch(const WatchBatch& batch) {
  ordered_json events = ordered_json::array();
  for (const WatchEvent& each : batch.events) {
    ordered_json kv = key_value_json(each.event.item);
    kv["time_ms"] = each.event.item.time.milliseconds();
    events.push_back({{"type", each.event.deleted ? "DELETE" : "PUT"}, {"kv", kv}});
    if (each.previous) events.back()["prev_kv"] = key_value_json(*each.previous);
  }
  return json_line({{"header", header_json(batch.header)},
                    {"previous_revision", batch.previous.value},
                    {"revision", batch.revision.value},
                    {"events", events}});
}

std::string simple_watch(const WatchEvent& event, bool hex) {
  const kv::KeyValue& item = event.event.item;
  std::string text = event.event.deleted ? "DELETE\n" : "PUT\n";
  if (event.previous) text += line(event.previous->key, hex) + line(event.previous->value, hex);
  text += line(item.key, hex);
  if (!event.event.deleted) text += line(item.value, hex);
  return text;
}

std::string simple_history(const kv::HistoryResult& history) {
  std::vector<std::vector<std::string>> rows;
  for (const kv::Event& event : history.events) {
    rows.push_back({std::to_string(event.item.modify_revision.value),
                    format_moment(event.item.time.milliseconds()), event.deleted ? "delete" : "put",
                    escape(event.item.value)});
  }
  return rows.empty() ? "" : table(rows);
}

std::string describe(const kv::Retention& retention) {
  if (retention.revisions == 0 && retention.age_ms == 0) return "every version";
  std::string text;
  if (retention.revisions != 0)
    text = "the last " + std::to_string(retention.revisions) + " revisions";
  if (retention.age_ms == 0) return text;
  if (!text.empty()) text += ", of these ";
  return text + "what is younger than " + std::to_string(retention.age_ms / 1000) + " s";
}

std::string failure(const std::string& what, const base::Status& status, Format format) {
  const base::CodeTraits& traits = base::traits(status.code());
  if (format == Format::kJson) {
    const char* applied = traits.applied == base::Applied::kUnknown ? "unknown" : "no";
    return json_line({{"error",
                       {{"command", what},
                        {"code", traits.name},
                        {"text", traits.text},
                        {"detail", status.detail()},
                        {"applied", applied},
                        {"retryable", traits.retryable},
                        {"exit_code", traits.exit_code}}}});
  }
  std::string text = "holdfast: " + what + ": " + status.to_string() + "\n";
  const char* then = advice(traits.applied, traits.retryable);
  if (then != nullptr) text += std::string(then) + "\n";
  return text;
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - row[i].size() + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

}  // namespace client::ctl
