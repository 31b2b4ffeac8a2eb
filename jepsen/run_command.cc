#include "jepsen/run_command.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/ctl/server_program.h"
#include "jepsen/actors.h"
#include "jepsen/check_command.h"
#include "jepsen/history/files.h"
#include "jepsen/load.h"
#include "jepsen/nemesis.h"
#include "jepsen/report/report.h"
#include "jepsen/result.h"

namespace jepsen {
namespace {

namespace fs = std::filesystem;
using base::Code;
using base::Result;
using base::Status;

constexpr std::uint64_t kWellMs = 30'000;
constexpr std::uint32_t kSearchSeconds = 60;

/// What a member says only when something is broken that must not be.
const char* const kAlarms[] = {"CHECK failed",   "AddressSanitizer", "ThreadSanitizer",
                               "runtime error:", "terminate called", "Assertion"};

class Run {
 public:
  Run(const RunArguments& how, Recorder recorder)
      : how_(how),
        recorder_(std::move(recorder)),
        cluster_(loop_, options(how)),
        workload_(make_workload(how.workload, values_, {how.keys, how.operations_a_key, how.seed})),
        load_(cluster_, recorder_, *workload_, {how.clients, how.rate, how.seed, how.retries}),
        stage_{cluster_, recorder_, *workload_, how.out, how.seed},
        feed_(stage_),
        actors_(actors_of(how.workload, stage_)),
        random_(how.seed) {}

  Status run() {
    note_about();
    Status status = cluster_.start_all();
    if (!status.is_ok()) return status;
    say("starting " + std::to_string(how_.nodes) + " members");
    status = cluster_.wait_until_well(kWellMs, false);
    if (!status.is_ok()) return status;
    load_.learn_names(cluster_.statuses());
    note_leader();
    show_progress();
    feed_.begin();
    for (auto& actor : actors_) actor->begin();
    load_.begin();
    break_things();
    end();
    return Status::ok();
  }

 private:
  static ClusterOptions options(const RunArguments& how) {
    ClusterOptions options;
    options.nodes = how.nodes;
    options.server = how.server;
    options.folder = how.out;
    options.time_scale = how.time_scale;
    options.ports = how.ports;
    // So that logs are cut, and snapshots sent, within seconds.
    options.flags = {"--log-bytes-max", "65536", "--scrub-ms", "4000"};
    return options;
  }
  void say(const std::string& text) const {
    const char* const over = isatty(STDERR_FILENO) == 0 ? "" : "\r\033[K";
    std::fprintf(stderr, "%s%6.1f s  %s\n", over, static_cast<double>(recorder_.now_ns()) / 1e9,
                 text.c_str());
  }
  /// A line that is written over, for people who wait.
  void show_progress() {
    if (isatty(STDERR_FILENO) == 0) return;
    constexpr std::uint32_t kEveryMs = 500;
    loop_.every(kEveryMs, [this] {
      std::fprintf(stderr, "\r\033[K%6.1f s  %s\r", static_cast<double>(recorder_.now_ns()) / 1e9,
                   counted().c_str());
      std::fflush(stderr);
    });
  }
  void wrong(const std::string& who, const std::string& what) {
    say(who + ": " + what);
    recorder_.note(who, "wrong", Value::text_of(what));
  }
  std::string counted() const {
    const LoadCounters& counters = load_.counters();
    return std::to_string(counters.ok) + " ok, " + std::to_string(counters.failed) + " failed, " +
           std::to_string(counters.unknown) + " unknown";
  }

  void note_about() {
    Value about = Value::map();
    const auto number = [](std::uint64_t n) { return Value::of(static_cast<std::int64_t>(n)); };
    about.set("workload", Value::text_of(how_.workload))
        .set("nemesis", Value::text_of(how_.nemesis))
        .set("nodes", number(how_.nodes))
        .set("seed", number(how_.seed))
        .set("duration_ms", number(how_.duration_ms))
        .set("rate", number(how_.rate))
        .set("clients", number(how_.clients))
        .set("keys", number(how_.keys))
        .set("operations_a_key", number(how_.operations_a_key))
        .set("target", Value::text_of(how_.target))
        .set("retries", number(how_.retries ? 1 : 0))
        .set("time_scale", number(how_.time_scale))
        .set("started_wall_ms", number(static_cast<std::uint64_t>(
                                    std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count())));
    recorder_.note("harness", "run", std::move(about));
  }

  /// For the strip of leader and term; asked now and then.
  void note_leader() {
    const auto statuses = cluster_.statuses(300);
    const auto leader = Cluster::leader_of(statuses);
    Value value = Value::map();
    value.set("leader", Value::text_of(leader ? cluster_.name(*leader) : ""));
    value.set(
        "term",
        Value::of(leader ? static_cast<std::int64_t>(statuses[*leader]->header.term.value) : 0));
    recorder_.note("harness", "leader", std::move(value));
  }

  void break_things() {
    Scene scene{cluster_, recorder_, feed_, random_, how_.out};
    const auto plan = make_plan(how_.nemesis, how_.target, how_.duration_ms, how_.seed);
    const std::uint64_t end_ms =
        cluster_.now_ms() + std::uint64_t{how_.duration_ms} * how_.time_scale;
    std::uint64_t number = 0;
    for (const Strike& strike : plan) {
      cluster_.sleep_ms(strike.calm_ms * how_.time_scale);
      const Status well = cluster_.wait_until_well(kWellMs, false);
      if (!well.is_ok()) return wrong("cluster", "it does not recover: " + well.detail());
      note_leader();
      say(strike.fault + " of " + name_of(strike.target) + ", " + counted());
      carry_out(scene, strike, ++number, how_.bound_ms);
      note_leader();
    }
    const std::uint64_t now_ms = cluster_.now_ms();
    if (end_ms > now_ms) cluster_.sleep_ms(end_ms - now_ms);
  }

  void end() {
    const Status healed = heal(cluster_);
    if (!healed.is_ok()) wrong("cluster", "it cannot be healed: " + healed.to_string());
    const Status well = cluster_.wait_until_well(kWellMs, false);
    if (!well.is_ok()) wrong("cluster", "it does not recover: " + well.detail());
    note_leader();
    constexpr std::uint64_t kAfterMs = 1500;
    cluster_.sleep_ms(kAfterMs * how_.time_scale);
    load_.stop();
    recorder_.note("harness", "load-ended", Value::nil());
    if (!loop_.wait(load_.on_idle(), 20'000ull * how_.time_scale))
      wrong("clients", "a call did not end");
    say("healed, " + counted() + "; last reads");
    // Watches and the like need members that answer.
    for (auto& actor : actors_) actor->end();
    const std::size_t open = load_.resolve_unknown();
    if (open > 0) say(std::to_string(open) + " outcomes stay unknown");
    if (!load_.last_reads(20'000)) wrong("clients", "a last read was not answered");
    compare_members();
    look_for_alarms();
    recorder_.note("harness", "end", Value::nil());
  }

  /// All members must hold the same, and the feed tell of all that there is.
  void compare_members() {
    const Status equal = cluster_.wait_until_well(kWellMs, true);
    if (!equal.is_ok()) return wrong("cluster", "a member does not catch up: " + equal.detail());
    std::uint64_t revision = 0;
    Value digests = Value::map();
    for (const auto& status : at_one_entry()) {
      if (!status) continue;
      revision = std::max(revision, status->header.revision.value);
      digests.set(status->name, Value::text_of(base::to_hex(status->digest) + " at " +
                                               std::to_string(status->header.applied.value)));
    }
    if (!feed_.reach(revision, 20'000ull * how_.time_scale))
      wrong("feed", "it was told of revision " + std::to_string(feed_.told()) + " of " +
                        std::to_string(revision));
    recorder_.note("harness", "digests", std::move(digests));
  }

  /// Of all members after the same entry: their own probes write one a second.
  Cluster::Statuses at_one_entry() {
    constexpr int kTries = 50;
    Cluster::Statuses statuses;
    for (int i = 0; i < kTries; ++i) {
      statuses = cluster_.statuses();
      const bool same = std::all_of(statuses.begin(), statuses.end(), [&](const auto& status) {
        return status && statuses[0] && status->header.applied == statuses[0]->header.applied;
      });
      if (same) break;
      cluster_.sleep_ms(100);
    }
    return statuses;
  }

  void look_for_alarms() {
    for (std::size_t i = 0; i < cluster_.size(); ++i) {
      std::ifstream log(cluster_.log_path(i));
      for (std::string line; std::getline(log, line);)
        for (const char* const alarm : kAlarms)
          if (line.find(alarm) != std::string::npos) wrong(cluster_.name(i), line);
    }
  }

  const RunArguments& how_;
  net::Loop loop_;
  Recorder recorder_;
  Cluster cluster_;
  Values values_;
  std::unique_ptr<Workload> workload_;
  Load load_;
  Stage stage_;
  LiveFeed feed_;
  std::vector<std::unique_ptr<Actor>> actors_;
  base::Random random_;
};

Status understand(const RunArguments& how) {
  const auto bad = [](const std::string& what) { return Status(Code::kInvalidArgument, what); };
  const auto& texts = workload_texts();
  if (std::none_of(texts.begin(), texts.end(),
                   [&](const WorkloadText& text) { return how.workload == text.name; }))
    return bad("there is no workload \"" + how.workload + "\"; `holdfast-jepsen list` names them");
  std::istringstream stream(how.nemesis);
  for (std::string name; std::getline(stream, name, '+');)
    if (name != "none" && make_fault(name) == nullptr)
      return bad("there is no nemesis \"" + name + "\"; `holdfast-jepsen list` names them");
  return Status::ok();
}

}  // namespace

std::string name_of(const RunArguments& arguments) {
  return arguments.workload + "-" + arguments.nemesis + "-" + std::to_string(arguments.nodes) +
         "-" + std::to_string(arguments.seed);
}

Result<Judgement> judge_folder(const std::string& folder, History& history) {
  auto read = read_history(folder + "/history.jsonl");
  if (!read.is_ok()) return read.status();
  history = std::move(read).value();
  CheckOptions options;
  options.expired = expires_after(kSearchSeconds);
  // Times of a run are stretched together, the bounds with them.
  options.time_scale = std::max(1u, static_cast<std::uint32_t>(std::strtoul(
                                        history.about["time_scale"].c_str(), nullptr, 10)));
  for (const WorkloadText& text : workload_texts())
    if (history.about["workload"] == text.name) options.required = text.checkers;
  if (history.about["nemesis"] != "none") options.required.push_back("availability");
  options.required.push_back("digests");
  return check(history, options);
}

namespace {

/// Where it goes, which server, how many clients: what was left open.
Status complete(RunArguments& how) {
  const Status understood = understand(how);
  if (!understood.is_ok()) return understood;
  if (how.out.empty()) how.out = "runs/" + name_of(how);
  std::error_code error;
  if (fs::exists(how.out + "/history.jsonl", error))
    return {Code::kInvalidArgument,
            how.out + " holds a run already: name another folder with --out, or remove it"};
  how.out = fs::absolute(how.out).string();
  fs::create_directories(how.out, error);
  if (error) return {Code::kIo, how.out + ": " + error.message()};
  if (how.server.empty()) {
    auto found = client::ctl::find_server_program();
    if (!found.is_ok()) return found.status();
    how.server = found.value();
  }
  // A set is read whole, so it must not grow too fast.
  constexpr std::uint32_t kRate = 300, kRateOfSets = 100, kClientsANode = 4;
  if (how.rate == 0) how.rate = how.workload == "set" ? kRateOfSets : kRate;
  if (how.clients == 0) how.clients = kClientsANode * how.nodes;
  return Status::ok();
}

Status run_and_judge(const RunArguments& arguments, History& history, Judgement& judgement) {
  RunArguments how = arguments;
  const auto start = std::chrono::steady_clock::now();
  const Status completed = complete(how);
  if (!completed.is_ok()) return completed;
  auto recorder = Recorder::open(how.out + "/history.jsonl");
  if (!recorder.is_ok()) return recorder.status();
  {
    Run run(how, std::move(recorder).value());
    const Status ran = run.run();
    if (!ran.is_ok())
      return {ran.code(),
              "the cluster did not come up: " + ran.detail() + "; read " + how.out + "/logs"};
  }
  std::error_code error;
  fs::remove_all(how.out + "/data", error);
  auto judged = judge_folder(how.out, history);
  if (!judged.is_ok()) return judged.status();
  judgement = std::move(judged).value();
  const auto exported = export_history(how.out + "/history.jsonl");
  if (!exported.is_ok()) return exported.status();
  const Status reported = write_report(how.out, history, judgement);
  if (!reported.is_ok()) return reported;
  CellResult result = result_of(name_of(arguments), history, judgement);
  result.took_ms = static_cast<std::uint64_t>(
      std::chrono::ceil<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start)
          .count());
  return write_result(how.out, result);
}

}  // namespace

int run_one(const RunArguments& arguments) {
  History history;
  Judgement judgement;
  const Status ran = run_and_judge(arguments, history, judgement);
  if (!ran.is_ok()) {
    std::fprintf(stderr, "holdfast-jepsen: %s\n", ran.detail().c_str());
    return ran.code() == Code::kInvalidArgument ? 2 : 1;
  }
  const std::string out = arguments.out.empty() ? "runs/" + name_of(arguments) : arguments.out;
  std::printf("%s%s: %s (%zu operations)\nread %s/index.html\n", words_of(judgement).c_str(),
              name_of(judgement.verdict), judgement.why.c_str(), history.size(), out.c_str());
  return judgement.verdict == Verdict::kValid ? 0 : 1;
}

}  // namespace jepsen
