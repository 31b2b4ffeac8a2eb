#include "jepsen/result.h"

#include <fstream>
#include <sstream>

#include "jepsen/history/json_lines.h"

namespace jepsen {

using base::Code;
using base::Result;
using base::Status;

namespace {

constexpr char kResultFile[] = "/result.json";

}  // namespace

Status write_result(const std::string& folder, const CellResult& result) {
  Value value = Value::map();
  value.set("name", Value::text_of(result.name))
      .set("verdict", Value::text_of(result.verdict))
      .set("why", Value::text_of(result.why));
  const auto number = [&](const char* key, std::uint64_t n) {
    value.set(key, Value::of(static_cast<std::int64_t>(n)));
  };
  number("operations", result.operations);
  number("ok", result.ok);
  number("unknown", result.unknown);
  number("faults", result.faults);
  number("bounded", result.bounded);
  number("longest_ms", result.longest_ms);
  number("took_ms", result.took_ms);
  std::ofstream file(folder + kResultFile);
  file << to_json(value) << "\n";
  return file.flush() ? Status::ok() : Status(Code::kIo, folder + kResultFile);
}

Result<CellResult> read_result(const std::string& folder) {
  std::ifstream file(folder + kResultFile);
  std::stringstream text;
  text << file.rdbuf();
  const auto value = from_json(text.str());
  if (!value.is_ok()) return Status(Code::kIo, folder + " has no result");
  CellResult result;
  const auto string = [&](const char* key) {
    const Value* found = value->find(key);
    return found == nullptr ? std::string() : found->text;
  };
  const auto number = [&](const char* key) {
    const Value* found = value->find(key);
    return found == nullptr ? 0 : static_cast<std::uint64_t>(found->number);
  };
  result.name = string("name"), result.verdict = string("verdict"), result.why = string("why");
  result.operations = number("operations"), result.ok = number("ok");
  result.unknown = number("unknown"), result.faults = number("faults");
  result.bounded = number("bounded"), result.longest_ms = number("longest_ms");
  result.took_ms = number("took_ms");
  return result;
}

CellResult result_of(const std::string& name, const History& history, const Judgement& judgement) {
  CellResult result;
  result.name = name;
  result.verdict = name_of(judgement.verdict);
  result.why = judgement.why;
  result.operations = history.size();
  for (const Operation& operation : history.operations)
    result.ok += operation.end == End::kOk ? 1 : 0;
  const Outcomes& outcomes = judgement.outcomes;
  result.unknown = outcomes.open + outcomes.resolved + outcomes.seen;
  result.faults = judgement.episodes.size();
  for (const Episode& episode : judgement.episodes) {
    if (episode.bound_ms == 0) continue;
    ++result.bounded;
    result.longest_ms = std::max(result.longest_ms, episode.longest_ms);
  }
  return result;
}

}  // namespace jepsen
