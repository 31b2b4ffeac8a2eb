#include "client/ctl/bench.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/random.h"
#include "client/client.h"
#include "client/ctl/cluster_status.h"
#include "client/ctl/commands.h"

namespace client::ctl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kClientsPerSession = 512;
constexpr std::uint32_t kStatusMs = 1000;

double ms(std::uint64_t us) {
  return static_cast<double>(us) / 1000.0;
}

std::uint64_t us_since(Clock::time_point start) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count());
}

/// Fixed width, so that keys sort as numbers do.
std::string key_of(std::uint64_t number) {
  char key[32];
  std::snprintf(key, sizeof key, "bench/%012llu", static_cast<unsigned long long>(number));
  return key;
}

/// N chains of calls: each starts its next when its last is done, until the time is over. Or calls
/// at a rate, each timed from when it was due, so that a stall counts for all that it delays.
class Run final : private kj::TaskSet::ErrorHandler {
 public:
  Run(net::Loop& loop, const Arguments& arguments, std::vector<std::unique_ptr<Client>>& clients)
      : loop_(loop),
        how_(arguments.bench),
        clients_(clients),
        random_(how_.seed),
        value_(how_.value_bytes, 'x'),
        tasks_(*this) {}

  /// Requires: called once. Returns when the last call is done.
  BenchReport run(std::uint32_t call_timeout_ms) {
    start_ = Clock::now();
    end_ = start_ + std::chrono::milliseconds(how_.duration_ms);
    if (how_.rate > 0) {
      tasks_.add(pace());
    } else {
      for (std::uint32_t i = 0; i < how_.clients; ++i)
        tasks_.add(chain(*clients_[i / kClientsPerSession]));
    }
    if (isatty(STDERR_FILENO) != 0) tasks_.add(progress());
    auto all = tasks_.onEmpty();
    if (!loop_.wait(kj::mv(all), how_.duration_ms + call_timeout_ms + 2000))
      std::fprintf(stderr, "holdfast: bench: some calls did not end; they are not counted\n");
    report_.seconds = static_cast<double>(us_since(start_)) / 1e6;
    note_gap();
    for (const auto& client : clients_) report_.retries += client->retries();
    return report_;
  }

 private:
  kj::Promise<void> chain(Client& client) {
    if (Clock::now() >= end_) return kj::READY_NOW;
    const Clock::time_point sent = Clock::now();
    return call(client).then([this, &client, sent](Outcome&& outcome) {
      count(outcome, us_since(sent));
      // A task of its own instead of a longer and longer chain of promises.
      tasks_.add(chain(client));
    });
  }

  kj::Promise<void> pace() {
    for (;;) {
      const auto due = start_ + std::chrono::microseconds(started_ * 1'000'000 / how_.rate);
      if (due >= end_) return kj::READY_NOW;
      if (due > Clock::now() || under_way_ >= how_.clients) break;
      Client& client = *clients_[started_ % clients_.size()];
      ++started_;
      ++under_way_;
      tasks_.add(call(client).then([this, due](Outcome&& outcome) {
        --under_way_;
        count(outcome, us_since(due));
      }));
    }
    return loop_.timer().afterDelay(1 * kj::MILLISECONDS).then([this] { tasks_.add(pace()); });
  }

  kj::Promise<Outcome> call(Client& client) {
    std::string key = key_of(random_.below(how_.key_space));
    if (!how_.writes) return client.get(std::move(key));
    // Distinct values, so that nothing on the way can share them.
    const std::uint64_t stamp = random_.next();
    const std::size_t size = std::min(sizeof stamp, value_.size());
    value_.replace(0, size, reinterpret_cast<const char*>(&stamp), size);
    return client.put(std::move(key), value_);
  }

  void count(const Outcome& outcome, std::uint64_t us) {
    if (!outcome.status.is_ok()) {
      ++report_.errors[std::string(base::traits(outcome.status.code()).name)];
      return;
    }
    ++report_.operations;
    report_.latency_us.record(us);
    note_gap();
    if (how_.writes) return;
    const auto* range = std::get_if<kv::RangeResult>(&outcome.result.results.front());
    if (range != nullptr && range->items.empty()) ++report_.not_found;
  }

  void note_gap() {
    const double now = static_cast<double>(us_since(start_)) / 1e6;
    report_.longest_gap_seconds = std::max(report_.longest_gap_seconds, now - last_success_);
    last_success_ = now;
  }

  kj::Promise<void> progress() {
    if (Clock::now() >= end_) {
      std::fprintf(stderr, "\r\033[K");
      return kj::READY_NOW;
    }
    return loop_.timer().afterDelay(1 * kj::SECONDS).then([this] {
      std::uint64_t errors = 0;
      for (const auto& [name, count] : report_.errors) errors += count;
      std::fprintf(stderr,
                   "\r\033[K%3.0f s  %llu operations (%llu in the last second)  %llu errors",
                   static_cast<double>(us_since(start_)) / 1e6,
                   static_cast<unsigned long long>(report_.operations),
                   static_cast<unsigned long long>(report_.operations - last_operations_),
                   static_cast<unsigned long long>(errors));
      std::fflush(stderr);
      last_operations_ = report_.operations;
      tasks_.add(progress());
    });
  }

  void taskFailed(kj::Exception&& exception) override {
    ++report_.errors["internal"];
    std::fprintf(stderr, "holdfast: bench: %s\n", exception.getDescription().cStr());
  }

  net::Loop& loop_;
  const BenchArguments how_;
  std::vector<std::unique_ptr<Client>>& clients_;
  base::Random random_;
  std::string value_;
  Clock::time_point start_, end_;
  BenchReport report_;
  std::uint64_t last_operations_ = 0;
  double last_success_ = 0;      // seconds since the start
  std::uint64_t started_ = 0;    // with a rate
  std::uint32_t under_way_ = 0;  // with a rate
  kj::TaskSet tasks_;
};

/// Log syncs by member, so that only members that answered twice are compared.
std::map<std::uint64_t, std::uint64_t> log_syncs(net::Loop& loop,
                                                 const std::vector<std::string>& endpoints) {
  std::map<std::uint64_t, std::uint64_t> syncs;
  for (const auto& row : combine(ask_members(loop, endpoints, kStatusMs)).members)
    if (row.reachable) syncs[row.status.header.member.value] = row.status.log_syncs;
  return syncs;
}

void count_syncs(const std::map<std::uint64_t, std::uint64_t>& before,
                 const std::map<std::uint64_t, std::uint64_t>& after, BenchReport& report) {
  report.log_syncs_known = !before.empty() && before.size() == after.size();
  for (const auto& [member, syncs] : after) {
    const auto found = before.find(member);
    // A lower count is that of a process that was started meanwhile.
    if (found == before.end() || syncs < found->second)
      report.log_syncs_known = false;
    else
      report.log_syncs += syncs - found->second;
  }
}

int exit_code_of(const BenchReport& report) {
  if (report.operations > 0 || report.errors.empty()) return kExitOk;
  const auto most =
      std::max_element(report.errors.begin(), report.errors.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  for (std::uint16_t i = 0; i <= static_cast<std::uint16_t>(base::Code::kInternal); ++i) {
    const auto& traits = base::traits(static_cast<base::Code>(i));
    if (traits.name == most->first) return traits.exit_code;
  }
  return kExitFailure;
}

}  // namespace

std::string json_of(const BenchReport& report, const BenchArguments& how) {
  nlohmann::ordered_json json = {{"benchmark", how.writes ? "put" : "get"},
                                 {"clients", how.clients},
                                 {"rate", how.rate},
                                 {"value_size", how.value_bytes},
                                 {"key_space", how.key_space},
                                 {"duration_seconds", report.seconds},
                                 {"operations", report.operations},
                                 {"throughput_per_second", report.throughput_per_second()},
                                 {"p50_ms", ms(report.latency_us.quantile(0.5))},
                                 {"p90_ms", ms(report.latency_us.quantile(0.9))},
                                 {"p99_ms", ms(report.latency_us.quantile(0.99))},
                                 {"p99_9_ms", ms(report.latency_us.quantile(0.999))},
                                 {"max_ms", ms(report.latency_us.max())},
                                 {"longest_gap_ms", report.longest_gap_seconds * 1000},
                                 {"errors", nlohmann::ordered_json::object()},
                                 {"retries", report.retries}};
  for (const auto& [name, count] : report.errors) json["errors"][name] = count;
  if (!how.writes) json["not_found"] = report.not_found;
  if (report.log_syncs_known) {
    json["log_syncs"] = report.log_syncs;
    json["syncs_per_operation"] = report.syncs_per_operation();
  } else {
    json["log_syncs"] = nullptr;
    json["syncs_per_operation"] = nullptr;
  }
  return json.dump() + "\n";
}

std::string simple_of(const BenchReport& report, const BenchArguments& how) {
  char text[512];
  std::snprintf(text, sizeof text,
                "%s, %u clients, %zu-byte values: %llu operations in %.2f s\n"
                "throughput  %.0f /s\n"
                "latency     p50 %.2f  p90 %.2f  p99 %.2f  p99.9 %.2f  max %.2f ms\n"
                "longest time in which none succeeded  %.0f ms\n",
                how.writes ? "put" : "get", how.clients, how.value_bytes,
                static_cast<unsigned long long>(report.operations), report.seconds,
                report.throughput_per_second(), ms(report.latency_us.quantile(0.5)),
                ms(report.latency_us.quantile(0.9)), ms(report.latency_us.quantile(0.99)),
                ms(report.latency_us.quantile(0.999)), ms(report.latency_us.max()),
                report.longest_gap_seconds * 1000);
  std::string all = text;
  if (report.log_syncs_known) {
    std::snprintf(text, sizeof text, "log syncs   %llu on all members, %.3f an operation\n",
                  static_cast<unsigned long long>(report.log_syncs), report.syncs_per_operation());
    all += text;
  }
  for (const auto& [name, count] : report.errors)
    all += "errors      " + name + " " + std::to_string(count) + "\n";
  if (report.not_found > 0) all += "not found   " + std::to_string(report.not_found) + "\n";
  return all;
}

int run_bench(const Arguments& arguments) {
  net::Loop loop;
  const Global& global = arguments.global;
  std::vector<std::unique_ptr<Client>> clients;
  const std::uint32_t sessions =
      (arguments.bench.clients + kClientsPerSession - 1) / kClientsPerSession;
  for (std::uint32_t i = 0; i < sessions; ++i) {
    auto client = Client::make(loop, global.client);
    if (!client.is_ok()) return fail("bench", client.status(), global.format);
    clients.push_back(std::move(client).value());
  }
  const auto before = log_syncs(loop, global.client.endpoints);
  BenchReport report = Run(loop, arguments, clients).run(global.client.timeout_ms);
  count_syncs(before, log_syncs(loop, global.client.endpoints), report);
  const std::string text = global.format == Format::kJson ? json_of(report, arguments.bench)
                                                          : simple_of(report, arguments.bench);
  return print(stdout, text, exit_code_of(report));
}

}  // namespace client::ctl
