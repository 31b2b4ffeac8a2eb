#include "jepsen/suite.h"

#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>

#include "client/ctl/playground/ports.h"
#include "client/ctl/playground/process.h"
#include "jepsen/check_command.h"
#include "jepsen/nemesis.h"
#include "jepsen/report/report.h"
#include "jepsen/report/suite_index.h"
#include "jepsen/result.h"
#include "jepsen/run_command.h"
#include "jepsen/workload.h"

namespace jepsen {
namespace {

namespace fs = std::filesystem;
namespace playground = client::ctl::playground;
using base::Result;
using base::Status;

// Machines that run a suite have other things to do; a run by hand asks for 5T.
constexpr std::uint32_t kSuiteBoundMs = 5000;
constexpr char kHarnessLog[] = "/harness.log";

/// The cells of one suite, each run by a process of its own, several at a time: what ends one of
/// them ends no other.
class Suite {
 public:
  /// `wanted`: indices of cells, rising.
  Suite(const SuiteArguments& how, std::vector<Cell> cells, std::vector<std::size_t> wanted)
      : how_(how),
        out_(how.out.empty() ? "runs/" + how.name : how.out),
        cells_(std::move(cells)),
        wanted_(std::move(wanted)),
        results_(cells_.size()),
        running_(std::max(1u, how.jobs)) {}

  int run() {
    for (auto next = wanted_.begin(); done_ < wanted_.size();) {
      const auto slot = std::find_if(running_.begin(), running_.end(),
                                     [](const Running& running) { return !running.process; });
      if (next == wanted_.end() || slot == running_.end())
        wait_for_one();
      else
        begin(*next++, static_cast<std::size_t>(slot - running_.begin()));
    }
    const auto valid = static_cast<std::size_t>(
        std::count_if(results_.begin(), results_.end(),
                      [](const auto& result) { return result && result->verdict == "valid"; }));
    std::printf("%zu of %zu cells valid; read %s/index.html\n", valid, wanted_.size(),
                out_.c_str());
    return valid == wanted_.size() ? 0 : 1;
  }

 private:
  struct Running {
    playground::ProcessId process;
    std::size_t cell = 0;
  };

  std::string folder(std::size_t i) const { return out_ + "/" + cells_[i].name(); }

  void begin(std::size_t i, std::size_t slot) {
    if (how_.resume) {
      const auto before = read_result(folder(i));
      if (before.is_ok()) return end(i, before.value());
    }
    std::error_code error;
    fs::remove_all(folder(i), error);
    fs::create_directories(folder(i), error);
    if (error) return end(i, failed(i, folder(i) + ": " + error.message()));
    auto process = playground::spawn({arguments(i, slot), folder(i) + kHarnessLog, true, false});
    if (!process.is_ok()) return end(i, failed(i, process.status().to_string()));
    running_[slot] = {process.value(), i};
  }

  std::vector<std::string> arguments(std::size_t i, std::size_t slot) const {
    const Cell& cell = cells_[i];
    // Members that are down would lose their ports to another run otherwise.
    const auto ports = playground::PortRange{}.part(slot, running_.size());
    std::vector<std::string> words = {playground::self_path(), "run"};
    const auto add = [&](const char* flag, std::string value) {
      words.emplace_back(flag), words.push_back(std::move(value));
    };
    add("--workload", cell.workload);
    add("--nemesis", cell.nemesis);
    add("--nodes", std::to_string(cell.nodes));
    add("--duration", std::to_string(cell.duration_ms) + "ms");
    add("--target", cell.target);
    add("--seed", std::to_string(how_.seed * 1000 + i));
    add("--bound-ms", std::to_string(kSuiteBoundMs));
    add("--time-scale", std::to_string(how_.time_scale));
    add("--ports", std::to_string(ports.lowest) + "-" + std::to_string(ports.highest));
    add("--out", folder(i));
    if (!how_.server.empty()) add("--server", how_.server);
    return words;
  }

  void wait_for_one() {
    const pid_t pid = waitpid(-1, nullptr, 0);
    for (Running& running : running_) {
      if (!running.process || running.process.pid != pid) continue;
      running.process = {};
      const auto result = read_result(folder(running.cell));
      end(running.cell,
          result.is_ok() ? result.value() : failed(running.cell, last_words(running.cell)));
    }
  }

  /// A run that did not come to a result; none is kept, so that `--resume` tries it again.
  CellResult failed(std::size_t i, const std::string& why) const {
    CellResult result;
    result.name = cells_[i].name();
    result.verdict = name_of(Verdict::kUnknown);
    result.why = "the run came to no end: " + why;
    return result;
  }
  std::string last_words(std::size_t i) const {
    std::ifstream file(folder(i) + kHarnessLog);
    std::string words = "it said nothing";
    for (std::string line; std::getline(file, line);)
      if (!line.empty()) words = line;
    return words;
  }

  void end(std::size_t i, CellResult result) {
    // A run is called after its seed, too; its folder is not.
    result.name = cells_[i].name();
    results_[i] = std::move(result);
    say(*results_[i], ++done_, wanted_.size());
    std::vector<CellResult> known;
    for (const auto& one : results_)
      if (one) known.push_back(*one);
    const Status written = write_suite_index(out_, "Suite " + how_.name, known);
    if (!written.is_ok()) std::fprintf(stderr, "%s\n", written.to_string().c_str());
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
  const std::vector<Cell> cells_;
  const std::vector<std::size_t> wanted_;
  std::vector<std::optional<CellResult>> results_;  // by cell
  std::vector<Running> running_;
  std::size_t done_ = 0;
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
      "one-way-out+one-way-in+client-cut",
      "delay+loss+reset+slow-link+corrupt-link+client-reset+client-loss",
      "hang-disk+slow-disk+stall-apply+fail-disk+full-disk",
      "power-loss+torn-write+power-loss-all",
      "bit-flip+truncate+old-copy+wipe",
      "clock-ahead+clock-behind+clock-drift+clock-jump+starve+block-logs",
      "transfer+membership+compact+lag",
      "kill-all+kill+isolate+hang-disk+pause"};
  for (const char* const workload :
       {"register", "txn", "append", "set", "counter", "watch", "lock", "lease"})
    for (const std::string& trouble : troubles)
      cells.push_back({workload, trouble, cells.size() % 2 == 0 ? 3u : 5u, 120'000, "mixed"});
  return cells;
}

int run_suite(const SuiteArguments& arguments) {
  std::vector<Cell> cells = cells_of(arguments.name);
  std::vector<std::size_t> wanted;
  std::size_t named = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto& only = arguments.only;
    const bool is_named = std::find(only.begin(), only.end(), cells[i].name()) != only.end();
    named += is_named ? 1 : 0;
    if (only.empty() || is_named) wanted.push_back(i);
  }
  if (named < arguments.only.size()) {
    std::fprintf(stderr, "holdfast-jepsen: suite %s has no such cell; `list` names them\n",
                 arguments.name.c_str());
    return 2;
  }
  return Suite(arguments, std::move(cells), std::move(wanted)).run();
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
