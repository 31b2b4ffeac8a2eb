#include "jepsen/suite.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "jepsen/check_command.h"
#include "jepsen/history/json_lines.h"
#include "jepsen/nemesis.h"
#include "jepsen/report/report.h"
#include "jepsen/report/suite_index.h"
#include "jepsen/run_command.h"
#include "jepsen/workload.h"

namespace jepsen {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;
using base::Status;

// Machines that run a suite have other things to do; a run by hand asks for 5T.
constexpr std::uint32_t kSuiteBoundMs = 5000;
constexpr char kResultFile[] = "/result.json";

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

class Suite {
 public:
  explicit Suite(const SuiteArguments& how)
      : how_(how), out_(how.out.empty() ? "runs/" + how.name : how.out) {}

  int run() {
    std::vector<Cell> cells = cells_of(how_.name);
    if (!how_.only.empty())
      std::erase_if(cells, [&](const Cell& cell) {
        return std::find(how_.only.begin(), how_.only.end(), cell.name()) == how_.only.end();
      });
    if (cells.size() < std::max<std::size_t>(how_.only.size(), 1)) {
      std::fprintf(stderr, "holdfast-jepsen: the suite has no such cell; see `list`\n");
      return 2;
    }
    std::size_t valid = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto result = run_cell(cells[i], i);
      if (!result.is_ok()) {
        std::fprintf(stderr, "holdfast-jepsen: %s: %s\n", cells[i].name().c_str(),
                     result.status().to_string().c_str());
        return 1;
      }
      valid += result->verdict == "valid" ? 1 : 0;
      results_.push_back(result.value());
      say(result.value(), i + 1, cells.size());
      const Status written = write_suite_index(out_, "Suite " + how_.name, results_);
      if (!written.is_ok()) std::fprintf(stderr, "%s\n", written.to_string().c_str());
    }
    std::printf("%zu of %zu cells valid; read %s/index.html\n", valid, cells.size(), out_.c_str());
    return valid == cells.size() ? 0 : 1;
  }

 private:
  Result<CellResult> run_cell(const Cell& cell, std::size_t number) {
    const std::string folder = out_ + "/" + cell.name();
    if (how_.resume) {
      auto before = read_result(folder);
      if (before.is_ok()) return before;
    }
    std::error_code error;
    fs::remove_all(folder, error);
    RunArguments run;
    run.workload = cell.workload;
    run.nemesis = cell.nemesis;
    run.nodes = cell.nodes;
    run.duration_ms = cell.duration_ms;
    run.target = cell.target;
    run.seed = how_.seed * 1000 + number;
    run.out = folder;
    run.server = how_.server;
    run.time_scale = how_.time_scale;
    run.bound_ms = kSuiteBoundMs;
    const auto start = std::chrono::steady_clock::now();
    History history;
    Judgement judgement;
    const Status ran = run_and_judge(run, true, history, judgement);
    if (!ran.is_ok()) return ran;
    CellResult result = result_of(cell.name(), history, judgement);
    result.took_ms =
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                       std::chrono::steady_clock::now() - start)
                                       .count());
    const Status written = write_result(folder, result);
    if (!written.is_ok()) return written;
    return result;
  }

  static void say(const CellResult& result, std::size_t number, std::size_t of) {
    std::printf("%2zu/%zu  %-52s %-8s %6llu operations, %2llu faults, longest %5llu ms, %3.0f s\n",
                number, of, result.name.c_str(), result.verdict.c_str(),
                static_cast<unsigned long long>(result.operations),
                static_cast<unsigned long long>(result.faults),
                static_cast<unsigned long long>(result.longest_ms),
                static_cast<double>(result.took_ms) / 1000);
    if (result.verdict != "valid") std::printf("       %s\n", result.why.c_str());
    std::fflush(stdout);
  }

  const SuiteArguments& how_;
  const std::string out_;
  std::vector<CellResult> results_;
};

Result<CellResult> judge_again(const std::string& folder) {
  History history;
  auto judgement = judge_folder(folder, history);
  if (!judgement.is_ok()) return judgement.status();
  const Status written = write_report(folder, history, judgement.value());
  if (!written.is_ok()) return written;
  CellResult result = result_of(fs::path(folder).filename().string(), history, judgement.value());
  if (auto before = read_result(folder); before.is_ok()) {
    result.took_ms = before->took_ms;
    const Status rewritten = write_result(folder, result);
    if (!rewritten.is_ok()) return rewritten;
  }
  std::printf("%s: %s\n%s", result.name.c_str(), result.verdict.c_str(),
              words_of(judgement.value()).c_str());
  return result;
}

}  // namespace

std::vector<Cell> cells_of(const std::string& suite) {
  if (suite == "ci") {
    return {{"register", "none", 3, 8'000},
            {"register", "kill"},
            {"register", "pause"},
            {"register", "isolate+ring+bridge+one-way-out"},
            {"register", "hang-disk", 3, 20'000, "leader"},
            {"register", "power-loss+torn-write"},
            {"register", "bit-flip+old-copy"},
            {"txn", "reset+delay"},
            {"txn", "halves+slow-disk"},
            {"append", "kill+isolate"},
            {"append", "power-loss-all"},
            {"counter", "reset+kill"},
            {"watch", "isolate+compact"},
            {"watch", "kill+lag"},
            {"lock", "pause+clock-ahead"},
            {"lease", "kill+clock-behind"},
            {"set", "membership+transfer+kill"},
            {"mixed", "kill+isolate+hang-disk", 5}};
  }
  std::vector<Cell> cells;
  const std::vector<std::string> troubles = {
      "kill",
      "pause",
      "isolate+halves",
      "ring+bridge+chained",
      "one-way-out+one-way-in",
      "delay+loss+reset+slow-link+corrupt-link",
      "hang-disk+slow-disk+stall-apply+fail-disk+full-disk",
      "power-loss+torn-write+power-loss-all",
      "bit-flip+truncate+old-copy+wipe",
      "clock-ahead+clock-behind+clock-drift+starve+block-logs",
      "transfer+membership+compact+lag",
      "kill-all+kill+isolate+hang-disk+pause"};
  for (const char* const workload :
       {"register", "txn", "append", "set", "counter", "watch", "lock", "lease"})
    for (const std::string& trouble : troubles)
      cells.push_back({workload, trouble, cells.size() % 2 == 0 ? 3u : 5u, 120'000, "mixed"});
  return cells;
}

int run_suite(const SuiteArguments& arguments) {
  return Suite(arguments).run();
}

int run_report(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> folders;
  const bool single = fs::exists(folder + "/history.jsonl", error);
  if (single) folders.push_back(folder);
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (!single && fs::exists(entry.path() / "history.jsonl", error))
      folders.push_back(entry.path().string());
  std::sort(folders.begin(), folders.end());
  if (folders.empty()) {
    std::fprintf(stderr, "holdfast-jepsen: %s holds no history.jsonl, nor does a folder in it\n",
                 folder.c_str());
    return 2;
  }
  std::vector<CellResult> results;
  std::size_t valid = 0;
  for (const std::string& one : folders) {
    const auto result = judge_again(one);
    if (!result.is_ok()) {
      std::fprintf(stderr, "holdfast-jepsen: %s\n", result.status().to_string().c_str());
      return 1;
    }
    valid += result->verdict == "valid" ? 1 : 0;
    results.push_back(result.value());
  }
  if (!single) {
    const Status written = write_suite_index(folder, "Runs", results);
    if (!written.is_ok()) std::fprintf(stderr, "%s\n", written.to_string().c_str());
  }
  std::printf("read %s/index.html\n", folder.c_str());
  return valid == folders.size() ? 0 : 1;
}

int run_list() {
  std::printf("Workloads\n");
  for (const WorkloadText& text : workload_texts())
    std::printf("  %-16s %s\n", text.name, text.what);
  std::printf(
      "\nNemeses (several, mixed: with +). What is marked * must not keep writes away for\n"
      "longer than --bound-ms when it hits one member\n  %-16s   nothing\n",
      "none");
  for (const FaultText& text : fault_texts())
    std::printf("  %-16s %s %s\n", text.name, text.bounded ? "*" : " ", text.what);
  for (const char* const suite : {"ci", "nightly"}) {
    const auto cells = cells_of(suite);
    std::printf("\nSuite %s, %zu cells\n", suite, cells.size());
    for (const Cell& cell : cells) std::printf("  %s\n", cell.name().c_str());
  }
  return 0;
}

}  // namespace jepsen
